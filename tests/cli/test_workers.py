"""The supervisor of local workers: when it starts them again, and when it gives up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musae_tf.cli import main, workers
from musae_tf.errors import TrainingError, WorkerError


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    """Stands in for worker processes: each job takes the next exit codes, and may leave a checkpoint."""
    script: list[tuple[list[int], str | None]] = []
    (tmp_path / "checkpoints").mkdir()

    class Scripted:
        stopped_by = 0

        def __init__(self, arguments, count):
            assert (arguments, count) == (["train"], 2)

        def wait(self) -> list[int]:
            codes, checkpoint = script.pop(0)
            if checkpoint:
                (tmp_path / "checkpoints" / f"{checkpoint}.index").touch()
            return codes

    monkeypatch.setattr(workers, "_Job", Scripted)
    return script


DIED = [WorkerError.exit_code, -signal.SIGKILL]


def test_workers_that_die_are_started_again(jobs, tmp_path, capsys):
    jobs += [(DIED, None), (DIED, None), ([0, 0], None)]
    assert workers.supervise(["train"], tmp_path, 2, restarts=2) == 0
    said = capsys.readouterr().out
    assert "worker 0 left with exit code 75, worker 1 was killed by SIGKILL; starting all again" in said
    assert "(2 of 2)" in said


def test_but_not_for_ever(jobs, tmp_path):
    jobs += [(DIED, None)] * 3
    with pytest.raises(TrainingError, match="gave up after 2 restarts without a new checkpoint"):
        workers.supervise(["train"], tmp_path, 2, restarts=2)


def test_a_checkpoint_counts_as_progress(jobs, tmp_path):
    jobs += [(DIED, None), (DIED, "ckpt-10"), (DIED, None), (DIED, "ckpt-20"), ([0, 0], None)]
    assert workers.supervise(["train"], tmp_path, 2, restarts=2) == 0


@pytest.mark.parametrize(("codes", "expected"), [([75, 2], 2), ([143, 143], 143), ([130, 143], 143)])
def test_what_a_restart_does_not_mend_is_not_started_again(jobs, tmp_path, codes, expected):
    jobs += [(codes, None)]
    assert workers.supervise(["train"], tmp_path, 2, restarts=2) == expected


def test_real_workers_that_find_a_mistake(tmp_path, capfd):
    code = main(["train", str(tmp_path / "nowhere.yaml"), "--run", str(tmp_path / "run"), "--workers", "2"])
    assert code == 2
    config = tmp_path / "config.yaml"
    config.write_text(f"data: {{path: {tmp_path / 'no dataset'}}}")
    assert main(["train", str(config), "--run", str(tmp_path / "run"), "--workers", "2"]) == 2
    assert capfd.readouterr().err.count("there is no dataset") == 2, "each of them says so"


def test_a_worker_starts_no_workers(monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert main(["train", "configs/tiny.yaml", "--workers", "2"]) == 2
    assert "TF_CONFIG says that this is part of one" in capsys.readouterr().err


def test_cores_and_gpus_are_shared_out(monkeypatch):
    assert workers._shares([0, 1, 2, 3, 4], 2) == [[0, 1], [2, 3]]
    assert workers._shares([0], 2) == [[], []]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert workers._gpus() == ["3", "1"]
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert workers._gpus() == []


def test_a_worker_that_does_not_notice_is_killed(monkeypatch, tmp_path):
    probe(tmp_path, "sys.exit(75) if task else time.sleep(60)", monkeypatch)
    monkeypatch.setattr(workers, "_GRACE", 0.5)
    with pytest.raises(TrainingError, match="worker 0 was killed by SIGKILL, worker 1 left with exit code 75; gave up"):
        workers.supervise([], tmp_path, 2, restarts=0)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_worker_knows_its_place_and_ends_with_its_supervisor(tmp_path, monkeypatch):
    facts = "os.getpid(), len(os.sched_getaffinity(0)), os.environ['CUDA_VISIBLE_DEVICES']"
    probe(tmp_path, f"print({facts}, file=open(str(task), 'w'), flush=True); time.sleep(60)", monkeypatch)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(workers.__file__).parents[2])!r})\n"
        "from pathlib import Path\nfrom musae_tf.cli.workers import supervise\nsupervise([], Path('.'), 2, 0)"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with subprocess.Popen([sys.executable, "-c", code]) as supervisor:
        found = [read(tmp_path / str(index)) for index in range(2)]
        assert [gpu for _, _, gpu in found] == ["0", "1"]
        assert {cores for _, cores, _ in found} == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
        supervisor.kill()
    for process, _, _ in found:
        assert gone(int(process))


def probe(folder: Path, body: str, monkeypatch) -> None:
    """Let workers run some code in a folder instead of `musae`; `task` is the number of each."""
    (folder / "musae_tf").mkdir()
    (folder / "musae_tf" / "__init__.py").touch()
    head = "import json, os, sys, time\ntask = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
    (folder / "musae_tf" / "cli.py").write_text(head + body)
    monkeypatch.chdir(folder)  # python -m looks there first


def read(path: Path) -> list[str]:
    for _ in range(3000):
        if path.exists() and len(path.read_text().split()) == 3:
            return path.read_text().split()
        time.sleep(0.01)
    pytest.fail(f"{path} did not come")


def gone(process: int) -> bool:
    for _ in range(1000):
        try:
            if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False
