"""A training that starts from the weights of another one, `training.start_from`."""

import keras

from musae_tf.errors import RunError
from musae_tf.models import MusAE
from musae_tf.training.run import Run


def take_weights(model: MusAE, path: str) -> None:
    """Give a model that has not been trained the weights of a run: encoder and decoder.

    If the genres are the same, critic, prior and what else there is as well; those of other genres are learnt anew.

    Raises:
        RunError: there is no run with a checkpoint at the path, or its encoder and decoder have other sizes.
    """
    trained = Run.open(path).load_model()
    parts = [(name, getattr(model, name), getattr(trained, name)) for name in ("encoder", "decoder")]
    for name, own, theirs in parts:
        if _shapes(own) != _shapes(theirs):
            raise RunError(
                f"training.start_from: the {name} of {path} has other sizes; allowed: a run with the same layout, "
                "grid, music.bars, model.kind, model.decoder, model.known_ahead and sizes"
            )
    if model.genres == trained.genres and _shapes(model) == _shapes(trained):
        parts.append(("model", model, trained))
    for _, own, theirs in parts:
        for weight, value in zip(own.weights, theirs.weights, strict=True):
            weight.assign(value.numpy())


def _shapes(part: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in part.weights]
