"""New pieces of more than one phrase: codes that go together, and windows that each know the bar before.

So what is written goes on from what was written, and no border between phrases is heard.
"""

import numpy as np

from musae_tf.music import pieces
from musae_tf.music.known import FREE
from musae_tf.music.repeats import SECTION, bars_repeated, new_bars, repeated_bar
from musae_tf.music.windows import Writing
from musae_tf.verbs.description import Description
from musae_tf.verbs.steps import Arrays, SignatureCall, Steps, decoded_around, row_seeds


def nothing_known(model: Description, bars: int) -> Writing:
    """A new piece of at least so many bars, none of which is written yet."""
    layout = model.layout
    tokens = np.zeros((max(bars, model.bars), layout.bar_steps, len(layout.columns)), np.int32)
    return Writing(tokens, np.full_like(tokens, FREE), [(0, len(tokens))], model.bars, layout)


def form_of(model: Description, genre: int, seed: int, count: int) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Codes float32 [count, D] of a new piece's windows, and int [count]: the window that each repeats, or itself.

    By the model's form, or as a walk that repeats nothing if it has none.
    """
    number = np.arange(count)
    if "form" not in model.signatures:
        return (yield from walk_of(model, genre, seed, count)), number
    section, window = np.divmod(number, SECTION)
    inputs = {
        "genre": np.full(count, genre, np.int32),
        "window": window.astype(np.int32),
        "windows": (count - section * SECTION).astype(np.int32),
        "seed": row_seeds(seed, pieces.CODES, int(section[-1]) + 1)[section],
    }
    codes, repeats = yield SignatureCall("form", inputs, ("latent", "repeats"))
    return codes, section * SECTION + repeats


def walk_of(model: Description, genre: int, seed: int, count: int) -> Steps[np.ndarray]:
    """Codes float32 [count, D] of a walk through the draws of a genre."""
    seeds = [row_seeds(seed, stream, count) for stream in (pieces.CODES, pieces.OTHER_CODES)]
    inputs = {
        "genre": np.full(2 * count, genre, np.int32),
        "temperature": np.zeros(2 * count, np.float32),
        "seed": np.concatenate(seeds),
    }
    (draws,) = yield SignatureCall("sample", inputs, ("latent",))
    return pieces.walk(draws[:count], draws[count:])


def written(
    model: Description, writing: Writing, codes: np.ndarray, repeats: np.ndarray, drawing: Arrays
) -> Steps[np.ndarray]:
    """The bars of a new piece, int32 [bars, S, C].

    Args:
        model: one with the signature `decode_known`.
        writing: of `nothing_known`, with n windows.
        codes: float32 [n, D], of the windows.
        repeats: int [n]; a window that repeats an earlier one has its bars, note for note.
        drawing: of each window, see `steps.sampling`.
    """
    new = new_bars(writing.windows, model.bars)
    sources = bars_repeated(writing.windows, repeats, model.bars)
    again = sources != np.arange(len(sources))
    drawing = {"trust": np.ones(len(codes), np.float32), **drawing}
    for turn in writing.turns:
        numbers = [number for number in turn if not again[new[number]].all()]
        if numbers:
            tokens, levels = writing.views(numbers)
            own = {name: values[numbers] for name, values in drawing.items()}
            made = yield from decoded_around(codes[numbers], tokens, levels, own)
            writing.write(numbers, levels, made)
        for bar in (bar for number in turn for bar in new[number] if again[bar]):
            writing.put(bar, repeated_bar(writing.tokens, int(sources[bar]), bar, model.layout))
    return writing.tokens
