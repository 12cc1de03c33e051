"""Which messages are due when, by times that the tests choose."""

import numpy as np
import pytest

from musae_tf.live.schedule import Loop, to_loop
from musae_tf.live.transport import ALL_NOTES_OFF, LATEST, Due, Position, Transport
from musae_tf.music import Song, Tempo, Track
from musae_tf.music.song import NOTE


def loop(*notes: tuple[int, int, int], bars: int = 2, bpm: float = 120.0, program: int = 0) -> Loop:
    """Of begin and length in quarters, and pitch; at 120 a quarter lasts half a second, a bar two."""
    rows = [(begin * 480, length * 480, pitch, 80) for begin, length, pitch in notes]
    return to_loop(Song(480, [Track("", program, False, np.array(rows, NOTE))], [Tempo(0, bpm)], end=bars * 1920))


def said(due: Due) -> list[tuple[str, int]]:
    """Types and pitches of notes."""
    return [(message.type[5:], message.note) for message in due.messages if message.type.startswith("note")]


def until(transport: Transport, end: float) -> Due:
    """All that comes until a time, each message when it is due."""
    found = Due([], [])
    while (time := transport.next_time()) is not None and time <= end:
        due = transport.due(time)
        found.messages.extend(due.messages)
        found.begun.extend(due.begun)
    return found


A, B = (0, 1, 60), (4, 1, 62)


def playing(*notes: tuple[int, int, int], **more) -> Transport:
    """A transport whose piece has begun at 10 seconds."""
    transport = Transport()
    transport.play(loop(*notes, **more), "first", 10.0)
    assert transport.due(10.0).begun == ["first"]
    return transport


def test_in_silence_a_piece_begins_at_once():
    transport = Transport()
    assert transport.next_time() is None
    assert transport.position(3.0) == Position(0, 0, 120.0)
    transport.play(loop(A, B, program=7), "first", 10.0)
    assert transport.next_time() < 0
    due = transport.due(10.25)
    assert due.begun == ["first"]
    assert [message.type for message in due.messages] == ["program_change", "note_on"]
    assert due.messages[0].program == 7
    assert transport.next_time() == pytest.approx(10.75)
    assert said(transport.due(10.7)) == []
    assert said(transport.due(10.75)) == [("off", 60)]
    assert transport.position(12.3) == Position(2, 2, 120.0)


def test_it_goes_round():
    transport = playing(A, B)
    heard = []
    for time in np.arange(10, 18.01, 0.25):
        heard += [(time, *note) for note in said(transport.due(time))]
    assert [time for time, kind, pitch in heard if (kind, pitch) == ("on", 60)] == [14, 18]
    assert [time for time, kind, pitch in heard if (kind, pitch) == ("off", 62)] == [12.5, 16.5]


def test_another_piece_begins_at_the_next_bar_line_and_cuts_what_sounds():
    transport = playing((0, 8, 60))
    assert transport.play(loop((0, 1, 70), bpm=60.0), "second", 11.0) is None
    assert transport.due(11.99) == ([], [])
    assert transport.next_time() == pytest.approx(12.0)
    due = transport.due(12.0)
    assert due.begun == ["second"]
    assert said(due) == [("off", 60), ("on", 70)]
    assert transport.position(12.5) == Position(1, 2, 60.0)
    assert transport.next_time() == pytest.approx(13.0)


def test_of_two_that_wait_the_newer_one_is_played():
    transport = playing(A)
    transport.play(loop((0, 1, 70)), "second", 10.5)
    assert transport.play(loop((0, 1, 71)), "third", 10.6) == "second"
    assert until(transport, 12.0).begun == ["third"]


def test_a_bar_line_that_was_played_is_over():
    transport = playing(A, B)
    until(transport, 12.0)
    transport.play(loop((0, 1, 70)), "second", np.nextafter(12.0, 0))  # as rounding may have it
    assert until(transport, 13.9).begun == []
    assert until(transport, 14.0).begun == ["second"]


def test_a_piece_with_other_notes_goes_on_where_it_is():
    old, new = loop((0, 8, 60), (2, 3, 64), (6, 1, 65)), loop((0, 8, 60), (3, 3, 67), (6, 1, 66))
    transport = Transport()
    transport.play(old, "first", 10.0)
    transport.due(10.0)
    until(transport, 11.5)
    transport.play(new, "filled", 11.5, instead_of=old)
    due = transport.due(12.0)
    assert due.begun == ["filled"]
    # 60 is held on; 67 began before this bar and is not heard, nor its end.
    assert said(due) == [("off", 64)]
    assert transport.position(12.0).bar == 2
    assert said(until(transport, 13.0)) == [("on", 66)]
    assert said(until(transport, 13.99)) == [("off", 66)]
    assert said(until(transport, 14.0)) == [("off", 60), ("on", 60)]


def test_a_filled_piece_that_no_longer_plays_begins_with_its_first_bar():
    transport = playing(A)
    transport.play(loop((0, 1, 70)), "filled", 11.0, instead_of=loop(A))
    assert said(until(transport, 12.0)) == [("off", 60), ("on", 70)]
    assert transport.position(12.0).bar == 1


def test_tempo_changes_at_once_and_stays():
    transport = playing(A, B)
    until(transport, 11.0)  # quarter 2
    transport.set_tempo(60.0, 11.0)
    assert said(until(transport, 12.99)) == []
    assert said(until(transport, 13.0)) == [("on", 62)]
    transport.play(loop((0, 1, 70), bpm=200.0), "second", 13.5)
    assert until(transport, 17.0).begun == ["second"]
    assert transport.position(17.0).bpm == 60.0


def test_stop_ends_every_note_and_what_waits():
    transport = playing((0, 4, 60), (0, 4, 64))
    transport.play(loop((0, 1, 70)), "second", 10.5)
    assert transport.stop() == "second"
    assert transport.next_time() < 0
    due = transport.due(10.6)
    assert said(due) == [("off", 60), ("off", 64)]
    assert [message.control for message in due.messages if message.type == "control_change"] == [ALL_NOTES_OFF]
    assert transport.next_time() is None
    assert transport.due(99.0) == ([], [])
    transport.play(loop((0, 1, 70)), "third", 100.0)
    assert transport.due(100.0).begun == ["third"]


def test_after_a_sleep_of_the_machine_it_goes_on_where_it_was():
    transport = playing(*[(quarter, 1, 60 + quarter) for quarter in range(8)])
    due = transport.due(1000.0 + LATEST)
    assert said(due) == [("off", 60), ("on", 61)]
    assert transport.next_time() == pytest.approx(1000.5 + LATEST)


def test_what_is_a_little_late_is_made_up_for():
    transport = playing(A, B)
    assert said(transport.due(10.5 + LATEST / 2)) == [("off", 60)]
    assert said(transport.due(12.0)) == [("on", 62)]
