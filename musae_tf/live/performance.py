"""What messages ask for: pieces of the model, one at a time, and what the player does at once."""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from musae_tf.errors import InvalidRequestError, LiveError, MusaeError
from musae_tf.live import osc
from musae_tf.live.osc import Argument, Reply
from musae_tf.live.player import MidiPlayer
from musae_tf.live.schedule import Loop, to_loop
from musae_tf.music import Song
from musae_tf.studio.embedded import ModelSource
from musae_tf.verbs import arguments
from musae_tf.verbs.functions import TEMPERATURE
from musae_tf.verbs.methods import Verbs

MOST_BARS = 64
"""Of a piece: a performer waits for it."""

TEMPO_RANGE = (20.0, 400.0)
"""Quarter notes a minute."""

ALL = "all"
"""In place of bars or tracks."""

MOST_LINES = 10
"""Of complaints a second in the terminal, which packets of strangers must not fill."""

COMMANDS = {
    "/sample": "genre [bars] [seed] [temperature]",
    "/fill": "bars tracks [seed] [temperature]",
    "/walk": "[amount] [seed] [temperature]",
    "/tempo": "bpm",
    "/stop": "",
    "/status": "",
}
"""Addresses and their arguments, those in brackets can be left out from the right."""

REPLIES = ("/playing", "/state", "/error")
"""Are never answered: two performances that answer each other would do so for ever."""


class Made(NamedTuple):
    """A piece that was given to the player."""

    song: Song
    loop: Loop
    seed: int


@dataclass(frozen=True, eq=False)
class MusicRequest:
    """A piece that somebody has asked for.

    Attributes:
        address: of the message.
        reply: to its sender.
        seed: of the piece.
        make: asks the model for it, given the newest piece.
        in_place: whether it is that piece with other notes, which goes on where that one is.
    """

    address: str
    reply: Reply
    seed: int
    make: Callable[[Made | None], Song]
    in_place: bool = False


Label: TypeAlias = tuple[MusicRequest, Made]
Begun: TypeAlias = Callable[[Label], None]
"""Called by a player with the request whose piece begins, and the piece."""


