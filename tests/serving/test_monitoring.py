"""Prometheus and Grafana: every query can be read and asks for metrics and labels that the server has."""

import json
import re

import pytest

from tests.serving.files import REST_PORT, SERVING, documents
from tests.serving.metrics import METRICS, SERIES

promql = pytest.importorskip("promql_parser")

DASHBOARD = json.loads((SERVING / "grafana/dashboards/musae.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
(ALERTS,) = documents(SERVING / "prometheus/alerts.yml")
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
# Functions that make sense of a counter; any other use of one draws a line that only ever rises.
OF_COUNTERS = {"rate", "increase"}
# What happens once a version: here the total since the start is the figure to show.
TOTALS = {
    ":tensorflow:cc:saved_model:load_latency",
    ":tensorflow:serving:model_warmup_latency_sum",
    ":tensorflow:serving:model_warmup_latency_count",
}


def concrete(query: str) -> str:
    """A dashboard's query with values for Grafana's variables."""
    return query.replace("$__rate_interval", "1m").replace("$job", "musae").replace("$instance", ".*")


def check(query: str) -> set[str]:
    """Names of the series that a query asks for.

    Raises:
        AssertionError: a series or label that the server does not have, or a counter that is not turned into a rate.
        ValueError: the query cannot be read.
    """
    return _check(promql.parse(query))


def _check(node, inside: str = "") -> set[str]:
    if isinstance(node, promql.MatrixSelector):
        return _check(node.vector_selector, inside)
    if isinstance(node, promql.VectorSelector):
        assert node.name in SERIES, f"the server exports no {node.name}"
        labels = {matcher.name for matcher in node.matchers.matchers}
        assert labels <= SERIES[node.name], f"{node.name} has no labels {labels - SERIES[node.name]}"
        assert inside in OF_COUNTERS or node.name in {"up"} | TOTALS, f"{node.name} outside rate()"
        return {node.name}
    if isinstance(node, promql.AggregateExpr):
        names = _check(node.expr, inside)
        for label in node.modifier.labels if node.modifier else ():
            assert all(label in SERIES[name] for name in names), f"no label {label} on {names}"
        return names
    if isinstance(node, promql.Call):
        return set().union(*(_check(argument, node.func.name) for argument in node.args))
    if isinstance(node, promql.BinaryExpr):
        return _check(node.lhs, inside) | _check(node.rhs, inside)
    if isinstance(node, promql.ParenExpr):
        return _check(node.expr, inside)
    assert isinstance(node, promql.NumberLiteral), f"{type(node).__name__} is not checked"
    return set()


@pytest.mark.parametrize("query", QUERIES)
def test_queries_of_the_dashboard(query):
    assert check(concrete(query))
    assert 'job="$job", instance=~"$instance"' in query


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts(rule):
    assert check(rule["expr"])
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize(
    "query",
    [
        "rate(:tensorflow:serving:request_counts[1m])",
        'rate(:tensorflow:serving:request_count{model="musae"}[1m])',
        "sum by (version) (rate(:tensorflow:serving:request_count[1m]))",
        ":tensorflow:serving:request_count",
        "rate(:tensorflow:serving:request_latency[1m])",
    ],
)
def test_a_wrong_query_would_be_noticed(query):
    with pytest.raises(AssertionError):
        check(query)


def test_the_dashboard_shows_every_part_of_the_service():
    asked = set().union(*(check(concrete(query)) for query in QUERIES))
    base = {re.sub("_(bucket|sum|count)$", "", name) if name not in METRICS else name for name in asked}
    for part in ("request_latency", "runtime_latency", "request_count", "load_attempt_count", "model_warmup_latency"):
        assert any(name.endswith(part) for name in base), part
    assert {name for name in METRICS if ":batching_session:" in name} <= base


def test_the_dashboard_is_one_that_grafana_knows():
    """Every key survives the official model of dashboards, which drops those that it does not know."""
    dashboard = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder").JSONEncoder

    def lost(before, after, where=""):
        if isinstance(before, dict):
            for key, value in before.items():
                if key in after:
                    yield from lost(value, after[key], f"{where}/{key}")
                else:
                    yield f"{where}/{key}"
        elif isinstance(before, list):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from lost(one, other, f"{where}/{number}")
        elif before != after:
            yield f"{where}: {before!r} became {after!r}"

    def through(document):
        return json.loads(json.dumps(dashboard.Dashboard.from_json(document), cls=encoder))

    assert list(lost(DASHBOARD, through(DASHBOARD))) == []
    wrong = {**DASHBOARD, "panles": []}
    assert list(lost(wrong, through(wrong))) == ["/panles"]


def test_panels_have_their_own_places():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert columns[-1] < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)


def test_latencies_are_shown_in_microseconds():
    for panel in PANELS:
        if any("latency" in target["expr"] for target in panel["targets"]):
            assert panel["fieldConfig"]["defaults"]["unit"] == "µs", panel["title"]


def test_prometheus_reads_what_the_server_offers():
    (config,) = documents(SERVING / "prometheus/prometheus.yml")
    (compose,) = documents(SERVING / "compose.yaml")
    (scrape,) = config["scrape_configs"]
    assert f'path: "{scrape["metrics_path"]}"' in (SERVING / "config/monitoring.config").read_text(encoding="utf-8")
    (target,) = scrape["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in compose["services"]
    assert port == str(REST_PORT)
    assert [(SERVING / "prometheus" / name).is_file() for name in config["rule_files"]] == [True]
    assert f'job="{scrape["job_name"]}"' in RULES[0]["expr"]


def test_grafana_finds_prometheus_and_the_dashboard():
    (compose,) = documents(SERVING / "compose.yaml")
    (sources,) = documents(SERVING / "grafana/provisioning/datasources/prometheus.yaml")
    (source,) = sources["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(published.endswith(f":{port}") for published in compose["services"][host]["ports"])
    (providers,) = documents(SERVING / "grafana/provisioning/dashboards/musae.yaml")
    path = providers["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in compose["services"]["grafana"]["volumes"]
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in compose["services"]["grafana"]["volumes"]
    variables = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert variables == ["datasource", "job", "instance"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
