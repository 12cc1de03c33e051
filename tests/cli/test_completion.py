"""`musae completion`, in the shells that are here."""

import shutil
import subprocess

import pytest

from musae_tf.cli import main


def script(capsys, shell: str) -> str:
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(text: str, *words: str) -> list[str]:
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in words)
    place = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}"
    ask = f"{text}\n{place}; _shtab_musae; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_offers_commands_options_and_choices(capsys):
    text = script(capsys, "bash")
    assert {"train", "transfer", "doctor"} <= set(completed(text, "musae", ""))
    assert completed(text, "musae", "tran") == ["transfer"]
    assert {"corpus", "folder", "lmd"} <= set(completed(text, "musae", "data", "build", ""))
    assert "--resume" in completed(text, "musae", "train", "--re")
    assert set(completed(text, "musae", "data", "build", "folder", "--keep", "")) >= {"highest", "lowest"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_understands_its_script(capsys, tmp_path, shell):
    text = script(capsys, shell)
    for word in ("transfer", "temperature", "genre"):
        assert word in text
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here: its script was only looked at")
    (tmp_path / "script").write_text(text)
    assert subprocess.run([shell, "-n", str(tmp_path / "script")], timeout=60).returncode == 0
