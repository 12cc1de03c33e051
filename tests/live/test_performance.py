"""Packets over a real socket to a player of a real port of mido, with a model that a test plays."""

import os
import queue
import random
import socket
import struct
import threading
from contextlib import ExitStack

import pytest
from mido.ports import BaseOutput
from pythonosc.osc_message import OscMessage

from musae_tf.errors import UnknownGenreError
from musae_tf.live import osc
from musae_tf.live.performance import Performance
from musae_tf.live.player import MidiPlayer
from musae_tf.music import Song
from tests.corpus import four_voice_song
from tests.waiting import LIMIT

GENRES = ("bach", "first", "second", "third")


class Stage:
    """A performance that receives packets, and a client of it.

    Attributes:
        asked: what the model was asked for, in order.
        let: a piece is made for each item of it.
        sent: the messages of the port, in order.
        lines: of the terminal.
    """

    def __init__(self, bpm: float | None = None):
        self.asked, self.let = queue.Queue(), threading.Semaphore(0)
        self.sent, self.lines = queue.Queue(), []
        self.broken = False
        stack = self._stack = ExitStack()
        receiving = stack.enter_context(osc.open_socket("127.0.0.1", 0))
        self.client = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        self.client.settimeout(LIMIT)
        self.client.connect(receiving.getsockname())
        reading, self._wakeup = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, self._wakeup)
        self._over = False
        port = stack.enter_context(_Port(self))
        self.performance = Performance(
            self, self, lambda begun: MidiPlayer(port, bpm, begun, self._wake), self.lines.append
        )
        self._thread = threading.Thread(
            target=osc.listen,
            args=(receiving, reading, lambda: self._over, self.performance.receive),
            daemon=True,
        )

    def __enter__(self) -> "Stage":
        self.performance.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._over = True
        self._wake()
        self._thread.join()
        self.performance.__exit__()
        self.let.release(1000)
        self.performance.join()
        self._stack.close()

    def _wake(self) -> None:
        os.write(self._wakeup, b"\0")

    def send(self, address: str, *arguments) -> None:
        self.client.send(osc.write(address, *arguments))

    def answer(self) -> tuple[str, list]:
        message = OscMessage(self.client.recv(2**16))
        return message.address, message.params

    def answered(self, address: str, *arguments) -> tuple[str, list]:
        self.send(address, *arguments)
        return self.answer()

    def played(self, address: str, *arguments) -> list:
        """What is said when the piece begins that this asks for."""
        self.let.release()
        kind, said = self.answered(address, *arguments)
        assert kind == "/playing", said
        return said

    # --- the model and where it is

    def ensure(self) -> None:
        pass

    def _make(self, *asked) -> Song:
        self.asked.put(asked)
        self.let.acquire()
        song = four_voice_song(2, seed=3)
        song.name = asked[1] if asked[0] == "sample" else asked[0]
        return song

    def sample(self, genre, bars, temperature, seed) -> Song:
        if genre == "fault":
            raise ZeroDivisionError("division by zero")
        if genre not in GENRES:
            raise UnknownGenreError(f"there is no genre {genre!r} in this model; it has: {', '.join(GENRES)}")
        return self._make("sample", genre, bars, temperature, seed)

    def fill(self, music, bars, tracks, temperature, seed) -> Song:
        return self._make("fill", bars, tracks, temperature, seed)

    def vary(self, music, amount, versions, temperature, seed) -> list[Song]:
        return [self._make("vary", amount, versions, temperature, seed)]


class _Port(BaseOutput):
    def __init__(self, stage: Stage):
        self._stage = stage
        super().__init__("port")

    def _send(self, message) -> None:
        if self._stage.broken:
            raise OSError("unplugged")
        self._stage.sent.put(message)


@pytest.fixture
def stage():
    with Stage(bpm=400.0) as one:
        yield one


def sounding(sent: queue.Queue) -> set[tuple[int, int]]:
    """Notes that were begun and not ended."""
    found = set()
    while not sent.empty():
        message = sent.get()
        if message.type == "note_on":
            found.add((message.channel, message.note))
        elif message.type == "note_off":
            found.discard((message.channel, message.note))
    return found


def test_verbs_get_what_the_messages_say(stage):
    assert stage.played("/sample", "bach", 4, 7, 0.5) == ["bach", 7]
    assert stage.asked.get() == ("sample", "bach", 4, 0.5, 7)
    assert stage.played("/fill", 2.0, "alto,tenor", 8) == ["fill", 8]
    assert stage.asked.get() == ("fill", 2, "alto,tenor", 0.0, 8)
    assert stage.played("/fill", "1-2", "all", 8.0) == ["fill", 8]
    assert stage.asked.get() == ("fill", "1-2", None, 0.0, 8)
    title, seed = stage.played("/walk", 0.5)
    assert stage.asked.get() == ("vary", 0.5, 1, 0.0, seed)
    kind, (state, title, told, bar, bars, bpm) = stage.answered("/status")
    assert (kind, state, title, told, bars, bpm) == ("/state", "playing", "vary", seed, 2, 400.0)
    assert bar in (1, 2)
    stage.send("/tempo", 90)
    assert stage.answered("/status")[1][-1] == 90.0


def test_stop_ends_all_notes(stage):
    stage.played("/sample", "bach")
    stage.send("/stop", 1.0)
    assert stage.answered("/status") == ("/state", ["silent", "", 0, 0, 0, 400.0])
    while stage.sent.get(timeout=LIMIT).type != "control_change":
        pass
    stage.played("/walk")  # goes on from the last piece


def test_the_end_of_a_performance_ends_all_notes():
    with Stage() as stage:
        stage.played("/sample", "bach")
    assert stage.sent.queue[-1].type == "control_change"
    assert any(message.type == "note_on" for message in stage.sent.queue)
    assert sounding(stage.sent) == set()


