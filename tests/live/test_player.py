"""The player's thread, with a port of mido and a clock that goes as fast as the thread does."""

import threading

from mido.ports import BaseOutput

from musae_tf.live.player import MidiPlayer
from musae_tf.live.schedule import to_loop
from tests.corpus import four_voice_song
from tests.waiting import LIMIT


class QuickClock:
    """Is at every time as soon as it is waited for."""

    def __init__(self):
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, until: float | None) -> None:
        if until is None:
            changed.wait()
        else:
            self.time = max(self.time, until)


class Recorder(BaseOutput):
    """Keeps what is sent with the clock's time; `full` after so many messages."""

    def __init__(self, clock: QuickClock, most: int):
        self.clock, self.most = clock, most
        self.sent, self.full = [], threading.Event()
        super().__init__("recorder")

    def _send(self, message) -> None:
        self.sent.append((self.clock.time, message))
        if len(self.sent) >= self.most:
            self.full.set()


def test_every_message_is_sent_at_its_time_round_after_round():
    loop = to_loop(four_voice_song(2, seed=1))
    clock = QuickClock()
    port = Recorder(clock, 2 * len(loop.messages))
    begun = []
    with MidiPlayer(port, 90.0, begun.append, lambda: None, clock) as player:
        player.play(loop, "piece")
        assert port.full.wait(LIMIT)
    assert begun == ["piece"]
    sent = port.sent[: port.most]
    for number in range(2):
        part = sent[number * len(loop.messages) : (number + 1) * len(loop.messages)]
        assert [message for _, message in part] == [timed.message for timed in loop.messages]
        for (time, _), timed in zip(part, loop.messages, strict=True):
            assert abs(time - (number * loop.length + timed.quarter) * 60 / 90) < 1e-6
    assert port.sent[-1][1].type == "control_change"
