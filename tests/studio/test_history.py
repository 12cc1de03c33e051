"""Fills in links, and what is undone and done again."""

import json

import pytest

from musae_tf.errors import MusaeError, StudioError
from musae_tf.music import get_layout
from musae_tf.studio.fills import MAX_FILLS, Fill, Selection, from_text, to_text
from musae_tf.studio.history import History, Version
from musae_tf.studio.service import Result
from musae_tf.verbs.description import Description
from tests.corpus import four_voice_song

MODEL = Description("m", 1, get_layout("voices"), ("hymns", "dances", "g" * 40), {}, 32, 2, 8, "", "", {}, 4)
FILLS = (
    Fill(Selection((5, 6), (1, 2)), False, "", 0.9, 4),
    Fill(Selection(None, (0,)), True, "dances", 0.5, 2**31 - 1),
    Fill(Selection((3, 3)), False, "hymns", 1.0, 0),
)


def test_fills_survive_their_text():
    assert from_text(to_text(FILLS), MODEL) == FILLS
    assert from_text("[]", MODEL) == ()


def row(**other: object) -> str:
    fields = {"first": 1, "last": 2, "tracks": [0], "rhythm": 0, "genre": "", "temperature": 0.9, "seed": 1}
    return json.dumps([list({**fields, **other}.values())])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("[" * 15_000, "damaged"),
        ("1", "damaged"),
        ("[[1,2]]", "damaged"),
        ('{"a": 1}', "damaged"),
        (row(tracks="0"), "damaged"),
        (row(tracks=[True]), "damaged"),
        (row(first=2, last=1), "damaged"),
        (row(last=10**9), "damaged"),
        (row(genre=3), "damaged"),
        (row(rhythm=2), "damaged"),
        (" " * 30_000, "damaged"),
        (row(tracks=[4]), "fills track 5, the model has 4"),
        (row(tracks=[-1]), "the model has 4"),
        (row(genre="polka"), "polka"),
        (row(temperature=9), "temperature is '9', must be a number from 0 to 2"),
        (row(seed=-1), "seed is '-1'"),
        (to_text(FILLS[:1] * (MAX_FILLS + 1)), f"{MAX_FILLS + 1} filled parts, at most {MAX_FILLS}"),
    ],
)
def test_damaged_fills_are_refused(text, words):
    with pytest.raises(MusaeError, match=words) as error:
        from_text(text, MODEL)
    assert len(str(error.value)) < 200


def test_the_most_that_is_made_again_fits_a_link():
    longest = Fill(Selection((63, 64), tuple(range(4))), True, "g" * 40, 0.9, 2**31 - 1)
    text = to_text([longest] * MAX_FILLS)
    assert len(text) < 4000
    with pytest.raises(StudioError):
        from_text(to_text([longest] * (MAX_FILLS + 1)), MODEL)


def version(seed: int) -> Version:
    return Version(FILLS[0].version(seed), Result(four_voice_song(1, seed), "song"))


def test_undo_and_redo():
    start, one, other = Result(four_voice_song(1), "song"), version(1), version(2)
    history = History(start)
    history.undo()
    assert (history.result, history.fills, history.can_redo) == (start, (), False)
    history.add(one)
    history.add(other)
    assert (history.result, history.fills) == (other.result, (one.fill, other.fill))
    history.undo()
    assert (history.result, history.can_redo) == (one.result, True)
    history.redo()
    history.redo()
    assert (history.result, history.can_redo) == (other.result, False)
    history.undo()
    third = version(3)
    history.add(third)
    assert (history.fills, history.can_redo) == ((one.fill, third.fill), False)


def test_another_version_takes_the_place_of_the_one_before():
    one, other, later = version(1), version(2), version(3)
    history = History(Result(four_voice_song(1), "song"))
    history.add(one).versions.append(other)
    history.choose(5)
    assert history.result is one.result
    history.add(later)
    history.undo()
    history.choose(0)
    assert history.can_redo, "it is the same piece"
    history.choose(1)
    assert (history.result, history.fills, history.can_redo) == (other.result, (other.fill,), False)
