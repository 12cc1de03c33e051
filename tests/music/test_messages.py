"""Songs as messages for an instrument."""

from musae_tf.music import Song, Track
from musae_tf.music.messages import channel_messages
from tests.corpus import notes


def test_tracks_have_channels_and_drums_the_tenth():
    tracks = [Track(program=number, notes=notes((0, 10, 60))) for number in range(10)]
    tracks[3] = Track(is_drum=True, notes=notes((0, 10, 36)))
    tracks[5] = Track(program=5)
    messages = [message for _, message in channel_messages(Song(tracks=tracks))]
    programs = [(message[0] & 15, message[1]) for message in messages if message[0] >> 4 == 0xC]
    # The silent track keeps its channel and says nothing; the tenth channel is passed over.
    assert programs == [(0, 0), (1, 1), (2, 2), (3, 4), (5, 6), (6, 7), (7, 8), (8, 9)]
    assert {message[0] & 15 for message in messages if message[1] == 36} == {9}


def test_more_tracks_than_channels_share_them():
    tracks = [Track(notes=notes((0, 10, 40 + number))) for number in range(16)]
    begun = {
        message[1]: message[0] & 15 for _, message in channel_messages(Song(tracks=tracks)) if message[0] >> 4 == 9
    }
    assert begun[40] == begun[55] == 0
    assert len(set(begun.values())) == 15
    assert 9 not in begun.values()


def test_a_note_ends_before_one_of_its_pitch_begins_and_at_the_end():
    song = Song(tracks=[Track(notes=[(0, 300, 60, 90), (200, 100, 60, 70), (200, 0, 62, 0)])], end=300)
    assert channel_messages(song)[1:] == [
        (0, bytes((0x90, 60, 90))),
        (200, bytes((0x80, 60, 0))),
        (200, bytes((0x90, 60, 70))),
        (200, bytes((0x90, 62, 1))),
        (201, bytes((0x80, 62, 0))),
        (300, bytes((0x80, 60, 0))),
    ]
