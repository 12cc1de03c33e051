import wave

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import Song, Tempo, Track
from musae_tf.music.audio import PEAK, TAIL_SECONDS, render, seconds, write_wav
from tests.corpus import BAR, band_song, changing_tempo_song, notes


def test_sound_lasts_as_long_as_the_song_and_its_tail():
    song = band_song(2)
    sound = render(song, 22050)
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert len(sound) / 22050 == pytest.approx(seconds(song) + TAIL_SECONDS, abs=0.1)
    assert np.abs(sound).max() == pytest.approx(PEAK, abs=1e-3)
    assert np.abs(sound[-200:]).max() < 0.2, "the last notes have died away"


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize("pitch", [57, 69])
def test_a_note_has_its_pitch(sample_rate, pitch):
    # An organ-like lead (program 79, ocarina) is close to a sine.
    song = Song(tracks=[Track("a", 79, False, notes((0, 4 * BAR, pitch)))])
    left = render(song, sample_rate)[sample_rate : 3 * sample_rate, 0]
    spectrum = np.abs(np.fft.rfft(left * np.hanning(len(left))))
    assert np.argmax(spectrum) / 2 == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.01)


def test_silence_is_silent_and_as_long():
    sound = render(Song(end=BAR))
    assert not sound.any()
    assert len(sound) / 44100 == pytest.approx(2 + TAIL_SECONDS, abs=0.1)
    assert not render(Song()).any()


def test_drums_sound():
    drums = render(Song(tracks=[Track("d", 0, True, notes((0, 120, 38)))]))
    piano = render(Song(tracks=[Track("d", 0, False, notes((0, 120, 38)))]))
    assert drums.any()
    assert not np.allclose(drums[:10000], piano[:10000], atol=0.05)


def test_seconds_follow_the_tempos():
    assert seconds(Song(end=2 * BAR)) == 4.0
    tempos = [Tempo(0, 60.0), Tempo(BAR, 240.0), Tempo(9 * BAR, 1.0)]
    assert seconds(Song(end=2 * BAR, tempos=tempos)) == 4.0 + 1.0
    song = changing_tempo_song()
    assert seconds(song) == pytest.approx(2 * 4 * 60 / 97.3 + 13 * 1.0 + (8 * 4 - 8 - 13) * 60 / 143.21)


def test_wav_file(tmp_path):
    path = tmp_path / "song.wav"
    write_wav(band_song(1), path, 32000)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 32000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.abs(samples.astype(int)).max() == pytest.approx(PEAK * 32767, abs=50)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: render(Song(), 100), "sample rate is 100"),
        (lambda: render(Song(end=BAR * 2000)), "4,000 seconds"),
        (lambda: write_wav(Song(), "/proc/none/a.wav"), "cannot write"),
    ],
)
def test_impossible_sound_is_refused(call, found):
    with pytest.raises(MusicError, match=found):
        call()
