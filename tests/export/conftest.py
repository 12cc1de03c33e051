"""The tiny run as a published model, made once, and ways to call it."""

from collections.abc import Callable

import numpy as np
import pytest

from musae_tf.export import ModelSignatures, Version
from musae_tf.export.map import map_of_songs
from musae_tf.export.publish import versions
from musae_tf.latent import AttributeVectors
from musae_tf.latent.of_run import fit_attributes
from musae_tf.models import MusAE
from musae_tf.verbs.description import LatentMap

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def exported(model_folder) -> Version:
    """Version 1 of a model folder called `tunes`. Tests must leave it as it is."""
    return versions(model_folder)[0]


@pytest.fixture(scope="session")
def model(tiny_run) -> MusAE:
    return tiny_run.load_model()


@pytest.fixture(scope="session")
def songs(model, tiny_dataset) -> LatentMap:
    return map_of_songs(model, tiny_dataset)


@pytest.fixture(scope="session")
def attributes(tiny_run, model, tiny_dataset) -> AttributeVectors:
    return fit_attributes(tiny_run, model, tiny_dataset)


@pytest.fixture(scope="session")
def signatures(servable):
    return servable.signatures


@pytest.fixture(scope="session")
def servable(model, songs, attributes) -> ModelSignatures:
    return ModelSignatures(model, str, songs, attributes)


@pytest.fixture(scope="session")
def session(exported) -> Callable[[str, Arrays], Arrays]:
    """`session(signature, inputs)`: the exported model in a TF1 session, the engine of TensorFlow Serving.

    A callable of options, unlike `Session.run`, leaves the check of shapes to the engine, as the container does.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    engine = tf.compat.v1.Session(graph=tf.Graph())
    with engine.graph.as_default():
        definitions = tf.compat.v1.saved_model.load(engine, ["serve"], str(exported.folder)).signature_def
    callables = {}

    def call(signature: str, inputs: Arrays) -> Arrays:
        definition, names = definitions[signature], tuple(inputs)
        if (signature, names) not in callables:
            options = CallableOptions(
                feed=[definition.inputs[name].name for name in names],
                fetch=[info.name for info in definition.outputs.values()],
            )
            callables[signature, names] = engine._make_callable_from_options(options)
        return dict(zip(definition.outputs, callables[signature, names](*inputs.values()), strict=True))

    return call
