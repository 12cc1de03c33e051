"""What is kept of results, and their sound."""

import asyncio
import io
import wave

import pytest

from musae_tf.music.audio import TAIL_SECONDS, seconds
from musae_tf.studio import service
from musae_tf.studio.service import Results
from tests.corpus import band_song, changing_metre_song, four_voice_song


def test_the_oldest_make_room(monkeypatch):
    monkeypatch.setattr(service, "KEPT", 3)
    monkeypatch.setattr(service, "SOUNDS_KEPT", 1)
    kept = Results()
    first, second, *_ = made = [kept.add(four_voice_song(1, seed), "song") for seed in range(3)]
    assert asyncio.run(kept.wav(first)) == first.sound
    asyncio.run(kept.wav(second))
    assert first.sound is None
    fourth = kept.add(four_voice_song(1, 4), "song")
    assert kept.get(first.key) is None
    assert [kept.get(result.key) for result in (*made[1:], fourth)] == [*made[1:], fourth]
    assert len({result.key for result in (*made, fourth)}) == 4


def test_sound_is_made_once_and_as_long_as_the_song():
    async def twice():
        kept = Results()
        result = kept.add(four_voice_song(2), "song")
        return result.song, await asyncio.gather(kept.wav(result), kept.wav(result))

    song, (one, other) = asyncio.run(twice())
    assert one is other
    with wave.open(io.BytesIO(one)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(seconds(song) + TAIL_SECONDS, abs=0.1)


def test_what_the_player_gets():
    song = band_song(2)
    facts = Results().add(song, 'a/b "c" <d>').to_dict()
    assert facts["stem"] == "a-b-c-d"
    assert facts["quarters"] == 8
    assert facts["seconds"] == pytest.approx(seconds(song))
    for track, shown in zip(song.tracks, facts["tracks"], strict=True):
        assert (shown["name"], shown["drums"], len(shown["notes"])) == (track.name, track.is_drum, len(track.notes))
        start, length, *sound = shown["notes"][0]
        note = track.notes[0]
        assert (start * 480, length * 480) == (note["start"], note["duration"])
        assert sound == [note["pitch"], note["velocity"]]
    assert facts["bars"] == [0, 4]


def test_bars_lie_where_the_metres_put_them():
    facts = Results().add(changing_metre_song(), "a").to_dict()
    assert facts["bars"] == [start / 480 for start in changing_metre_song().bars()[:, 0].tolist()]
