"""The supervisor of local workers: when it starts them again, and when it gives up."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from musae_tf.cli import main, workers
from musae_tf.errors import TrainingError, WorkerError
from tests.waiting import LIMIT, has_ended, wait_for


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    """Stands in for worker processes: each job takes the next exit codes, and may leave a checkpoint."""
    script: list[tuple[list[int], str | None]] = []
    (tmp_path / "checkpoints").mkdir()

    class Scripted:
        stopped_by, ended = 0, frozenset()

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
    assert capfd.readouterr().err.count("there is no dataset") == 1, "none is started"
    line = ["train", str(config), "--run", str(tmp_path / "run")]
    assert workers.supervise(line, tmp_path / "run", 2, restarts=0) == 2
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
    probe(tmp_path, "sys.exit(75) if task else signal.pause()", monkeypatch)
    monkeypatch.setattr(workers, "_GRACE", 0.5)
    ends = r"worker 1 left with exit code 75, worker 0 was still there 0\.5 s later, so the supervisor ended it; gave"
    with pytest.raises(TrainingError, match=ends):
        workers.supervise([], tmp_path, 2, restarts=0)


def test_a_worker_that_is_killed_by_others_is_said_to_be(monkeypatch, tmp_path):
    probe(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", monkeypatch)
    monkeypatch.setattr(workers, "_GRACE", LIMIT)
    with pytest.raises(TrainingError, match="worker 0 was killed by SIGKILL, worker 1 was killed by SIGKILL; gave up"):
        workers.supervise([], tmp_path, 2, restarts=0)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_worker_knows_its_place_and_ends_with_its_supervisor(tmp_path, monkeypatch):
    facts = "os.getpid(), len(os.sched_getaffinity(0)), os.environ['CUDA_VISIBLE_DEVICES']"
    probe(tmp_path, f"print({facts}, file=open(str(task), 'w'), flush=True); sys.stdin.read()", monkeypatch)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(workers.__file__).parents[2])!r})\n"
        "from pathlib import Path\nfrom musae_tf.cli.workers import supervise\nsupervise([], Path('.'), 2, 0)"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    # Workers read what nobody writes: should they outlive their supervisor, they do not outlive the test.
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as supervisor:
        files = [tmp_path / str(index) for index in range(2)]
        found = [wait_for(lambda file=file: facts_of(file), process=supervisor) for file in files]
        assert [gpu for _, _, gpu in found] == ["0", "1"]
        assert {cores for _, cores, _ in found} == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
        supervisor.kill()
        for process, _, _ in found:
            wait_for(lambda process=process: has_ended(int(process)))


def probe(folder: Path, body: str, monkeypatch) -> None:
    """Let workers run some code in a folder instead of `musae`; `task` is the number of each."""
    (folder / "musae_tf").mkdir()
    (folder / "musae_tf" / "__init__.py").touch()
    head = "import json, os, signal, sys\ntask = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
    (folder / "musae_tf" / "cli.py").write_text(head + body)
    monkeypatch.chdir(folder)  # python -m looks there first


def facts_of(path: Path) -> list[str]:
    """The three words of a file; none while they are not all there."""
    words = path.read_text().split() if path.exists() else []
    return words if len(words) == 3 else []
