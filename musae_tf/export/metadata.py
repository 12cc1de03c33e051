"""What a client must know of a model before it can talk to it: the JSON of the signature `describe`."""

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from musae_tf.music import STEPS_PER_BAR

if TYPE_CHECKING:
    from musae_tf.training import Run

FORMAT = 1


def describe(run: "Run", name: str, version: int, signatures: Mapping[str, Any]) -> str:
    """The description of version `version` of the model `name`, exported now from a run.

    Args:
        run: where the model comes from.
        name: of the model on a server.
        version: its number.
        signatures: as JSON, by name.

    Returns:
        A JSON object: "format", "name", "version", "layout", "genres", "tempos" (genre to quarter notes a minute; a
        genre whose songs name no tempo is missing), "steps" and "bars" of a phrase, "tracks", "latent" (axes),
        "vocabulary_sizes", "created" (UTC), "dataset_hash", "signatures".
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
    return json.dumps(facts, ensure_ascii=False)
