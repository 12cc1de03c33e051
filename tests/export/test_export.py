"""From a run to a published version: what it holds, what the command says, and that a failure publishes nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.cli import main
from musae_tf.export import ExportError
from musae_tf.export import version as exporting
from musae_tf.export.publish import new_version, size, versions
from musae_tf.export.signatures import SERVING_DEFAULT
from musae_tf.export.verify import MAXIMUM, WARMUP, requests
from musae_tf.protocol.codec import to_array
from musae_tf.protocol.messages import PredictionLog
from tests.waiting import wait_for

MUSAE = [sys.executable, "-c", "import sys; from musae_tf.cli import main; sys.exit(main())"]


def test_weights_are_stored_once_and_the_critic_not_at_all(exported, model):
    weights = [*model.encoder.weights, *model.decoder.weights, *model.prior.weights]
    expected = sum(4 * int(np.prod(weight.shape)) for weight in weights)
    stored = size(exported.folder / "variables")
    assert expected < stored < 1.05 * expected + 10_000


def test_a_version_holds_what_a_server_looks_for(exported):
    files = {str(path.relative_to(exported.folder)) for path in exported.folder.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/tf_serving_warmup_requests",
        "assets.extra/musae.json",
    }
    for path in [exported.folder, *exported.folder.rglob("*")]:
        assert path.stat().st_mode & 0o044 == 0o044, f"{path} cannot be read by a server of another user"


def test_the_description_is_beside_the_graph(exported, session):
    (text,) = session("describe", {"request": np.zeros(1, np.int32)})["metadata"]
    assert (exported.folder / "assets.extra" / "musae.json").read_bytes() == text + b"\n"


def test_all_warm_up_records_pass_and_reach_every_signature(exported, session, signatures):
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(exported.folder / WARMUP))]
    assert len(records) <= MAXIMUM
    reached = set()
    for record in records:
        log = PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "tunes"
        name = request.model_spec.signature_name
        inputs = {key: to_array(tensor) for key, tensor in request.inputs.items()}
        outputs = session(name, inputs)
        (rows,) = {len(array) for array in (*inputs.values(), *outputs.values())}
        reached.add((name, rows))
    assert reached == {(name, rows) for name in (SERVING_DEFAULT, *signatures) for rows in (1, 8, 32)}


def test_the_command_publishes_prunes_and_says_what_next(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exporting, "requests", lambda *them: requests(*them)[:1])  # others ask them all
    shutil.copytree(tiny_run.path, "run")
    base = Path("run/export/musae")
    for number in ("1", "2", "03"):
        (base / number).mkdir(parents=True)
    assert main(["export", "run", "--keep", "2"]) == 0
    said = capsys.readouterr().out
    assert [version.folder.name for version in versions(base)] == ["03", "4"]
    assert f"published {base}/4 (1." in said
    assert f"removed {base}/1\nremoved {base}/2\n" in said
    assert f"musae serve {base}\n" in said
    command = said.strip().splitlines()[-1].strip()
    assert command.startswith("docker run -p 8500:8500 -p 8501:8501 -e MODEL_NAME=musae ")
    assert f"{base.resolve()}:/models/musae:ro tensorflow/serving" in command
    facts = json.loads((base / "4" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))
    assert (facts["name"], facts["version"]) == ("musae", 4)


def test_mistakes_are_a_sentence_and_write_nothing(tiny_run, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = str(tiny_run.path)
    shutil.copytree(tiny_run.path, "untrained", ignore=shutil.ignore_patterns("checkpoints"))
    Path("file").write_text("")
    before = sorted(Path().rglob("*"))
    for arguments, says in (
        (["nowhere"], "nowhere is not a run folder"),
        (["untrained", "--to", "new"], "no checkpoint"),
        ([run, "--to", "file"], "file is a file"),
        ([run, "--to", str(exported.folder)], f"name the folder that holds the versions, {exported.folder.parent}"),
    ):
        assert main(["export", *arguments]) == 2
        message = capsys.readouterr().err
        assert message.startswith("musae: ")
        assert message.count("\n") == 1
        assert says in message
    with pytest.raises(SystemExit):
        main(["export", run, "--keep", "0"])
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(("failure", "code"), [(ExportError("it lies"), 2), (KeyboardInterrupt(), 130)])
def test_a_failed_check_publishes_nothing(tiny_run, tmp_path, monkeypatch, capsys, failure, code):
    def check(folder, *_):
        assert (folder / WARMUP).is_file()
        raise failure

    monkeypatch.setattr(exporting, "verify", check)
    base = tmp_path / "tunes"
    assert main(["export", str(tiny_run.path), "--to", str(base)]) == code
    said = capsys.readouterr().err
    assert ("it lies" if code == 2 else "nothing was published") in said
    assert [path.name for path in base.iterdir()] == [".lock"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 600 kB: the graph fits on it, the weights do not."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(small_disk, tiny_run, capsys):
    base = small_disk / "tunes"
    assert main(["export", str(tiny_run.path), "--to", str(base)]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(rf"musae: cannot write {base}/\.publishing-1-\d+: No space left on device", message)
    assert [path.name for path in base.iterdir()] == [".lock"]


def test_an_export_killed_halfway_leaves_no_version(tiny_run, tmp_path):
    base = tmp_path / "tunes"
    command = [*MUSAE, "export", str(tiny_run.path), "--to", str(base)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(base.glob(".publishing-1-*/saved_model.pb")), process=process)
    process.kill()
    process.communicate()
    assert versions(base) == []
    with new_version(base) as draft:
        assert draft.number == 1
    assert {path.name for path in base.iterdir()} == {".lock", "1"}
