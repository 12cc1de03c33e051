"""Links: what a recipe says survives its query, and what it cannot say is refused."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.errors import StudioError
from musae_tf.studio.recipe import AMOUNT, FIELDS, GENRE, KINDS, Recipe


def values(name: str):
    known = FIELDS[name]
    if isinstance(known.default, int):
        return st.integers(known.low, known.high)
    return st.floats(known.low, known.high).map(lambda value: float(f"{value:g}"))


@st.composite
def recipes(draw) -> Recipe:
    kind = draw(st.sampled_from(list(KINDS)))
    amounts = draw(st.lists(st.integers(-12, 12).map(lambda n: n / 4), min_size=1)) if kind == "reshape" else []
    numbers = {name: draw(values(name)) for name in KINDS[kind]}
    return Recipe(kind, draw(st.text(max_size=20)) if kind in GENRE else "", numbers, tuple(amounts))


@given(recipes())
def test_a_recipe_survives_its_query(recipe):
    query = dict(parse_qsl(recipe.query(), keep_blank_values=True, strict_parsing=True))
    assert Recipe.from_query(query) == recipe


def test_what_a_link_leaves_out_has_its_default():
    assert Recipe.from_query({"do": "sample", "genre": "x"})["bars"] == FIELDS["bars"].default
    assert Recipe.from_query({"genre": "x"}) is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"do": "sing"}, "do is 'sing' in this link, must be one of sample"),
        ({"do": "sample", "bars": "0"}, "bars is '0', must be a whole number from 1 to 64"),
        ({"do": "sample", "bars": "2.5"}, "bars is '2.5'"),
        ({"do": "sample", "temperature": "nan"}, "temperature is 'nan', must be a number from 0 to 2"),
        ({"do": "sample", "seed": "-1"}, "seed is '-1'"),
        ({"do": "sample", "seed": "9" * 5000}, "seed is '9999"),
        ({"do": "reshape", "amounts": "1,x"}, f"amounts is 'x', must be a number from {AMOUNT.low:g}"),
    ],
)
def test_nonsense_is_refused(query, words):
    with pytest.raises(StudioError, match=words) as error:
        Recipe.from_query(query)
    assert len(str(error.value)) < 150
