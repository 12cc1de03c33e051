"""From a run to a published version."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.data import Dataset
from musae_tf.errors import DatasetError
from musae_tf.export.errors import ExportError
from musae_tf.export.examples import requests
from musae_tf.export.map import LatentMap, map_of_draws, map_of_songs
from musae_tf.export.metadata import describe
from musae_tf.export.publish import Version, new_version, size
from musae_tf.export.signatures import Servable, leave_cudnn
from musae_tf.export.verify import verify
from musae_tf.export.warmup import write_warmup
from musae_tf.files import write_text
from musae_tf.latent import Attributes
from musae_tf.latent.of_run import attributes_path, fit_attributes, is_current
from musae_tf.models import MusAE

if TYPE_CHECKING:
    from musae_tf.training import Run

DESCRIPTION = Path("assets.extra") / "musae.json"
"""Where in a version folder the text of the signature `describe` is."""


def export_run(
    run: "Run",
    to: str | os.PathLike | None = None,
    say: Callable[[str], None] = print,
    model: MusAE | None = None,
    songs: bool = True,
) -> Version:
    """Publish the newest checkpoint of a run as the next version of a model.

    Args:
        run: any run with a checkpoint, wherever it was trained.
        to: the model folder, which holds the versions and whose name is the model's; None for RUN/export/musae.
        say: takes the sentences for the user.
        model: what to publish instead of the newest checkpoint.
        songs: whether the map of the latent space shows the training songs, whose codes are then in the version, or
            draws of the model.

    Returns:
        The published version.

    Raises:
        RunError: the run has no checkpoint.
        ExportError: the folder cannot be written, or the exported graph does not answer as the live model does. Then
            nothing was published.
    """
    base = check_folder(run.export if to is None else to)
    model = run.load_model() if model is None else model
    with new_version(base) as draft:
        name, number = base.resolve().name, draft.number
        say(f"{base}: writing version {number}")
        leave_cudnn(model)  # before anything runs it: layers choose their form at the first call
        dataset = _dataset(run, say)
        latent_map = _map_of_songs(model, dataset, say) if songs else map_of_draws(model)
        attributes = _attributes(run, model, dataset, say)
        servable = Servable(
            model,
            lambda signatures: describe(run, name, number, signatures, latent_map, attributes),
            latent_map,
            attributes,
        )
        servable.save(draft.folder)
        write_text(draft.folder / DESCRIPTION, servable.metadata + "\n", ExportError)
        asked = requests(model, servable.signatures)
        write_warmup(draft.folder, name, asked)
        say(f"checking {len(asked)} requests of {len(servable.signatures)} signatures in a fresh process")
        verify(draft.folder, servable, asked)
    published = Version(number, base / str(number))
    say(f"published {published.folder} ({size(published.folder) / 1e6:.1f} MB)")
    return published


def _dataset(run: "Run", say: Callable[[str], None]) -> Dataset | None:
    """The run's dataset, if it is still where the run was trained on it."""
    path = run.facts["dataset"]["path"]
    try:
        dataset = Dataset.open(path)
    except DatasetError:
        say(f"the dataset {path} is not there")
        return None
    if dataset.hash != run.facts["dataset"]["hash"]:
        say(f"{path} is not the dataset of the run any more")
        return None
    return dataset


def _map_of_songs(model: MusAE, dataset: Dataset | None, say: Callable[[str], None]) -> LatentMap | None:
    if dataset is None:
        say("no map of the latent space without its songs")
        return None
    say("finding the training songs in the latent space")
    return map_of_songs(model, dataset)


def _attributes(run: "Run", model: MusAE, dataset: Dataset | None, say: Callable[[str], None]) -> Attributes | None:
    """The run's attribute vectors, or such as are fitted for this export alone."""
    if is_current(run):
        return Attributes.load(attributes_path(run))
    if dataset is None:
        say(f"no attribute vectors: {attributes_path(run)} is not there, and neither is the dataset to fit them to")
        return None
    say("fitting attribute vectors")
    return fit_attributes(run, model, dataset)


def check_folder(path: str | os.PathLike) -> Path:
    """The path of a model folder, new or old.

    Raises:
        ExportError: it is something else.
    """
    base = Path(path)
    if base.exists() and not base.is_dir():
        raise ExportError(f"{base} is a file; name a folder for the versions of the model")
    if (base / "saved_model.pb").exists():
        raise ExportError(f"{base} is a version of a model; name the folder that holds the versions, {base.parent}")
    return base