class Performance:
    """Does what messages ask for; a context manager, after which nothing sounds.

    One piece is made at a time. Of those that were asked for meanwhile only the last one is made.

    Args:
        musae: is asked for pieces.
        server: where it is.
        player: makes a player.
        say: takes a line for the terminal; raises nothing.
    """

    def __init__(
        self,
        musae: Verbs,
        server: ModelSource,
        player: Callable[[Begun], MidiPlayer[Label]],
        say: Callable[[str], None],
    ):
        self._musae, self._server, self._say = musae, server, say
        self.player: MidiPlayer[Label] = player(self._begun)
        self._changed = threading.Condition()
        self._waiting: MusicRequest | None = None
        self._made: Made | None = None
        self._playing: Made | None = None
        self._round = 0  # of requests; what was asked for before a stop is not played after it
        self._closing = False
        self._second, self._lines = 0, 0
        self._worker = threading.Thread(target=self._work, name="model", daemon=True)

    def __enter__(self) -> "Performance":
        self.player.__enter__()
        self._worker.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._closing = True
            self._waiting = None
            self._changed.notify()
        self.player.__exit__(*error)

    def join(self) -> None:
        """Return when the model is not asked any longer."""
        self._worker.join()

    def receive(self, packet: bytes, reply: Reply) -> None:
        """Do what a packet asks for, or say what is wrong with it. What is no OSC message is not answered."""
        try:
            messages = osc.read(packet)
        except LiveError as error:
            # Not answered: the sender speaks something else, and might answer in turn, for ever.
            self._tell(str(error))
            return
        for address, given in messages:
            if address in REPLIES:
                continue
            try:
                self._obey(address, given, reply)
            except MusaeError as error:
                self._complain(f"{address}: {error}", reply)

    def _obey(self, address: str, given: Sequence[Argument], reply: Reply) -> None:
        if address not in COMMANDS:
            raise LiveError(f"there is no such address; there are {', '.join(COMMANDS)}")
        if address == "/stop":  # whatever it is sent with: buttons of controllers send a number
            self._stop()
            return
        names = COMMANDS[address].split()
        needed = sum(not name.startswith("[") for name in names)
        if not needed <= len(given) <= len(names):
            takes = COMMANDS[address] or "no arguments"
            raise InvalidRequestError(f"{len(given)} arguments were given, it takes {takes}")
        if address == "/tempo":
            self.player.set_tempo(arguments.number("bpm", given[0], *TEMPO_RANGE))
        elif address == "/status":
            self._report(reply)
        else:
            self._ask(self._request(address, given, reply))

    def _request(self, address: str, given: Sequence[Argument], reply: Reply) -> MusicRequest:
        more: dict[str, Argument] = dict(
            zip((name.strip("[]") for name in COMMANDS[address].split()), given, strict=False)
        )
        seed = arguments.whole("seed", _whole(more.get("seed", secrets.randbelow(2**31))), 0, 2**31 - 1)
        temperature = arguments.number("temperature", more.get("temperature", TEMPERATURE), 0, 100)
        if address == "/sample":
            genre = _text("genre", given[0])
            bars = arguments.whole("bars", _whole(more.get("bars", 8)), 1, MOST_BARS)

            def sample(made: Made | None) -> Song:
                return self._musae.sample(genre, bars, temperature, seed)

            return MusicRequest(address, reply, seed, sample)
        if address == "/fill":
            part, tracks = _bars(given[0]), _text("tracks", given[1])

            def fill(made: Made | None) -> Song:
                named = None if tracks == ALL else tracks
                return self._musae.fill(_last(made).song, part, named, temperature=temperature, seed=seed)

            return MusicRequest(address, reply, seed, fill, in_place=True)
        amount = arguments.number("amount", more.get("amount", 0.3), 0, 1)

        def walk(made: Made | None) -> Song:
            return self._musae.vary(_last(made).song, amount, 1, temperature, seed)[0]

        return MusicRequest(address, reply, seed, walk)

    def _ask(self, request: MusicRequest) -> None:
        with self._changed:
            replaced, self._waiting = self._waiting, request
            self._changed.notify()
        self._drop(replaced, "a newer message came before it was its turn")

    def _stop(self) -> None:
        with self._changed:
            self._round += 1
            replaced, self._waiting = self._waiting, None
            waited = self.player.stop()
            self._playing = None
        for request in (replaced, waited and waited[0]):
            self._drop(request, "it was stopped before it began")
        self._say("stopped")

    def _report(self, reply: Reply) -> None:
        where, now = self.player.position(), self._playing
        if now is None or not where.bars:
            reply("/state", "silent", "", 0, 0, 0, where.bpm)
        else:
            reply("/state", "playing", now.song.name, now.seed, where.bar, where.bars, where.bpm)

    def _work(self) -> None:
        """Make pieces until the performance is over."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting is not None)
                request, self._waiting = self._waiting, None
                if request is None:
                    return
                turn, last = self._round, self._made
            try:
                self._server.ensure()
                song = request.make(last)
                made = Made(song, to_loop(song), request.seed)
            except MusaeError as error:
                self._drop(request, str(error))
                continue
            except Exception as fault:  # one of ours must not end a performance either
                self._drop(request, f"failed with {type(fault).__name__}: {fault}")
                continue
            with self._changed:
                over = self._closing or turn != self._round
                if not over:
                    self._made = made
                    instead_of = last.loop if request.in_place and last else None
                    waited = self.player.play(made.loop, (request, made), instead_of)
            if over:
                self._drop(request, "it was stopped before it began")
            elif waited:
                self._drop(waited[0], "a newer piece came before its bar line")

    def _begun(self, label: Label) -> None:
        """Called by the player when a piece begins."""
        request, self._playing = label
        title, bars = self._playing.song.name, len(self._playing.loop.bars) - 1
        request.reply("/playing", title, request.seed)
        self._say(f"playing {osc.printable(title)}, {bars} bars, seed {request.seed} ({request.address})")

    def _drop(self, request: MusicRequest | None, why: str) -> None:
        if request is not None and not self._closing:
            self._complain(f"{request.address}: {why}", request.reply)

    def _complain(self, sentence: str, reply: Reply) -> None:
        self._tell(sentence)
        reply("/error", sentence)

    def _tell(self, sentence: str) -> None:
        second = int(time.monotonic())
        self._lines = self._lines + 1 if second == self._second else 1
        self._second = second
        if self._lines <= MOST_LINES:
            self._say(osc.printable(sentence))


def _last(made: Made | None) -> Made:
    if made is None:
        raise LiveError("there is no piece yet: send /sample first")
    return made


def _whole(value: Argument) -> Argument:
    """A number as a whole one if it is: many controllers send no others than floating ones."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bars(value: Argument) -> str | int | None:
    """Bars as the verb `fill` takes them."""
    if isinstance(value, str):
        return None if value == ALL else value
    return arguments.whole("bars", _whole(value), 1)


def _text(name: str, value: Argument) -> str:
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} is {value!r}, must be text")
    return value
