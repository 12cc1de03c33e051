"""A folder that answers: every MIDI file dropped into it comes back in another style.

    python examples/style_watcher.py inbox --to palestrina

Answers go to inbox/answers, under the same name. A file is taken once it has stopped growing; one that cannot be read,
or that the model cannot take, gets a note (NAME.txt) instead. While the server is away, files wait. A file that is
changed is answered again. Ctrl-C ends it, --once ends it when there is nothing left to do.

Asks a server that `musae serve` (or TensorFlow Serving) runs; the base install is enough.
"""

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from musae_tf import Musae
from musae_tf.errors import DeadlineExceededError, MusaeError, OverloadedError, UnavailableError
from musae_tf.files import write_text
from musae_tf.music import Song
from musae_tf.verbs.methods import Verbs

KINDS = (".mid", ".midi")
LATER = (UnavailableError, OverloadedError, DeadlineExceededError)
"""What passes by itself."""


class State(NamedTuple):
    """What tells one state of a file from another."""

    size: int
    changed: int


class Watcher:
    """Looks at a folder again and again.

    Args:
        folder: where files are dropped.
        answers: where answers go.
        musae: the service.
        to: genre to move to.
        strength: how far.
    """

    def __init__(self, folder: Path, answers: Path, musae: Verbs, to: str, strength: float):
        self.folder, self.answers = folder, answers
        self._musae, self._to, self._strength = musae, to, strength
        self._seen: dict[Path, State] = {}
        self._done: dict[Path, State] = {}

    def look(self) -> int:
        """Answer what has been still since the last look; returns how many files wait for the next one."""
        now = {path: state for path in sorted(self.folder.iterdir()) if (state := _state(path)) is not None}
        waiting = 0
        for path, state in now.items():
            if self._done.get(path) == state:
                continue
            # A copy that is under way grows, and an empty file is one that has not begun.
            if state.size == 0 or self._seen.get(path) != state or not self._answer(path):
                waiting += 1
            else:
                self._done[path] = state
        self._seen = now
        return waiting

    def _answer(self, path: Path) -> bool:
        """Whether the file is done with."""
        note = self.answers / f"{path.name}.txt"
        try:
            moved = self._musae.transfer(Song.read(path), to=self._to, strength=self._strength)
            moved.write(self.answers / path.name)
        except LATER as error:
            print(f"{path.name}: waits; {error}", file=sys.stderr, flush=True)
            return False
        except MusaeError as error:
            write_text(note, f"{error}\n")
            print(f"{path.name}: {error}", file=sys.stderr, flush=True)
        else:
            note.unlink(missing_ok=True)
            print(self.answers / path.name, flush=True)
        return True


def _state(path: Path) -> State | None:
    """The state of a music file; None for anything else, and for a file that has just gone."""
    if path.suffix.lower() not in KINDS or path.name.startswith("."):
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return State(status.st_size, status.st_mtime_ns)


def main() -> int:
    """Read the command line and watch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to watch; made if it is not there")
    parser.add_argument("--to", required=True, metavar="GENRE", help="genre to move to")
    parser.add_argument("--strength", type=float, default=1.0, help="0 stays, 1 goes the whole way (default: 1)")
    parser.add_argument("--server", default="localhost:8500", metavar="HOST:PORT", help="default: localhost:8500")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between looks (default: 1)")
    parser.add_argument("--once", action="store_true", help="end when nothing is left to do")
    arguments = parser.parse_args()
    stop = SimpleQueue()  # an Event may not be set by a handler that interrupts its `wait`
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda caught, _: stop.put(caught))
    answers = arguments.folder / "answers"
    try:
        answers.mkdir(parents=True, exist_ok=True)
        with Musae.connect(arguments.server) as musae:
            musae.describe().genre_number(arguments.to)
            watcher = Watcher(arguments.folder, answers, musae, arguments.to, arguments.strength)
            print(f"watching {arguments.folder}; answers go to {answers}", flush=True)
            while watcher.look() or not arguments.once:
                with suppress(Empty):
                    stop.get(timeout=arguments.every)
                    break
    except (MusaeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
