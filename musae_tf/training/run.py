"""A run folder: everything that made a model and everything it made.

config.yaml      the whole configuration
run.json         dataset, layout, genres, versions, revision, command, machine, state
log.jsonl        one line every `training.log_every` steps and one for every evaluation
checkpoints/     model, optimizers, step
tensorboard/     the same curves, pictures
export/musae/    versions for servers, if it was exported
"""

import datetime
import json
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from musae_tf.config import Config, config_to_yaml, load_config
from musae_tf.cores import available_cores
from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.files import check_new_run, write_text
from musae_tf.models import MusAE
from musae_tf.music import Layout
from musae_tf.training.distribute import Place

# How long a worker waits for the chief to make the run folder.
_PATIENCE = 300.0
_PACKAGES = ("musae-tf", "tensorflow", "keras", "tensorflow-probability", "numpy", "symusic")


class Run:
    """A run folder, open for reading or training."""

    def __init__(self, path: Path, config: Config, facts: dict[str, Any]):
        self.path = path
        self.config = config
        self.facts = facts

    @classmethod
    def create(cls, path: str | Path, config: Config, dataset: Dataset) -> "Run":
        """Make a new run folder for a configuration and a dataset.

        Raises:
            RunError: the folder is already there or cannot be written.
        """
        path = Path(path)
        check_new_run(path)
        facts = {
            "format": 1,
            "state": "new",
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": shlex.join(["musae", *sys.argv[1:]]),
            "dataset": {"path": str(dataset.path), "name": dataset.manifest["name"], "hash": dataset.hash},
            "layout": dataset.layout.to_dict(),
            "genres": list(dataset.genres),
            "tempos": _usual_tempos(dataset),
            "versions": {"python": platform.python_version(), **_versions()},
            "revision": revision(),
            "machine": f"{platform.machine()} {platform.system()}, {available_cores()} cores",
        }
        write_text(path / "config.yaml", config_to_yaml(config), RunError)
        run = cls(path, config, facts)
        run.update()
        return run

    @classmethod
    def join(cls, path: str | Path, config: Config, dataset: Dataset, place: Place) -> "Run":
        """The run folder of several workers that are all started, and started again, with the same command.

        The chief makes it, or goes on with the one that is there; the others wait for it.

        Raises:
            RunError: the folder has a run of another configuration, or the chief makes none.
        """
        made = Path(path) / "run.json"
        if place.is_chief and not made.exists():
            return cls.create(path, config, dataset)
        deadline = time.monotonic() + _PATIENCE
        while not made.exists():
            if time.monotonic() > deadline:
                raise RunError(
                    f"after {_PATIENCE:g} seconds there is no {made}: the first worker makes it, in a folder that all "
                    "of them must share"
                )
            time.sleep(0.1)
        run = cls.open(path)
        if run.config != config:
            raise RunError(f"{path} has a run of another configuration; name another --run, or --resume {path}")
        return run

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Open a run folder.

        Raises:
            RunError: not a run folder, or one that this version cannot read.
        """
        path = Path(path)
        try:
            facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
        except OSError:
            raise RunError(f"{path} is not a run folder: it has no readable run.json (musae train makes one)") from None
        except ValueError:
            raise RunError(f"{path / 'run.json'} is damaged: it is not JSON") from None
        if not isinstance(facts, dict) or facts.get("format") != 1:
            raise RunError(f"{path / 'run.json'}: its format is not 1, the one this version reads")
        return cls(path, load_config(path / "config.yaml", stored=True), facts)

    @property
    def layout(self) -> Layout:
        """The tracks of the model."""
        return Layout.from_dict(self.facts["layout"])

    @property
    def genres(self) -> tuple[str, ...]:
        """Names of the genres in the order of their numbers."""
        return tuple(self.facts["genres"])

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def export(self) -> Path:
        """Folder of the versions for servers."""
        return self.path / "export" / "musae"

    def update(self, **facts: Any) -> None:
        """Change facts and write run.json anew."""
        self.facts.update(facts)
        write_text(self.path / "run.json", json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n", RunError)

    def build_model(self) -> MusAE:
        """A model of this run's configuration with fresh weights, seeded."""
        keras.utils.set_random_seed(self.config.seed)
        return MusAE.for_training(self.config, self.layout.vocabulary_sizes, self.genres)

    def load_model(self) -> MusAE:
        """The model with the weights of the newest checkpoint.

        A run whose checkpoints were removed has those of its newest export; what only training needs, as the critic, is
        fresh. The model computes in float32, whatever `training.precision` is: the weights always are.

        Raises:
            RunError: no checkpoint yet, and no export.
        """
        newest = tf.train.latest_checkpoint(str(self.checkpoints))
        if newest is None:
            return self._load_export()
        model = self._build_exact()
        tf.train.Checkpoint(model=model).restore(newest).expect_partial().assert_existing_objects_matched()
        return model

    def _build_exact(self) -> MusAE:
        exact = replace(self.config, training=replace(self.config.training, precision="float32"))
        return Run(self.path, exact, self.facts).build_model()

    def _load_export(self) -> MusAE:
        versions = [path for path in self.export.glob("*") if path.name.isdecimal()]
        if not versions:
            raise RunError(f"{self.path} has no checkpoint yet: train it with musae train --resume {self.path}")
        model = self._build_exact()
        stored = max(versions, key=lambda path: int(path.name)) / "variables" / "variables"
        weights = [variable.value for variable in model.music_variables]
        tf.train.Checkpoint(weights=weights).read(str(stored)).expect_partial().assert_existing_objects_matched()
        return model


def _usual_tempos(dataset: Dataset) -> dict[str, float]:
    """The median tempo of each genre's songs, for samples."""
    tempos = {genre: [song["tempo"] for song in dataset.songs if genre in song["labels"]] for genre in dataset.genres}
    return {genre: float(np.median(found)) for genre, found in tempos.items() if found}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def revision() -> str | None:
    """The commit of the package's source, with -dirty if files were changed; None for an installed package."""
    source = Path(__file__).parent
    try:
        text = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=source, capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None  # an installed package has no revision
    return text.strip()
