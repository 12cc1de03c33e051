"""What verbs have in common that write a part of a piece: one window after another, each seeing what is there."""

import numpy as np

from musae_tf.music.hole import Hole
from musae_tf.music.windows import Writing
from musae_tf.verbs.description import Description
from musae_tf.verbs.steps import SignatureCall, Steps, decoded_around, sampling

HINT = "it is for models that were trained with model.hidden_parts: true, as the preset voices is"
"""What to say of a model that cannot read music with hidden parts."""


def written(
    model: Description, hole: Hole, genre: int, temperature: float, seed: int, trust: float | None
) -> Steps[np.ndarray]:
    """What a model writes into a hole, int32 [bars, S, C]; its code is that of what is known, window by window.

    Args:
        model: the model.
        hole: what is known.
        genre: number of the genre that codes are moved to; -1 leaves them.
        temperature: how symbols are drawn.
        seed: 0 or more.
        trust: how far to follow the codes; None for what suits codes of parts best.

    Raises:
        InvalidRequestError: a value is impossible.
        WrongModelError: the model cannot read music with hidden parts.
    """
    model.require("fill", HINT)
    writing = Writing(hole.grid.tokens, hole.levels, hole.grid.runs, model.bars, model.layout)
    drawing = sampling(model, temperature, seed, trust, len(writing.windows))
    drawn = {name: array for name, array in drawing.items() if name != "trust"}
    for numbers in writing.turns:
        tokens, known = writing.views(numbers)
        asked = {"tokens": tokens, "known": known, "genre": np.full(len(numbers), genre, np.int32)}
        asked |= {name: array[numbers] for name, array in drawn.items()}
        if trust is None:
            (made,) = yield SignatureCall("fill", asked, ("tokens",))
        else:
            (codes,) = yield SignatureCall("fill", asked, ("latent",))
            own = {name: array[numbers] for name, array in drawing.items()}
            made = yield from decoded_around(codes, tokens, known, own)
        writing.write(numbers, known, made)
    return writing.tokens
