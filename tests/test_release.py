"""What is said about the package outside of it is what it is."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

import musae_tf
from musae_tf.renamed import CONFIG_KEYS, JSON_KEYS, REMOVED_CONFIG_KEYS
from tests.conftest import SLOW

ROOT = Path(__file__).parent.parent
CITATION = ROOT / "CITATION.cff"


def test_changelog_and_citation_are_of_this_version():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]
    cited = yaml.safe_load(CITATION.read_text(encoding="utf-8"))["version"]
    assert newest == cited == musae_tf.__version__


def test_the_citation_is_one():
    checker = Path(sysconfig.get_path("scripts")) / "check-jsonschema"
    if not checker.exists():
        pytest.skip("the package check-jsonschema is not installed")
    schema = "--builtin-schema=vendor.citation-file-format"
    done = subprocess.run([checker, schema, CITATION], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^):#]+)[)#]", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_commands_of_contributing_are_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert len(named) > 5
    assert named <= targets


def test_the_package_finds_its_version_without_loading_anything():
    code = "import sys, musae_tf; print(musae_tf.__version__, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [musae_tf.__version__, "False"]


def test_the_slow_files_are_there():
    assert [name for name in SLOW if not (ROOT / "tests" / name).is_file()] == []


def test_every_name_that_changed_is_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    renamed = [*CONFIG_KEYS.items(), *(pair for names in JSON_KEYS.values() for pair in names.items())]
    assert [name for pair in renamed for name in pair if name not in changelog] == []
    assert [key for key in REMOVED_CONFIG_KEYS if key.partition(".")[2] not in changelog] == []