def test_one_piece_at_a_time_and_the_newest_wins(stage):
    stage.send("/sample", "first", 2, 1)
    stage.asked.get(timeout=LIMIT)
    stage.send("/sample", "second", 2, 2)
    stage.send("/sample", "third", 2, 3)
    assert stage.answer() == ("/error", ["/sample: a newer message came before it was its turn"])
    stage.let.release(2)
    answers = [stage.answer(), stage.answer()]
    # The first may have begun before the third was made, or have waited for its bar line.
    assert ("/playing", ["third", 3]) in answers
    assert stage.asked.get()[1] == "third"
    assert stage.asked.empty()


def test_what_was_asked_for_before_a_stop_is_not_played_after_it(stage):
    stage.send("/sample", "first")
    stage.asked.get(timeout=LIMIT)
    stage.send("/stop")
    stage.answered("/status")
    stage.let.release()
    assert stage.answer() == ("/error", ["/sample: it was stopped before it began"])
    assert stage.sent.empty()


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (["/simple"], "/simple: there is no such address; there are /sample, /fill"),
        (["/sample"], "/sample: 0 arguments were given, it takes genre [bars] [seed] [temperature]"),
        (["/sample", 5], "/sample: genre is 5, must be text"),
        (["/sample", "polka"], "/sample: there is no genre 'polka' in this model; it has: bach, first, second"),
        (["/sample", "fault"], "/sample: failed with ZeroDivisionError: division by zero"),
        (["/sample", "bach", 65], "/sample: bars is 65, must be from 1 to 64"),
        (["/sample", "bach", 2.5], "/sample: bars is 2.5, must be a whole number, from 1 to 64"),
        (["/sample", "bach", "two"], "/sample: bars is 'two', must be a whole number"),
        (["/sample", "bach", 2, -1], "/sample: seed is -1, must be from 0"),
        (["/sample", "bach", 2, 1, float("nan")], "/sample: temperature is nan, must be a number from 0 to 100"),
        (["/fill", 1, 2], "/fill: tracks is 2, must be text"),
        (["/fill", 1, "alto"], "/fill: there is no piece yet: send /sample first"),
        (["/walk"], "/walk: there is no piece yet"),
        (["/walk", 3], "/walk: amount is 3, must be a number from 0 to 1"),
        (["/tempo", 0], "/tempo: bpm is 0, must be a number from 20 to 400"),
        (["/tempo", "fast"], "/tempo: bpm is 'fast'"),
        (["/status", 1], "/status: 1 arguments were given, it takes no arguments"),
    ],
)
def test_mistakes_get_one_sentence(stage, message, sentence):
    kind, (said,) = stage.answered(*message)
    assert kind == "/error"
    assert said.startswith(sentence)
    assert said in stage.lines


def test_answers_are_never_answered(stage):
    for address in ("/error", "/playing", "/state"):
        stage.send(address, "something")
    assert stage.answered("/status")[0] == "/state"


def bundle(*parts: bytes) -> bytes:
    return b"#bundle\0" + bytes(7) + b"\1" + b"".join(struct.pack(">I", len(part)) + part for part in parts)


def test_a_bundle_is_obeyed_in_order(stage):
    inner = bundle(osc.write("/tempo", 100))
    stage.client.send(bundle(inner, osc.write("/status"), osc.write("/tempo", 110), osc.write("/status")))
    assert [stage.answer()[1][-1], stage.answer()[1][-1]] == [100.0, 110.0]


def hostile() -> list[bytes]:
    draw = random.Random(1)
    deep = osc.write("/status")
    while len(deep) < osc.MAX_BYTES - 20:
        deep = bundle(deep)
    return [
        b"",
        b"/",
        b"#bundle\0",
        b"\0" * 100,
        b"/status",
        b"/\xff\xfe\0" + b",\0\0\0",
        b"/sample\0,s\0\0\xff\xff\xff\0",
        b"/sample\0,sss\0\0\0\0bach",
        b"/sample\0," + b"[" * 900 + b"]" * 90 + b"\0\0",
        b"/sample\0,b\0\0\xff\xff\xff\xf0",
        b"/sample\0,t\0\0" + b"\xff" * 8,
        b"/sample\0," + b"z" * 900 + b"\0" * 4,
        b"/tempo\0\0,h\0\0" + b"\x7f" * 8,
        b"/\x1b[2J\0\0",
        b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc" * 20,  # sizes of -4, which lead back
        b"#bundle\0" + bytes(8) + bytes(400),
        bundle(*[b"/x\0\0"] * 100),
        deep,
        osc.write("/sample", "x" * 300) * 3,
        b"/" + b"a" * 60_000,
        *(draw.randbytes(draw.randrange(1, 1500)) for _ in range(200)),
        *(b"/sample\0," + draw.randbytes(draw.randrange(1, 200)) for _ in range(200)),
    ]


def test_packets_of_strangers_do_no_harm(stage):
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.connect(stage.client.getpeername())
        for packet in hostile():
            stranger.send(packet)
            stage.answered("/status")  # so that none is lost: a queue of the system is short
    assert stage.played("/sample", "bach", 2, 5) == ["bach", 5]
    assert all(line.isprintable() for line in stage.lines)


def test_a_flood_is_not_echoed_in_the_terminal(stage):
    for _ in range(300):
        stage.answered("/nothing")
    assert 0 < len(stage.lines) < 300


def test_a_port_that_fails_ends_the_performance(stage):
    stage.played("/sample", "bach")
    stage.broken = True
    stage.performance.player._thread.join(LIMIT)
    assert str(stage.performance.player.failure) == "unplugged"
