"""`musae live` as a process, with a real server, a port of mido and packets over UDP."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from pythonosc.osc_message import OscMessage

from musae_tf.cli import main
from musae_tf.live import osc
from tests.docs.world import free_port
from tests.live import backend
from tests.waiting import LIMIT, children, has_ended


class Live:
    """`musae live` as a process, which is ready."""

    def __init__(self, file, *arguments: str):
        port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "musae_tf.cli", "live", *arguments, "--osc", str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "MIDO_BACKEND": "tests.live.backend", backend.FILE: str(file)},
        )  # fmt: skip
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("OSC: "):
                break
        else:
            raise AssertionError(self.process.communicate())
        self.client = socket.socket(type=socket.SOCK_DGRAM)
        self.client.settimeout(LIMIT)
        self.client.connect(("127.0.0.1", port))

    def answered(self, *message) -> tuple[str, list]:
        self.client.send(osc.write(*message))
        answer = OscMessage(self.client.recv(2**16))
        return answer.address, answer.params

    def stop(self, number: int) -> tuple[int, str]:
        """How it ended, and the rest of what it said."""
        self.process.send_signal(number)
        said, errors = self.process.communicate(timeout=LIMIT)
        self.client.close()
        return self.process.returncode, said + errors


def test_a_performance_from_beginning_to_end(autoregressive_folder, tmp_path):
    live = Live(tmp_path / "midi", str(autoregressive_folder), "--tempo", "240")
    try:
        assert "MIDI: musae\n" in live.said
        assert live.answered("/sample", "polka")[0] == "/error"
        live.client.send(b"\xff" * 99)
        assert live.answered("/sample", "hymns", 2, 7) == ("/playing", ["hymns", 7])
        assert live.answered("/fill", "1", "alto,tenor", 8) == ("/playing", ["hymns", 8])
        assert live.answered("/walk", 0.2, 9) == ("/playing", ["hymns", 9])
        assert live.answered("/status")[1][:3] == ["playing", "hymns", 9]
        server = children(live.process.pid)
        assert server
        code, said = live.stop(signal.SIGTERM)
    finally:
        live.process.kill()
    assert code == 143, said
    assert "stopped; all notes are off" in said
    assert "Traceback" not in said
    assert all(map(has_ended, server))
    sent = [line.split(" ", 1) for line in (tmp_path / "midi").read_text().splitlines()]
    sounding = set()
    for kind, rest in sent:
        note = rest.partition(" velocity")[0]
        if kind == "note_on":
            assert note not in sounding
            sounding.add(note)
        elif kind == "note_off":
            sounding.remove(note)
    assert sounding == set()
    assert {"program_change", "note_on", "note_off", "control_change"} <= {kind for kind, _ in sent}


@pytest.fixture
def ports(monkeypatch):
    """The ports of the backend of these tests."""
    import mido

    monkeypatch.setenv("MIDO_BACKEND", "tests.live.backend")
    before = mido.backend
    mido.set_backend("tests.live.backend")
    yield
    mido.set_backend(before)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is neither a run nor a model folder"),
        (["nowhere", "--server", "localhost:8500"], "the model is either here or on a server"),
        (["--osc", "0"], "'0' is not a whole number from 1 to 65535"),
        (["--tempo", "5"], "'5' is not a number from 20 to 400"),
        (["--server", "localhost:1", "--osc", "{taken}"],
         "cannot listen on 127.0.0.1:{taken}: Address already in use; --osc names another port"),
        (["--server", "localhost:1", "--osc", "{free}", "--midi", "broken"],
         "the MIDI output 'broken' cannot be opened (the sound card is on fire); "
         "outputs that are there, for --midi: synth, broken"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(capsys, monkeypatch, tmp_path, ports, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        places = {"taken": other.getsockname()[1], "free": free_port()}
        try:
            code = main(["live", *(argument.format(**places) for argument in arguments)])
        except SystemExit as stop:
            code = stop.code
    assert code == 2
    errors = capsys.readouterr().err
    assert sentence.format(**places) in errors
    assert "Traceback" not in errors


def test_a_port_that_is_there_is_taken_and_another_is_made(ports):
    from musae_tf.live.player import open_port

    backend.Output.opened.clear()
    for name in ("synth", "mine"):
        open_port(name).close()
    assert backend.Output.opened == [("synth", False), ("mine", True)]


def test_a_package_that_is_missing_is_named_with_its_extra(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mido", None)
    for name in [name for name in sys.modules if name.startswith("musae_tf.live.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(tmp_path)
    assert main(["live", "--server", "localhost:1"]) == 2
    assert "needs the package mido, which is not here: pip install 'musae-tf[live]'" in capsys.readouterr().err
