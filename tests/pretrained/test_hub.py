"""Models on a hub, which here is a server of the tests."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from musae_tf import Musae
from musae_tf.cli import main
from musae_tf.errors import RunError
from musae_tf.pretrained import archive
from musae_tf.pretrained import hub as client
from musae_tf.training import Run
from tests.pretrained.hub_server import TOKEN, Hub, running
from tests.pretrained.test_archive import files
from tests.pretrained.test_pretrained import FILES_OF_THE_ARCHIVE, in_it, refused

constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")

SMALL = {
    "run.json": b"{}", "config.yaml": b"seed: 1\n", "export/musae/1/saved_model.pb": b"graph",
    "export/musae/1/variables/variables.index": b"index",
    "export/musae/1/variables/variables.data-00000-of-00001": bytes(range(256)) * 4000,
}  # fmt: skip
"""A file of each name that a model has at least."""


@pytest.fixture
def hub(cache, monkeypatch):
    """A hub without models, for a user who is nobody."""
    # Its new protocol for large files has servers of its own.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache.parent / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with running(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def user(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def fails(text: str) -> str:
    with pytest.raises(RunError) as caught:
        client.pulled_run(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def pushed(evaluated_run, tiny_dataset, shared) -> dict[str, bytes]:
    """What `musae push` puts on a hub of the tiny run."""
    from musae_tf.export import version

    def make(folder: Path) -> None:
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch, running(Hub()) as hub:
            patch.setattr(version, "verify", lambda *_: None)  # tests of exports have them checked
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setenv("HF_ENDPOINT", hub.url)
            patch.setenv("HF_TOKEN", TOKEN)
            licence = ["--license", "cc-by-nc-4.0", "--tag", "hymnody", "--private"]
            run, dataset = str(evaluated_run.path), ["--dataset", str(tiny_dataset.path)]
            assert main(["push", run, "ann/tunes", *licence, *dataset]) == 0
            assert hub.private == {"ann/tunes"}
            for name, data in hub.newest("ann/tunes").items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    return files(shared("pushed", make))


def test_what_is_pushed_is_a_model_with_a_card_and_no_music(pushed, evaluated_run, tiny_dataset):
    assert pushed.keys() == FILES_OF_THE_ARCHIVE - {archive.FILES} | {"README.md"}
    _, front, card = pushed["README.md"].decode().split("---\n", 2)
    facts = yaml.safe_load(front)
    assert (facts["license"], facts["library_name"]) == ("cc-by-nc-4.0", "musae-tf")
    assert {"music", "midi", "hymns", "dances", "hymnody"} <= set(facts["tags"])
    (model,) = facts["model-index"]
    assert model["name"] == "tunes"
    (results,) = model["results"]
    assert results["dataset"]["revision"] == tiny_dataset.hash
    assert results["dataset"]["split"] == "test"
    found = {metric["type"]: metric["value"] for metric in results["metrics"]}
    f1 = yaml.safe_load(pushed["evaluation/evaluation.json"])["headlines"]["onset_f1"]["value"]
    assert found["onset_f1"] == pytest.approx(f1, abs=1e-4)
    assert "musae pull ann/tunes" in card
    assert "- Bars of 4/4 in 16 steps, one note at a time in each melodic track, no dynamics;" in card
    assert tiny_dataset.manifest["licence"] in card.replace("\n", " ")
    contents = b"".join(pushed.values())
    assert str(tiny_dataset.path.parent).encode() not in contents
    codes = evaluated_run.load_model()
    from musae_tf.models.inference import encode

    tokens = tiny_dataset.phrases("train", 2, sounding="any").tokens()
    assert in_it(encode(codes, tokens)[0], contents) == []


def test_what_is_pulled_makes_the_same_music(hub, pushed, evaluated_run, capsys):
    oid = hub.put("ann/tunes", {**pushed, ".gitattributes": b"*.pb filter=lfs\n", "run.py": b"import os\n"})
    here = Musae.from_preset("hf://ann/tunes")
    made = here.sample("hymns", 4, 0.9, 2).to_bytes()
    trained = evaluated_run.load_model()
    for one, other in zip(Run.open(client.pulled_run("hf://ann/tunes")).load_model().music_variables,
                          trained.music_variables, strict=True):  # fmt: skip
        np.testing.assert_array_equal(one.value, other.value)
    assert main(["pull", "ann/tunes"]) == 0
    said = capsys.readouterr().out
    assert oid in said
    assert "musae sample runs/tunes --wav" in said
    assert files(Path("runs/tunes")) == pushed
    assert main(["sample", "runs/tunes", "--genre", "hymns", "--bars", "4", "--temperature", "0.9", "--seed", "2",
                 "--out", "a.mid"]) == 0  # fmt: skip
    assert Path("a.mid").read_bytes() == made
    assert "runs/tunes is already there" in refused(capsys, "pull", "ann/tunes")
    # Its graph is not loaded for that.
    hub.put("ann/tunes", {**pushed, "export/musae/1/saved_model.pb": b"no graph"})
    assert Musae.from_preset("hf://ann/tunes").sample("hymns", 4, 0.9, 2).to_bytes() == made


def test_a_commit_is_fetched_once_and_stays(hub):
    first = hub.put("ann/tunes", SMALL)
    path = client.pulled_run("hf://ann/tunes")
    second = hub.put("ann/tunes", {**SMALL, "run.json": b"[]"})
    hub.requests.clear()
    assert client.pulled_run(f"hf://ann/tunes@{first}") == path
    assert hub.requests == []
    assert (path / "run.json").read_bytes() == b"{}"
    other = client.pulled_run("hf://ann/tunes")
    assert other.name.endswith(second)
    assert (other / "run.json").read_bytes() == b"[]"
    (path / "config.yaml").unlink()
    assert client.pulled_run(f"hf://ann/tunes@{first}") == path
    assert (path / "config.yaml").read_bytes() == SMALL["config.yaml"]


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "export/../../evil", "export/musae/1/../evil", "evil.py", "export/musae/1/assets/evil",
     "export/musae/\u0661/saved_model.pb", "checkpoints/checkpoint", "run.json\n", "export\\musae\\1\\saved_model.pb"],
)  # fmt: skip
def test_no_name_leads_elsewhere(hub, cache, name):
    hub.put("ann/tunes", {**SMALL, name: b"evil"})
    path = client.pulled_run("hf://ann/tunes")
    assert files(path).keys() == SMALL.keys() | {archive.FILES}
    assert not list(cache.parent.rglob("*evil*"))


@pytest.mark.parametrize("commit", ["../../../evil", "main", "", "A" * 40])
def test_a_commit_is_no_path(hub, commit, cache):
    hub.put("ann/tunes", SMALL)
    hub.commit = commit or None
    if commit:
        assert "is not 40 hexadecimal digits" in fails("hf://ann/tunes")
        assert not list(cache.rglob("run.json"))


def test_sizes_are_bounded_before_and_while_it_comes(hub, cache, monkeypatch):
    weights = "export/musae/1/variables/variables.data-00000-of-00001"
    oid = hub.put("ann/tunes", SMALL)
    hub.sizes = {"run.json": 10**9}
    assert "run.json has 1,000,000,000 bytes, more than 16,777,216" in fails("hf://ann/tunes")
    hub.sizes = {weights: 3 * 10**9}
    assert "has 3,000,000,000 bytes, more than 2,000,000,000" in fails("hf://ann/tunes")
    hub.sizes = {}
    many = {f"export/musae/{number}/fingerprint.pb": b"" for number in range(40)}
    hub.put("ann/many", {**SMALL, **many})
    assert "has 45 files" in fails("hf://ann/many")
    assert not [path for _, path in hub.requests if "/resolve/" in path]
    for sent in (SMALL[weights] + b"more", SMALL[weights][:-1], SMALL[weights][:-1] + b"x", bytes(50_000_000)):
        hub.served = {weights: sent}
        assert f"ann/tunes@{oid}/{weights} is not the file that {hub.url} lists" in fails("hf://ann/tunes")
    assert [path.name for path in (cache / "hub").iterdir()] == [".lock"]


def test_arrays_that_unpack_to_more_than_they_should_are_refused(hub, cache):
    packed = io.BytesIO()
    np.savez_compressed(packed, directions=np.zeros(5_000_000, np.float32))
    assert len(packed.getvalue()) < 100_000
    for content, words in ((packed.getvalue(), "becomes 20,000,"), (b"arrays", "is no archive of arrays")):
        hub.put("ann/tunes", {**SMALL, "attributes.npz": content})
        assert words in fails("hf://ann/tunes")
    assert [path.name for path in (cache / "hub").iterdir()] == [".lock"]


def test_mistakes_are_a_sentence(hub, user, evaluated_run, tiny_dataset, monkeypatch, capsys):
    for text in ("hf://tunes", "hf://a/b/c", "hf://../tunes", "hf://ann/..", "hf://ann/tunes@", "hf://ann/t@../x"):
        assert "is not a model on a hub: hf://USER/NAME" in fails(text)
    assert "has no model ann/tunes, or shows it only to some" in fails("hf://ann/tunes")
    hub.put("ann/tunes", {"README.md": b"hello"})
    assert "ann/tunes is no model of musae-tf: it has no run.json" in fails("hf://ann/tunes")
    assert "ann/tunes has no commit, branch or tag v9" in fails("hf://ann/tunes@v9")
    push = ["push", str(evaluated_run.path), "ann/tunes", "--license", "other", "--dataset", str(tiny_dataset.path)]
    monkeypatch.delenv("HF_TOKEN")
    assert "hf auth login, or set the variable HF_TOKEN" in refused(capsys, *push)
    hub.private.add("ann/tunes")
    assert "shows it only to some" in fails("hf://ann/tunes")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert fails("hf://ann/tunes").startswith("http://127.0.0.1:1: ")


def test_without_the_package_it_says_what_to_install():
    code = "import sys; sys.modules['huggingface_hub'] = None\nfrom musae_tf.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "pull", "a/b"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "musae: models on a hub need huggingface_hub: pip install 'musae-tf[hub]'\n"
