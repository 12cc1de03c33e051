"""One object for the music: a trained model here, an export, or a server, all asked in the same way.

    from musae_tf import Musae

    with Musae.from_preset("voices") as musae:
        musae.sample("bach", bars=8, seed=7).write("bach.mid")

What can be asked for is in `musae_tf.verbs.functions`. TensorFlow, or gRPC, is loaded when a model is.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from musae_tf.errors import InvalidRequestError, RunError
from musae_tf.verbs.description import Attributes, Description, MapPlane, attributes_of, plane_of
from musae_tf.verbs.methods import Verbs
from musae_tf.verbs.steps import Steps

if TYPE_CHECKING:
    from musae_tf.client import MusaeClient
    from musae_tf.latent import AttributeVectors
    from musae_tf.latent.form import Form
    from musae_tf.training import Run
    from musae_tf.verbs.description import LatentMap

P = ParamSpec("P")
T = TypeVar("T")

Arrays = Mapping[str, np.ndarray]
PRESETS = ("voices",)
"""Names of the trained models that come with the package."""


def _quiet(sentence: str) -> None:
    pass


class Musae(Verbs):
    """A model in this process: of `from_preset` or `from_run`. `connect` gives its twin for a server.

    It computes with the functions that an export serves, so that the same call with the same seed gives the same notes
    here and there. Not for many threads at once.

    Args:
        answer: a signature's name and inputs to its outputs.
        description: of the model.

    Attributes:
        description: of the model, without asking for it.
    """

    def __init__(self, answer: Callable[[str, Arrays], Arrays], description: Description):
        self._answer = answer
        self.description = description

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description.name!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the model's genres and tracks."""
        return self.description._repr_html_()

    @classmethod
    def from_preset(cls, name: str = "voices") -> "Musae":
        """A trained model, kept in the user's cache from its first use on.

        Args:
            name: "voices", which comes with the package, or a model that someone has put on a hub, as
                "hf://USER/NAME" or, for one commit of it, "hf://USER/NAME@COMMIT". Take those of people you trust only.

        Raises:
            RunError: there is none of this name, or it cannot be fetched or unpacked.
        """
        from musae_tf.pretrained import pretrained_run

        if name.startswith("hf://"):
            from musae_tf.pretrained.hub import pulled_run

            return cls.from_run(pulled_run(name))
        if name not in PRESETS:
            raise RunError(f"there is no trained model {name!r} in this package; it has: {', '.join(PRESETS)}")
        return cls.from_run(pretrained_run())

    @classmethod
    def from_run(
        cls,
        path: str | os.PathLike,
        dataset: str | os.PathLike | None = None,
        log: Callable[[str], None] = _quiet,
    ) -> "Musae":
        """The model of a run (its newest checkpoint), or of an export.

        What a run has not yet is made when it is asked for: `change` and `sweep` need attribute vectors, and pieces of
        more than one phrase the form of the training songs, both fitted once and kept in the run folder; `map` encodes
        the training songs. Without the run's dataset the map shows draws of the model, and there are no vectors and no
        form unless they were fitted before.

        Args:
            path: a run folder, a version of an exported model, or the folder of its versions (the newest is taken).
            dataset: where the run's dataset is; None for where it was.
            log: takes a sentence when something is made that takes a while.

        Raises:
            RunError: the folder is none of these, or the run has no checkpoint.
            DatasetError: there is no dataset at `dataset`.
        """
        folder = Path(path)
        if (folder / "run.json").is_file():
            from musae_tf.training import Run

            return cls._of_run(Run.open(folder), dataset, log)
        versions = [version for version in folder.glob("*/saved_model.pb") if version.parent.name.isdecimal()]
        if (folder / "saved_model.pb").is_file():
            return cls._of_export(folder)
        if versions:
            return cls._of_export(max(versions, key=lambda version: int(version.parent.name)).parent)
        raise RunError(f"{folder} is neither a run (it has no run.json) nor an exported model (it has no version)")

    @staticmethod
    def connect(target: str, model: str = "musae", **options: Any) -> "MusaeClient":
        """A model on a server that speaks the protocol of TensorFlow Serving; TensorFlow is not needed here.

        Args:
            target: HOST:PORT of the server's gRPC port.
            model: name of the model.
            options: version, label, tls, token, deadline, retries, options, tracer_provider: see
                `musae_tf.client.client.BaseClient`.

        Raises:
            ClientError: an argument is impossible, or a file for TLS cannot be read.
        """
        from musae_tf.client import MusaeClient

        return MusaeClient(target, model, **options)

    @classmethod
    def _of_run(cls, run: "Run", dataset: str | os.PathLike | None, log: Callable[[str], None]) -> "Musae":
        live = _LiveRun(run, dataset, log)
        return cls(live.answer, live.description())

    @classmethod
    def _of_export(cls, folder: Path) -> "Musae":
        import tensorflow as tf

        loaded = tf.saved_model.load(str(folder))

        def answer(signature: str, inputs: Arrays) -> Arrays:
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            # The functions do not keep the variables alive: `loaded` has to.
            return {name: output.numpy() for name, output in loaded.signatures[signature](**tensors).items()}

        (text,) = answer("describe", {"request": np.zeros(1, np.int32)})["metadata"]
        version = int(folder.name) if folder.name.isdecimal() else 0
        return cls(answer, Description.from_json(text, version, str(folder)))

    def close(self) -> None:
        """Nothing to do: the model goes with the object."""

    def _carry_out(
        self, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        steps = verb(self.description, *arguments, **named)
        try:
            asked = next(steps)
            while True:
                outputs = self._ask(asked.signature, asked.inputs)
                asked = steps.send([outputs[name] for name in asked.outputs])
        except StopIteration as stop:
            return stop.value

    def _ask(self, signature: str, inputs: Arrays) -> Arrays:
        import tensorflow as tf

        try:
            return self._answer(signature, inputs)
        except tf.errors.InvalidArgumentError as cause:
            # Around an operation's message stands where in the graph it is.
            lines = [line.strip() for line in cause.message.splitlines()]
            words = next(line for line in reversed(lines) if line and not line.startswith("[["))
            raise InvalidRequestError(f"the model answered {InvalidRequestError.code}: {words}") from cause


class _LiveRun:
    """A run's newest checkpoint as what an export of it would serve; the costly parts are made when they are needed."""

    def __init__(self, run: "Run", dataset: str | os.PathLike | None, log: Callable[[str], None]):
        from musae_tf.data import Dataset
        from musae_tf.export import ModelSignatures
        from musae_tf.export.version import dataset_of

        self._run, self._log = run, log
        self._dataset = dataset_of(run, _quiet) if dataset is None else Dataset.open(dataset)
        self._model = run.load_model()
        self._servable = ModelSignatures(self._model)
        self._vectors, self._map = cache(self._find_vectors), cache(self._make_map)

    def answer(self, signature: str, inputs: Arrays) -> Arrays:
        """Run a signature."""
        if signature == "change" and signature not in self._servable.signatures:
            vectors = self._vectors()
            assert vectors is not None  # a description without them lets no verb come this far
            self._servable.add_attributes(vectors)
        if signature == "map" and signature not in self._servable.signatures:
            self._servable.add_map(self._map())
        if signature == "form" and signature not in self._servable.signatures:
            self._servable.add_form(self._find_form())
        return self._servable(signature, inputs)

    def description(self) -> Description:
        """What an export of the run would say of itself."""
        from musae_tf.export.signatures import form_signature
        from musae_tf.export.version import describe
        from musae_tf.latent.form_of_run import has_form, is_current

        signatures = {name: signature.to_dict() for name, signature in self._servable.signatures.items()}
        if has_form(self._run) and (self._dataset is not None or is_current(self._run)):
            signatures["form"] = form_signature(self._model.latent).to_dict()
        name = self._run.path.resolve().name
        text = describe(self._run, name, 0, signatures)
        description = Description.from_json(text, 0, str(self._run.path))
        where = self._run.facts["dataset"]["path"]
        return replace(
            description,
            find_attributes=cache(self._attributes),
            find_plane=cache(self._plane),
            remedy=f"they are fitted to the dataset of its training, which is not at {where}: name where it is",
        )

    def _attributes(self) -> Attributes | None:
        from musae_tf.export.version import attribute_facts

        vectors = self._vectors()
        return None if vectors is None else attributes_of(attribute_facts(vectors))

    def _plane(self) -> MapPlane | None:
        from musae_tf.export.version import map_facts

        return plane_of(map_facts(self._map()), self._model.latent)

    def _find_vectors(self) -> "AttributeVectors | None":
        from musae_tf.latent.of_run import attributes_path, is_current, load_attributes

        if not is_current(self._run):
            if self._dataset is None:
                return None
            self._log(f"fitting attribute vectors, once: they are kept in {attributes_path(self._run)}")
        return load_attributes(self._run, self._model, self._dataset)

    def _find_form(self) -> "Form":
        from musae_tf.latent.form_of_run import form_path, is_current, load_form

        if not is_current(self._run):
            self._log(f"fitting the form of pieces to the training songs, once: it is kept in {form_path(self._run)}")
        return load_form(self._run, self._model, self._dataset)

    def _make_map(self) -> "LatentMap":
        from musae_tf.export.map import map_of_draws, map_of_songs

        songs = None
        if self._dataset is not None:
            self._log("finding the training songs in the latent space")
            songs = map_of_songs(self._model, self._dataset)
        return map_of_draws(self._model) if songs is None else songs
