"""compose.yaml: the schema, and what it refers to."""

import json
import os
import re

import pytest

from tests.serving.files import GRPC_PORT, MODEL_PATH, REST_PORT, SERVING, dockerfile, documents, run, tool

COMPOSE = SERVING / "compose.yaml"
SCHEMA = ("--builtin-schema", "vendor.compose-spec")


@pytest.fixture(scope="module")
def services():
    (compose,) = documents(COMPOSE)
    return compose["services"]


def test_the_schema_of_compose_files_holds():
    done = run(tool("check-jsonschema"), *SCHEMA, COMPOSE)
    assert done.returncode == 0, done.stdout


def test_the_schema_would_find_something(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {server: {image: x, prots: [8500]}}\n")
    assert run(tool("check-jsonschema"), *SCHEMA, tmp_path / "compose.yaml").returncode == 1


def test_compose_itself_reads_it_with_and_without_settings():
    command = (tool("docker-compose"), "--file", COMPOSE, "config", "--format", "json")
    plain = json.loads(run(*command).stdout)
    server = plain["services"]["server"]
    assert {(port["host_ip"], port["target"]) for port in server["ports"]} == {
        ("127.0.0.1", GRPC_PORT), ("127.0.0.1", REST_PORT)
    }  # fmt: skip
    asked = {"MUSAE_BIND": "0.0.0.0", "MUSAE_MODEL": "/data/tunes", "TF_SERVING_TAG": "2.20.0"}
    done = run(*command, env={**os.environ, **asked})
    assert done.returncode == 0, done.stderr
    server = json.loads(done.stdout)["services"]["server"]
    assert server["build"]["args"]["TF_SERVING_TAG"] == "2.20.0"
    assert "0.0.0.0" in {port["host_ip"] for port in server["ports"]}
    assert "/data/tunes" in {volume["source"] for volume in server["volumes"]}


def test_variables_are_explained_with_their_defaults():
    text = COMPOSE.read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    explained = set(re.findall(r"^#   (\w+) .*default: ([^\s,]+)", text, re.MULTILINE))
    assert used == explained
    assert text.count("${") == len(re.findall(r"\$\{\w+:-", text))


def test_the_server_image_is_the_dockerfiles(services):
    build = services["server"]["build"]
    assert (build["context"], build["target"]) == (".", "server")
    tag = re.search(r"ARG TF_SERVING_TAG=(\S+)", dockerfile()).group(1)
    assert build["args"]["TF_SERVING_TAG"] == f"${{TF_SERVING_TAG:-{tag}}}"
    assert re.search(r"^FROM tensorflow/serving:\$\{TF_SERVING_TAG\} AS server$", dockerfile(), re.MULTILINE)


def test_mounts_are_there_and_where_the_programs_look(services):
    targets = {}
    for service in services.values():
        for volume in service["volumes"]:
            source, target = volume.split(":")[:2] if isinstance(volume, str) else (volume["source"], volume["target"])
            targets[target] = source
            if source.startswith("./"):
                assert (SERVING / source).is_dir(), source
    assert targets["/etc/musae"] == "./config"
    assert targets[MODEL_PATH] == "${MUSAE_MODEL:-../exports/musae}"
    assert (SERVING / targets["/etc/prometheus"] / "prometheus.yml").is_file()
    assert "--config.file=/etc/prometheus/prometheus.yml" in services["prometheus"]["command"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, name = home.rsplit("/", 1)
    assert (SERVING / targets[folder] / name).is_file()


def test_only_grpc_can_be_opened_to_other_machines(services):
    ports = {port for service in services.values() for port in service["ports"]}
    opened = f"${{MUSAE_BIND:-127.0.0.1}}:{GRPC_PORT}:{GRPC_PORT}"
    assert opened in ports
    assert all(port.startswith("127.0.0.1:") for port in ports - {opened})
    assert f"127.0.0.1:{REST_PORT}:{REST_PORT}" in ports


def test_nothing_runs_with_more_rights_than_it_needs(services):
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
    assert services["server"]["read_only"]
    assert services["server"]["init"], "the server ignores SIGTERM as process 1"


def test_images_are_pinned_and_no_password_is_written_down(services):
    for name in ("prometheus", "grafana"):
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", services[name]["image"])
    assert not re.search("password", COMPOSE.read_text(encoding="utf-8").replace("whose password", ""), re.IGNORECASE)
