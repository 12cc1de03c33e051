"""What a training shows in terminals of several sizes, as it stands on their screens."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Iterator

import pytest

from musae_tf.training.display import Display, LiveCurve, draw

STEPS = 200


class Screen:
    """What stands on a terminal that knows line feeds, carriage returns and the way up."""

    def __init__(self, columns: int):
        self.columns, self.lines, self.row, self.column = columns, [""], 0, 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[A|\x1b.*|[^\x1b]", text, re.DOTALL):
            assert part == "\x1b[A" or part[0] != "\x1b", f"an order to the terminal that has nothing to do: {part!r}"
            if part == "\x1b[A":
                self.row = max(self.row - 1, 0)
            elif part == "\n":
                self._to(self.row + 1)
            elif part == "\r":
                self.column = 0
            else:
                if self.column == self.columns:
                    self._to(self.row + 1)
                    self.column = 0
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + part + line[self.column + 1 :]
                self.column += 1

    def _to(self, row: int) -> None:
        self.row = row
        self.lines += [""] * (row + 1 - len(self.lines))


@contextlib.contextmanager
def terminal(monkeypatch, columns: int, lines: int = 24, encoding: str = "utf-8") -> Iterator[list[str]]:
    """Let standard error be a terminal; what was written to it is there at the end."""
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    settings[1] &= ~termios.OPOST  # line feeds as they are written
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    parts: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while part := os.read(master, 65536):
                parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    shown: list[str] = []
    with open(slave, "w", encoding=encoding, newline="") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        yield shown
        monkeypatch.undo()
    reader.join()
    os.close(master)
    shown.append(b"".join(parts).decode(encoding))


def training(last: int = STEPS) -> None:
    """What the loop shows, evaluated every tenth step, resumed at the fiftieth."""
    display = Display(lambda text: print(text, file=sys.stderr), hidden=False)
    log = [{"step": step, "kind": "evaluation", "onset_f1": step / 300} for step in range(10, 51, 10)]
    display.open("training tiny", 50, STEPS, [*log, {"step": 50, "kind": "train", "accuracy": 0.5}])
    for step in range(51, last + 1):
        display.step()
        if step % 10 == 0:
            display.numbers(f"loss {1 / step:.3f}")
            display.evaluated(step, {"onset_f1": step / 300})
            display.say(f"step {step}")
    display.close()
    display.say("done")


@pytest.mark.parametrize("columns", [30, 44, 80, 300])
def test_the_curve_stands_below_the_bar_and_stays(monkeypatch, columns):
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(monkeypatch, columns) as shown:
        training()
    screen = Screen(columns)
    screen.feed(shown[0].replace("\n", "\r\n"))
    lines = [line.rstrip() for line in screen.lines if line.strip()]
    assert lines[:15] == [f"step {step}" for step in range(60, STEPS + 1, 10)]
    assert lines[15].startswith("training tiny")
    assert lines[16].startswith("0.7 |")
    assert lines[19].startswith("0.0 |")
    assert lines[19].endswith("█")
    assert lines[20].startswith("onset F1 0.667")
    assert lines[21:] == ["done"]


@pytest.mark.parametrize(("columns", "lines"), [(12, 24), (29, 24), (80, 9)])
def test_where_it_does_not_fit_there_is_the_bar_alone(monkeypatch, columns, lines):
    with terminal(monkeypatch, columns, lines) as shown:
        training()
    assert "0.7 |" not in shown[0]
    assert "\x1b" not in shown[0]
    assert "training tiny" in shown[0] or columns == 12


def test_no_curve_where_there_is_no_terminal_or_it_cannot_go_up(monkeypatch, capsys):
    training()
    assert "0.7 |" not in capsys.readouterr().err
    with terminal(monkeypatch, 80) as shown:
        monkeypatch.setenv("TERM", "dumb")
        training()
    assert "0.7 |" not in shown[0]


def test_a_terminal_without_blocks_gets_letters(monkeypatch):
    with terminal(monkeypatch, 80, encoding="ascii") as shown:
        training()
    assert re.search(r"0\.0 \|[ .:]*#{20}", shown[0])


def test_a_curve_without_a_point_shows_nothing(monkeypatch):
    with terminal(monkeypatch, 80) as shown:
        curve = LiveCurve(100)
        curve.add(10, float("nan"))
        assert curve.close() == ""
    assert shown == [""]


def test_the_drawing_has_the_height_of_its_values():
    lines = draw([(0, 0.0), (50, 0.8), (100, 0.4)], 100, 45)
    assert [line[:5] for line in lines[:4]] == ["0.8 |", "    |", "    |", "0.0 |"]
    heights = [sum(" ▁▂▃▄▅▆▇█".index(line[5:].ljust(40)[column]) for line in lines[:4]) for column in range(40)]
    assert heights[:20] == sorted(heights[:20])
    assert heights[20:] == sorted(heights[20:], reverse=True)
    assert max(heights) in (31, 32)
    assert heights[-1] == pytest.approx(16, abs=1)
    assert lines[4] == "onset F1 0.400, best 0.800 at step 50"
    half = draw([(25, 0.5), (50, 0.5)], 100, 45)
    assert half[3] == "0.0 |" + " " * 9 + "█" * 12
