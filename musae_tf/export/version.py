"""From a run to a published version, with the description that a client needs of it."""

import datetime
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.data import Dataset
from musae_tf.errors import DatasetError, ExportError
from musae_tf.export.map import map_of_draws, map_of_songs
from musae_tf.export.publish import Version, new_version, size
from musae_tf.export.signatures import ModelSignatures, leave_cudnn
from musae_tf.export.verify import requests, verify, write_warmup
from musae_tf.files import check_model_folder, write_text
from musae_tf.latent import AttributeVectors, form_of_run
from musae_tf.latent.form import Form
from musae_tf.latent.of_run import attributes_path, fit_attributes, is_current
from musae_tf.models import MusAE
from musae_tf.music.known import PITCH
from musae_tf.verbs.description import FORMAT, LatentMap

if TYPE_CHECKING:
    from musae_tf.training import Run

DESCRIPTION = Path("assets.extra") / "musae.json"
"""Where in a version folder the text of the signature `describe` is."""


def export_run(
    run: "Run",
    to: str | os.PathLike | None = None,
    log: Callable[[str], None] = print,
    model: MusAE | None = None,
    songs: bool = True,
) -> Version:
    """Publish the newest checkpoint of a run as the next version of a model.

    Args:
        run: any run with a checkpoint, wherever it was trained.
        to: the model folder, which holds the versions and whose name is the model's; None for RUN/export/musae.
        log: takes the sentences for the user.
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
    base = run.export if to is None else Path(to)
    check_model_folder(base)
    model = run.load_model() if model is None else model
    with new_version(base) as draft:
        name, number = base.resolve().name, draft.number
        log(f"{base}: writing version {number}")
        leave_cudnn(model)  # before anything runs it: layers choose their form at the first call
        dataset = dataset_of(run, log)
        latent_map = _map_of_songs(model, dataset, log) if songs else map_of_draws(model)
        attributes = _attributes(run, model, dataset, log)
        servable = ModelSignatures(
            model,
            lambda signatures: describe(run, name, number, signatures, latent_map, attributes),
            latent_map,
            attributes,
            _form(run, model, dataset, log),
        )
        servable.save(draft.folder)
        write_text(draft.folder / DESCRIPTION, servable.metadata + "\n", ExportError)
        asked = requests(model, servable.signatures)
        write_warmup(draft.folder, name, asked)
        log(f"checking {len(asked)} requests of {len(servable.signatures)} signatures in a fresh process")
        verify(draft.folder, servable, asked)
    published = Version(number, base / str(number))
    log(f"published {published.folder} ({size(published.folder) / 1e6:.1f} MB)")
    return published


def dataset_of(run: "Run", log: Callable[[str], None]) -> Dataset | None:
    """The run's dataset, if it is still where the run was trained on it."""
    path = run.facts["dataset"]["path"]
    try:
        dataset = Dataset.open(path)
    except DatasetError:
        log(f"the dataset {path} is not there")
        return None
    if dataset.hash != run.facts["dataset"]["hash"]:
        log(f"{path} is not the dataset of the run any more")
        return None
    return dataset


def _map_of_songs(model: MusAE, dataset: Dataset | None, log: Callable[[str], None]) -> LatentMap | None:
    if dataset is None:
        log("no map of the latent space without its songs")
        return None
    log("finding the training songs in the latent space")
    return map_of_songs(model, dataset)


def _attributes(
    run: "Run", model: MusAE, dataset: Dataset | None, log: Callable[[str], None]
) -> AttributeVectors | None:
    """The run's attribute vectors, or such as are fitted for this export alone."""
    if is_current(run):
        return AttributeVectors.load(attributes_path(run))
    if dataset is None:
        log(f"no attribute vectors: {attributes_path(run)} is not there, and neither is the dataset to fit them to")
        return None
    log("fitting attribute vectors")
    return fit_attributes(run, model, dataset)


def _form(run: "Run", model: MusAE, dataset: Dataset | None, log: Callable[[str], None]) -> Form | None:
    """The run's form, or one that is fitted for this export alone."""
    if not form_of_run.has_form(run):
        return None
    if form_of_run.is_current(run):
        return Form.load(form_of_run.form_path(run))
    if dataset is None:
        log(f"no form of pieces: {form_of_run.form_path(run)} is not there, and neither is the dataset to fit it to")
        return None
    log("fitting the form of pieces")
    return form_of_run.form_of_songs(run, model, dataset)


def describe(
    run: "Run",
    name: str,
    version: int,
    signatures: Mapping[str, Any],
    latent_map: LatentMap | None = None,
    attributes: AttributeVectors | None = None,
) -> str:
    """The description of version `version` of the model `name`, exported now from a run.

    Args:
        run: where the model comes from.
        name: of the model on a server.
        version: its number.
        signatures: as JSON, by name.
        latent_map: of its latent space, if it has one.
        attributes: the vectors that the signature `change` moves along, if it has them.

    Returns:
        A JSON object: "format", "name", "version", "layout", "genres", "tempos" (genre to quarter notes a minute; a
        genre whose songs name no tempo is missing), "steps" and "bars" of a phrase, "tracks", "latent" (axes),
        "vocabulary_sizes", "created" (UTC), "dataset_hash", "signatures", "levels" (how many of those of
        `musae_tf.music.known` there are); with a map "map": "of" (what its points
        are: "songs" of the training or "draws"), "points" (how many), "mean" and "axes" (the code at (0, 0) and the
        codes that 1 to the right and 1 up add); with attributes "attributes": "names" and "units" (what an amount of 1
        is in notes a bar, semitones or steps), in the order of the amounts that `change` takes.
    """
    layout, steps = run.layout, run.config.music.phrase.steps
    facts = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "layout": layout.to_dict(),
        "genres": list(run.genres),
        "tempos": run.facts.get("tempos", {}),
        "steps": steps,
        "bars": run.config.music.bars,
        "tracks": len(layout.columns),
        "latent": signatures["encode"]["outputs"]["mean"]["shape"][-1],
        "vocabulary_sizes": list(layout.vocabulary_sizes),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "dataset_hash": run.facts["dataset"]["hash"],
        "signatures": signatures,
        "levels": PITCH + 1,
    }
    if latent_map is not None:
        facts |= map_facts(latent_map)
    if attributes is not None:
        facts |= attribute_facts(attributes)
    return json.dumps(facts, ensure_ascii=False)


def map_facts(latent_map: LatentMap) -> dict[str, Any]:
    """What a description says of a map."""
    mean, axes = (np.round(array.astype(float), 5).tolist() for array in (latent_map.mean, latent_map.axes))
    return {"map": {"of": latent_map.of, "points": len(latent_map.title), "mean": mean, "axes": axes}}


def attribute_facts(attributes: AttributeVectors) -> dict[str, Any]:
    """What a description says of attribute vectors."""
    units = [float(f"{unit:.4g}") for unit in attributes.units]
    return {"attributes": {"names": list(attributes.names), "units": units}}
