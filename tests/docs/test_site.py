"""The site builds with warnings as errors, asks nothing of the internet, and no link of the repository is dead."""

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.markdown import PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Requests(HTMLParser):
    """What a page makes the browser fetch by itself."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag == "link" and named.get("rel") in ("canonical", "next", "prev", "edit"):
            return
        wanted = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
        self.found += [named[wanted[tag]]] if named.get(wanted.get(tag)) else []


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there_and_the_reference_has_content(site):
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    written = {str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages >= written | {"overview.html", "serving.html", "results.html", "benchmarks.html"}
    reference = (site / "api" / "client.html").read_text()
    for words in ("UnknownGenreError", "wait_until_ready", "The arguments are those of"):
        assert words in reference
    assert not list(site.rglob("*.py"))


def test_the_model_card_has_the_numbers_of_the_kept_run(site):
    found = json.loads((ROOT / "results/voices/evaluation.json").read_text())
    page = (site / "model-card.html").read_text()
    for key in ("onset_f1", "samples_as_asked", "transfer_success"):
        assert f"<td>{found['headlines'][key]['value']:.3f}</td>" in page


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        parser = Requests()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [target for target in parser.found if re.match(r"(https?:)?//", target)] == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_repository_lead_somewhere(page):
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        if path and page.parent == ROOT / "docs" and path in ("overview.md", "serving.md", "results.md"):
            raise AssertionError(f"{target} is a page of the site only: name the README")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def literals() -> str:
    """All strings of the package and of the Makefile; what is put into them is a gap."""
    found = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for path in (ROOT / "musae_tf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(p.value if isinstance(p, ast.Constant) else "\0" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_messages_under_troubleshooting_are_those_of_the_code():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    first = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    known = literals()
    parts = [part for cell in first for message in re.findall(r"`([^`]+)`", cell) for part in message.split("...")]
    assert len(parts) > 30
    assert [part for part in parts if part.strip() and part.strip() not in known] == []
