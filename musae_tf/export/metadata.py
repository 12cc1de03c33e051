"""What a client must know of a model before it can talk to it: the JSON of the signature `describe`."""

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.export.map import LatentMap
from musae_tf.latent import Attributes
from musae_tf.music import STEPS_PER_BAR

if TYPE_CHECKING:
    from musae_tf.training import Run

FORMAT = 1


def describe(
    run: "Run",
    name: str,
    version: int,
    signatures: Mapping[str, Any],
    latent_map: LatentMap | None = None,
    attributes: Attributes | None = None,
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
        "vocabulary_sizes", "created" (UTC), "dataset_hash", "signatures"; with a map "map": "of" (what its points
        are: "songs" of the training or "draws"), "points" (how many), "mean" and "axes" (the code at (0, 0) and the
        codes that 1 to the right and 1 up add); with attributes "attributes": "names" and "units" (what an amount of 1
        is in notes a bar, semitones or steps), in the order of the amounts that `change` takes.
    """
    layout, steps = run.layout, run.config.music.bars * STEPS_PER_BAR
    facts = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "layout": layout.to_dict(),
        "genres": list(run.genres),
        "tempos": run.facts.get("tempos", {}),
        "steps": steps,
        "bars": run.config.music.bars,
        "tracks": len(layout.tracks),
        "latent": signatures["encode"]["outputs"]["mean"]["shape"][-1],
        "vocabulary_sizes": list(layout.vocabulary_sizes),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "dataset_hash": run.facts["dataset"]["hash"],
        "signatures": signatures,
    }
    if latent_map is not None:
        plane = {name: np.round(getattr(latent_map, name).astype(float), 5).tolist() for name in ("mean", "axes")}
        facts["map"] = {"of": latent_map.of, "points": len(latent_map.title), **plane}
    if attributes is not None:
        units = [float(f"{unit:.4g}") for unit in attributes.units]
        facts["attributes"] = {"names": list(attributes.names), "units": units}
    return json.dumps(facts, ensure_ascii=False)
