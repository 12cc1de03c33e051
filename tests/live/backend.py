"""A backend of mido, named by MIDO_BACKEND, for machines without MIDI: messages go to a file, one a line."""

import os
from pathlib import Path
from typing import ClassVar

import mido
from mido.ports import BaseOutput

FILE = "MUSAE_TESTS_MIDI"
"""Environment variable: where messages go."""


class Output(BaseOutput):
    opened: ClassVar[list[tuple[str, bool]]] = []

    def _open(self, virtual: bool = False, **rest) -> None:
        if self.name == "broken":
            raise OSError("the sound card is on fire")
        self.opened.append((self.name, virtual))

    def _send(self, message: mido.Message) -> None:
        if FILE in os.environ:
            with Path(os.environ[FILE]).open("a") as file:
                file.write(f"{message}\n")


def get_devices(**rest) -> list[dict]:
    return [{"name": name, "is_input": False, "is_output": True} for name in ("synth", "broken")]
