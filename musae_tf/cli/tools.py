"""`musae doctor` and `completion`: their options."""

from musae_tf.cli.parser import add_json, command
from musae_tf.cli.shared import add_server


def add_doctor(commands) -> None:
    """Add `musae doctor`."""
    summary = "what is installed here and whether it works; exit code 1 if something needed is missing"
    doctor = command(
        commands, "doctor", "doctor:doctor", summary, "musae doctor --server localhost:8500", "not all was seen"
    )
    add_server(doctor, default=None)
    add_json(doctor)


def add_completion(commands) -> None:
    """Add `musae completion`."""
    summary = "print what makes a shell complete musae's commands and options"
    example = "musae completion bash > ~/.local/share/bash-completion/completions/musae"
    completion = command(commands, "completion", "completion:completion", summary, example)
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
