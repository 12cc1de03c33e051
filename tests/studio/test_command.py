"""`musae studio`: mistakes get one sentence before anything is started."""

import socket

import pytest

from musae_tf.cli import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is neither a run nor a model folder"),
        (["nowhere", "--server", "localhost:8500"], "the model is either here or on a server"),
        (["--server", "localhost"], "target is 'localhost', must be HOST:PORT"),
        (["--port", "0"], "'0' is not a whole number from 1 to 65535"),
        (["--port", "{taken}"], "cannot listen on 127.0.0.1:{taken}: Address already in use; --port names another"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid:8080"),
    ],
)
def test_mistakes_get_one_sentence(capsys, monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        try:
            code = main(["studio", "--no-browser", *(argument.format(taken=taken) for argument in arguments)])
        except SystemExit as stop:
            code = stop.code
    assert code == 2
    errors = capsys.readouterr().err
    assert sentence.format(taken=taken) in errors
    assert "Traceback" not in errors
