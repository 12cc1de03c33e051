"""`musae doctor`: what it finds here, and what it says when something is not there."""

import json
import os
import re
import shutil
import socket
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from musae_tf.cli import doctor, main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examined(capsys, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code and findings by name."""
    capsys.readouterr()
    code = main(["doctor", "--json", *arguments])
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] == (code == 0)
    return code, {finding["name"]: finding for finding in shown["findings"]}


def without(monkeypatch, *packages: str) -> None:
    """Let packages seem not to be installed."""
    real = metadata.version

    def version(package: str) -> str:
        if package in packages:
            raise metadata.PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(doctor.metadata, "version", version)


def test_a_machine_with_everything(capsys):
    code, found = examined(capsys)
    assert code == 0
    # Beam's packages do not stand beside TensorFlow's.
    assert {finding["state"] for name, finding in found.items() if name != "beam"} == {"ok"}
    assert metadata.version("tensorflow") in found["train"]["text"]
    assert "cores" in found["devices"]["text"]
    assert main(["doctor"]) == 0
    assert "nothing that is needed is missing" in capsys.readouterr().out


def test_a_client_needs_only_the_base(capsys, monkeypatch):
    packages = [package for purpose in doctor.PURPOSES.values() if purpose.extra for package in purpose.packages]
    without(monkeypatch, *(package for package in packages if package != "scipy"))  # which others bring along
    code, found = examined(capsys)
    assert code == 0
    for name in (*doctor.PURPOSES.keys() - {"base"}, "devices", "synthesiser"):
        assert found[name]["state"] == "absent", name
    assert "pip install 'musae-tf[train]'" in found["train"]["text"]


def requirements() -> dict[str, set[str]]:
    """The packages that the project asks for, by extra; those of the base install have none."""
    tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {extra: [re.match(r"[\w.-]+", line).group() for line in lines] for extra, lines in asked.items()}
    return {extra: set(found) - {"musae-tf"} for extra, found in names.items()}


def test_every_extra_is_known_with_all_its_packages():
    asked = requirements()
    assert {purpose.extra for purpose in doctor.PURPOSES.values()} == asked.keys() - {"gpu", "dev"}
    for extra in asked.keys() - {"gpu", "dev"}:
        known = {package for purpose in doctor.PURPOSES.values() if purpose.extra == extra
                 for package in purpose.packages}  # fmt: skip
        brought = {"train": asked["server"], "studio": asked["train"]}.get(extra, set())
        assert known <= asked[extra] | brought
        # The studio makes sound with what training makes it with.
        assert asked[extra] <= known | (set(doctor.PURPOSES["sound"].packages) if extra == "studio" else set())
    for name, purpose in doctor.PURPOSES.items():
        if name != "base":
            others = {package for extra in asked.keys() - {purpose.extra, "dev", "studio", "train"}
                      for package in asked[extra]}  # fmt: skip
            assert purpose.packages[0] not in others, name


def test_a_server_is_no_half_machine_for_training(capsys, monkeypatch):
    server = {*doctor.PURPOSES["base"].packages, *doctor.PURPOSES["serve"].packages, "keras", "h5py"}
    without(monkeypatch, *(package for found in doctor.PURPOSES.values() for package in found.packages
                           if package not in server))  # fmt: skip
    code, found = examined(capsys)
    assert code == 0
    assert (found["serve"]["state"], found["train"]["state"], found["lakh"]["state"]) == ("ok", "absent", "absent")


@pytest.mark.parametrize("package", ["symusic", "keras", "pretty_midi", "opentelemetry-sdk"])
def test_half_an_installation_is_broken(capsys, monkeypatch, package):
    without(monkeypatch, package)
    code, found = examined(capsys)
    assert code == 1
    assert any(finding["state"] == "missing" and package in finding["text"] for finding in found.values())


def test_a_sound_font_that_is_gone_and_a_full_disk(capsys, monkeypatch):
    monkeypatch.setattr("musae_tf.music.audio._SOUND_FONT", "none.sf2")
    from musae_tf.music import audio

    audio._sound_font.cache_clear()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e6))
    code, found = examined(capsys)
    assert code == 1
    assert "sound font" in found["synthesiser"]["text"]
    assert found["disk"]["state"] == "missing"
    audio._sound_font.cache_clear()


def test_folders_that_cannot_be_written(capsys, monkeypatch, tmp_path):
    real = doctor.tempfile.TemporaryFile

    def refuse(*arguments, **named):
        if named.get("dir") is not None and os.path.samefile(named["dir"], tmp_path):
            raise PermissionError(13, "Permission denied")
        return real(*arguments, **named)

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    code, found = examined(capsys)
    assert code == 1
    assert "Permission denied" in found["runs"]["text"]
    assert found["temporary files"]["state"] == "ok"


def test_a_server_and_none(capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        code, found = examined(capsys, "--server", f"127.0.0.1:{nobody.getsockname()[1]}", "--deadline", "1")
    assert code == 1
    assert found["server"]["state"] == "missing"


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    remedy = "; the environment variable MUSAE_CACHE names another folder"
    found = doctor._folder("cache", tmp_path / "file" / "cache", remedy)
    assert found.state == "missing"
    assert found.text == f"cannot write in {tmp_path / 'file'}: Not a directory{remedy}"
    assert doctor._folder("cache", tmp_path / "new" / "cache", remedy).text.endswith("can be written when needed")


def test_the_cache_is_looked_at_where_it_is(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MUSAE_CACHE", str(tmp_path / "own"))
    _, found = examined(capsys)
    assert str(tmp_path / "own") in found["cache"]["text"]
    assert str(tmp_path) in found["disk of the cache"]["text"]


def test_proxies(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert doctor._proxies() == ("proxy", "ok", "none in the environment")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", f"http://me:secret@{address}")
        assert doctor._proxies().state == "ok"
        assert f"http_proxy=http://{address}; no_proxy is not set" in doctor._proxies().text
    monkeypatch.setenv("no_proxy", "localhost")
    found = doctor._proxies()
    assert found.state == "missing"
    assert f"http_proxy=http://{address}; not for localhost; no connection to http://{address}" in found.text
    assert "Connection refused" in found.text
    assert "secret" not in found.text
    monkeypatch.setenv("http_proxy", "nonsense")
    assert "http_proxy" in doctor._proxies().text
    assert "HOST:PORT" in doctor._proxies().text
