"""Parts of pieces written anew: here, through a server, and on the command line."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.cli import main
from musae_tf.client import InvalidRequestError, MusaeClient, UnknownGenreError, WrongModelError
from musae_tf.errors import MusicError
from musae_tf.music import Metre, Song, Tempo, Track
from musae_tf.music.known import PITCH
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from musae_tf.verbs.editing import fill
from tests.corpus import changing_metre_song, four_voice_song, notes

PIECE = four_voice_song(6, seed=2)
MELODY = replace(PIECE, tracks=PIECE.tracks[:1])


@pytest.fixture(scope="module")
def here(autoregressive_run) -> Musae:
    return Musae.from_run(autoregressive_run.path)


@pytest.fixture(scope="module")
def target(autoregressive_folder) -> Iterator[str]:
    models = one_model("musae", str(autoregressive_folder))
    with ModelServer(Options(models, port=0, rest_port=None, warm_up=False)) as server:
        yield f"localhost:{server.port}"


def rows(track: Track) -> list[tuple]:
    return sorted(track.notes.tolist())


def beginning(track: Track, first: int, last: int) -> list[tuple]:
    """Its notes that begin in some ticks."""
    return [note for note in rows(track) if first <= note[0] < last]


def test_notes_outside_the_selection_are_as_they_were_here_and_over_the_wire(here, target):
    bar = 4 * PIECE.ticks_per_quarter
    with MusaeClient(target) as musae:
        made = musae.fill(PIECE, "3-4", "alto,bass", temperature=1.0, seed=5)
        assert made.to_bytes() == here.fill(PIECE, [3, 4], ["alto", "bass"], temperature=1.0, seed=5).to_bytes()
        assert made.to_bytes() != musae.fill(PIECE, "3-4", "alto,bass", temperature=1.0, seed=6).to_bytes()
    assert (made.tempos, made.metres, made.end) == (PIECE.tempos, PIECE.metres, PIECE.end)
    for number, (before, after) in enumerate(zip(PIECE.tracks, made.tracks, strict=True)):
        assert (before.name, before.program) == (after.name, after.program)
        if number in (0, 2):
            assert rows(before) == rows(after)
        else:
            for first, last in ((0, 2 * bar), (4 * bar, 6 * bar)):
                assert beginning(before, first, last) == beginning(after, first, last)
    assert any(rows(before) != rows(after) for before, after in zip(PIECE.tracks, made.tracks, strict=True))


def test_a_kept_rhythm_has_other_pitches_at_the_same_places(here):
    made = here.fill(PIECE, tracks="tenor", keep="rhythm", temperature=1.0)
    for number, (before, after) in enumerate(zip(PIECE.tracks, made.tracks, strict=True)):
        assert [row[:2] for row in rows(before)] == [row[:2] for row in rows(after)]
        assert (rows(before) == rows(after)) == (number != 2)


def test_kept_pitches_come_again_in_a_new_rhythm_here_and_over_the_wire(here, target):
    made = here.fill(PIECE, "2-4", "tenor,bass", keep="pitches", temperature=1.0, seed=3)
    with MusaeClient(target) as musae:
        again = musae.fill(PIECE, "2-4", "tenor,bass", keep="pitches", temperature=1.0, seed=3)
    assert made.to_bytes() == again.to_bytes()
    assert not made.warnings
    for number, (before, after) in enumerate(zip(PIECE.tracks, made.tracks, strict=True)):
        assert [row[2] for row in rows(before)] == [row[2] for row in rows(after)]
        assert (rows(before) == rows(after)) == (number < 2)
    whole = here.fill(PIECE, keep="pitches", temperature=1.0)
    assert [[row[2] for row in rows(track)] for track in whole.tracks] == [
        [row[2] for row in rows(track)] for track in PIECE.tracks
    ]


def test_an_export_that_knows_no_kept_pitches_says_what_to_do(here):
    old = replace(here.description, levels=PITCH)
    with pytest.raises(WrongModelError, match=r"cannot keep pitches.*export it again"):
        next(fill(old, PIECE, "2", keep="pitches"))


def test_what_has_no_place_in_a_kept_rhythm_is_counted_here_and_said_on_the_command_line(
    autoregressive_run, here, target, tmp_path, capsys
):
    """A second note of the alto at once with the first: a track plays one."""
    tracks, (start, duration, pitch, velocity) = list(PIECE.tracks), rows(PIECE.tracks[1])[0]
    both = np.concatenate([tracks[1].notes, notes((start, duration, pitch + 3, velocity))])
    song = replace(PIECE, tracks=[tracks[0], replace(tracks[1], notes=both), *tracks[2:]])
    made = here.fill(song, "1", "alto", keep="rhythm")
    assert made.warnings == {"without_new_pitch": 1}
    assert not here.fill(made, "1", "alto", keep="rhythm").warnings
    song.write(tmp_path / "mine.mid")
    sentence = "mine.mid: 1 notes are left out: their track has no room for them on the grid, or they met another"
    for model in (("fill", str(autoregressive_run.path)), ("request", "fill", "--server", target)):
        capsys.readouterr()
        words = [*model, str(tmp_path / "mine.mid"), "--bars", "1", "--tracks", "alto", "--keep-rhythm"]
        assert main([*words, "--out", str(tmp_path / "made.mid")]) == 0
        assert sentence in capsys.readouterr().out


def test_a_melody_stays_and_gets_the_other_tracks(here):
    made = here.harmonise(MELODY, "hymns", temperature=1.0)
    assert [track.name.lower() for track in made.tracks] == ["soprano", "alto", "tenor", "bass"]
    assert rows(made.tracks[0]) == rows(MELODY.tracks[0])
    assert made.end == MELODY.end
    bass = here.harmonise(MELODY, track="bass", temperature=1.0)
    (own,) = [track for track in bass.tracks if rows(track) == rows(MELODY.tracks[0])]
    assert bass.tracks.index(own) == len(bass.tracks) - 1


def test_a_piece_goes_on_after_its_last_bar(here):
    made = here.continue_(PIECE, 3, temperature=1.0)
    bar = 4 * PIECE.ticks_per_quarter
    assert made.end == PIECE.end + 3 * bar
    for before, after in zip(PIECE.tracks, made.tracks, strict=True):
        assert beginning(after, 0, PIECE.end) == rows(before)
    assert any(beginning(track, PIECE.end, made.end) for track in made.tracks)


def test_versions_are_near_and_none_of_an_amount_is_the_reconstruction(here):
    same = here.vary(PIECE, 0.0, 2)
    assert [song.to_bytes() for song in same] == [here.reconstruct(PIECE).to_bytes()] * 2
    versions = here.vary(PIECE, 0.8, 3, temperature=1.0)
    assert len({song.to_bytes() for song in versions}) == 3


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda m: m.fill(PIECE), InvalidRequestError, "nothing is selected: name bars such as 5-6, tracks, or both"),
        (lambda m: m.fill(PIECE, "9"), InvalidRequestError, "bars has 9, but the song has bars 1 to 6"),
        (lambda m: m.fill(PIECE, "5-3"), InvalidRequestError, "bars has 5-3, but"),
        (lambda m: m.fill(PIECE, "some"), InvalidRequestError, "bars is 'some', must be numbers of bars such as 5-6"),
        (lambda m: m.fill(PIECE, tracks="flute"), InvalidRequestError, "there is no track 'flute' in this model; it"),
        (lambda m: m.fill(PIECE, "1-6"), InvalidRequestError, "everything is selected"),
        (lambda m: m.fill(PIECE, "2", keep="pitch"), InvalidRequestError, "keep is 'pitch'"),
        (lambda m: m.fill(PIECE, "2", genre="jazz"), UnknownGenreError, "jazz"),
        (lambda m: m.harmonise(PIECE), MusicError, "4 tracks have notes"),
        (lambda m: m.harmonise(replace(MELODY, tracks=[])), MusicError, "the melody has no notes"),
        (lambda m: m.harmonise(MELODY, track="drums"), InvalidRequestError, "there is no track 'drums'"),
        (lambda m: m.continue_(PIECE, 0), InvalidRequestError, "bars is 0"),
        (lambda m: m.vary(PIECE, 1.5), InvalidRequestError, "amount is 1.5"),
        (lambda m: m.vary(PIECE, versions=0), InvalidRequestError, "versions is 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(here, call, kind, words):
    with pytest.raises(kind) as error:
        call(here)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_chord_is_no_melody_and_a_bar_of_another_metre_is_not_written(here):
    chord = Song(480, [Track("soprano", 0, False, notes((0, 480, 60, 90), (0, 480, 64, 90)))], [Tempo(0, 120.0)],
                 [Metre(0, 4, 4)], 1920, "chord")  # fmt: skip
    with pytest.raises(MusicError, match="one note at a time, but in bar 1 2 begin at once"):
        here.harmonise(chord)
    song = changing_metre_song()
    edges = song.bars()
    other = 1 + int(np.flatnonzero(edges[:, 1] != 4 * song.ticks_per_quarter)[0])
    with pytest.raises(InvalidRequestError, match=f"bar {other} is not one in 4/4: the model cannot write it"):
        here.fill(song, other)


def test_a_model_that_reads_no_holes_says_which_do(tiny_run):
    sentence = r"has no signature 'fill'; it is for models that were trained with model\.hidden_parts: true"
    with Musae.from_run(tiny_run.path) as musae:
        for call in (lambda: musae.fill(PIECE, "2"), lambda: musae.harmonise(MELODY), lambda: musae.continue_(PIECE)):
            with pytest.raises(WrongModelError, match=sentence):
                call()


def test_the_command_line(autoregressive_run, here, target, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    PIECE.write("mine.mid")
    MELODY.write("melody.mid")
    commands = {
        ("fill", "mine.mid", "--bars", "3", "--tracks", "alto,tenor"): lambda: here.fill("mine.mid", "3", "alto,tenor"),
        ("fill", "mine.mid", "--bars", "2-3", "--keep-rhythm"): lambda: here.fill("mine.mid", "2-3", keep="rhythm"),
        ("fill", "mine.mid", "--bars", "2", "--keep-pitches"): lambda: here.fill("mine.mid", "2", keep="pitches"),
        ("harmonise", "melody.mid", "--genre", "hymns"): lambda: here.harmonise("melody.mid", "hymns"),
        ("continue", "mine.mid", "--bars", "2"): lambda: here.continue_("mine.mid", 2),
    }
    for command, call in commands.items():
        expected, (name, *rest) = call().to_bytes(), command
        for model in ((name, str(autoregressive_run.path)), ("request", name, "--server", target)):
            assert main([*model, *rest, "--out", "made.mid"]) == 0
            assert Path("made.mid").read_bytes() == expected
    capsys.readouterr()
    assert (
        main(["vary", str(autoregressive_run.path), "mine.mid", "--versions", "2", "--out", "versions/", "--json"]) == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert [Path(piece["midi"]).name for piece in report["pieces"]] == ["mine-version-1.mid", "mine-version-2.mid"]
    assert report["amount"] == 0.3
    song = changing_metre_song()
    song.write("metres.mid")
    dropped = here.vary("metres.mid", versions=1, other_bars="drop")[0].to_bytes()
    assert dropped != here.vary("metres.mid", versions=1)[0].to_bytes()
    for model in (("vary", str(autoregressive_run.path)), ("request", "vary", "--server", target)):
        words = [*model, "metres.mid", "--versions", "1", "--other-bars", "drop", "--out", "made.mid"]
        assert main(words) == 0
        assert Path("made.mid").read_bytes() == dropped
    assert main(["fill", str(autoregressive_run.path), "mine.mid", "--bars", "9", "--out", "none.mid"]) == 2
    assert "bars has 9, but the song has bars 1 to 6" in capsys.readouterr().err
    assert not Path("none.mid").exists()
