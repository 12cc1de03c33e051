"""`musae train --workers N`: several worker processes on this machine, started again from the last checkpoint when one
dies. On a cluster its own supervisor does this, see serving/kubernetes/train.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from musae_tf.cores import available_cores
from musae_tf.errors import ConfigError, MusaeError, TrainingError

# Seconds that workers have to notice that one of them has gone; then the supervisor kills them.
_GRACE = 60.0
_CROWD = 8
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def supervise(arguments: Sequence[str], run: Path, workers: int, restarts: int) -> int:
    """Run `musae` with the same arguments in every worker until all of them are done.

    Args:
        arguments: of each worker; such that the same ones start the run or go on with it.
        run: the run folder.
        workers: how many.
        restarts: how often all are started again without a new checkpoint in between.

    Returns:
        The exit code: that of the workers, if they agree on it.

    Raises:
        TrainingError: the workers die again and again.
    """
    tries = 0
    while True:
        before = _checkpoints(run)
        job = _Job(arguments, workers)
        codes = job.wait()
        if job.stopped_by:
            return 128 + job.stopped_by
        for code in (MusaeError.exit_code, 128 + signal.SIGTERM, 128 + signal.SIGINT):
            if code in codes:
                return code  # what is to be mended has been said, or a worker was told to stop and all have stopped
        if not any(codes):
            return 0
        tries = 1 if _checkpoints(run) != before else tries + 1
        failed = sorted((number in job.ended, number, code) for number, code in enumerate(codes) if code)
        ends = ", ".join(f"worker {number} {_end(code, by_us)}" for by_us, number, code in failed)
        if tries > restarts:
            raise TrainingError(f"{ends}; gave up after {restarts} restarts without a new checkpoint")
        print(f"{ends}; starting all again, from the last checkpoint ({tries} of {restarts})", flush=True)


class _Job:
    """Worker processes, each with its share of the cores and GPUs of this machine.

    Attributes:
        stopped_by: the signal that asked this process to stop; 0 for none.
        ended: numbers of the workers that were killed here, since they outlived another one for too long.
    """

    def __init__(self, arguments: Sequence[str], workers: int):
        self.stopped_by, self.ended, self._processes = 0, set[int](), list[subprocess.Popen]()
        named, shares, gpus = addresses(workers), _shares(_cores(), workers), _shares(_gpus(), workers)
        self._handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        for index in range(workers):
            cluster = {"cluster": {"worker": named}, "task": {"type": "worker", "index": index}}
            # All on GPUs or none: replicas of one job must be alike.
            visible = ",".join(gpus[index]) if all(gpus) else "-1"
            environment = {**os.environ, "TF_CONFIG": json.dumps(cluster), "CUDA_VISIBLE_DEVICES": visible}
            self._processes.append(
                # A session of its own, so that Ctrl-C in the terminal reaches it only through `_stop`.
                subprocess.Popen(
                    [sys.executable, "-m", "musae_tf.cli", *arguments],
                    env=environment,
                    start_new_session=True,
                    preexec_fn=_prepare(shares[index]),
                )
            )

    def wait(self) -> list[int]:
        """Exit codes of all, once all have ended. When one dies, the others have some time to notice."""
        deadline = None
        try:
            while None in (codes := [process.poll() for process in self._processes]):
                if any(codes) and deadline is None:
                    deadline = time.monotonic() + _GRACE
                if deadline is not None and time.monotonic() > deadline:
                    self.ended.update(self._send(signal.SIGKILL))
                time.sleep(0.1)
        finally:
            self._send(signal.SIGKILL)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        return [process.wait() for process in self._processes]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        # The first time workers save and leave; who asks twice does not want to wait for that.
        self._send(signal.SIGKILL if self.stopped_by else signal.SIGTERM)
        self.stopped_by = number

    def _send(self, number: signal.Signals) -> list[int]:
        """Send a signal to the workers that are there; returns their numbers."""
        there = [index for index, process in enumerate(self._processes) if process.poll() is None]
        for index in there:
            self._processes[index].send_signal(number)
        return there


def addresses(count: int) -> list[str]:
    """Addresses on this machine that nothing listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    return found


def _shares(things: list, count: int) -> list[list]:
    """Things in equal parts; parts are empty if there are too few."""
    size = len(things) // count
    return [things[part * size : (part + 1) * size] for part in range(count)]


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False).stdout
    return [str(number) for number, line in enumerate(line for line in listed.splitlines() if line.startswith("GPU"))]


def _prepare(cores: list[int]) -> Callable[[], None] | None:
    """What a worker does before it starts: take its cores, and die with this process if that is killed (Linux)."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)

    def prepare() -> None:
        if cores:
            os.sched_setaffinity(0, cores)
        library.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)

    return prepare


def _checkpoints(run: Path) -> set[str]:
    return {file.name for file in (run / "checkpoints").glob("*.index")}


def _end(code: int, by_us: bool) -> str:
    if by_us and code == -signal.SIGKILL:
        return f"was still there {_GRACE:g} s later, so the supervisor ended it"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"


def check_workers(workers: int) -> None:
    """Refuse what cannot work.

    Raises:
        ConfigError: they are far more than there are cores, or this process is itself a worker of a job.
    """
    most = _CROWD * available_cores()
    if workers > most:
        raise ConfigError(f"--workers is {workers}; must be {most} or less, {_CROWD} for each core of this machine")
    if os.environ.get("TF_CONFIG"):
        raise ConfigError(f"--workers {workers} starts a job of its own, but TF_CONFIG says that this is part of one")
