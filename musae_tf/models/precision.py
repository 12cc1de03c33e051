"""What the layers of the encoder and the decoder compute in."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made inside the block compute in `precision`, float32 or bfloat16; their weights are float32 either way.

    Layers that were given a dtype keep it: heads of the encoder, logits, priors and critics are float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
