"""A run as others get it: what makes music, without what only training needs and without the training songs."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from musae_tf.config import config_to_yaml
from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.evaluation.compare import FOLDER, read_evaluation
from musae_tf.export import export_run
from musae_tf.files import write_text
from musae_tf.latent import form_of_run
from musae_tf.latent.of_run import FILE as ATTRIBUTES
from musae_tf.latent.of_run import attributes_path, is_current
from musae_tf.models import MusAE
from musae_tf.training import Run


def check_portable(run: Run, dataset: Dataset) -> dict[str, Any]:
    """What the evaluation.json of a run holds that may be passed on.

    Args:
        run: finished, and evaluated with `musae evaluate`.
        dataset: the run's.

    Raises:
        RunError: the run is not finished or not evaluated, or the dataset is another one.
    """
    evaluation = read_evaluation(run.path)
    if run.facts["state"] != "finished" or not is_current(run):
        raise RunError(f"{run.path} was trained after it was evaluated, or is not finished")
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(f"{run.path} was trained on another dataset than {dataset.path}: their hashes differ")
    return evaluation


def write_portable(run: Run, dataset: Dataset, folder: Path, log: Callable[[str], None], model: MusAE) -> Run:
    """Write the run as others get it; nothing in it says where it lay.

    Args:
        run: one that `check_portable` has found good.
        dataset: the run's.
        folder: where to; it is made.
        log: takes the sentences for the user.
        model: the run's, with the weights that are passed on.

    Raises:
        ExportError: the exported graph does not answer as the model does.
    """
    folder.mkdir(parents=True)
    shutil.copy(attributes_path(run), folder / ATTRIBUTES)
    if form_of_run.has_form(run):
        form_of_run.load_form(run, model, dataset).save(folder / form_of_run.FILE)
    here = {**run.facts, "dataset": {**run.facts["dataset"], "path": str(dataset.path)}}
    export_run(Run(folder, run.config, here), log=log, model=model, songs=False)
    (folder / "export" / "musae" / ".lock").unlink()
    return _moved(run, folder)


def _moved(run: Run, folder: Path) -> Run:
    name = run.facts["dataset"]["name"]
    config = replace(run.config, data=replace(run.config.data, path=f"datasets/{name}"))
    # Of absolute paths, as they are or behind an equals sign, the last name stays.
    parts = (re.sub("(^|=)/.*/", r"\1", part) for part in shlex.split(run.facts["command"]))
    moved = {"command": shlex.join(parts), "dataset": {**run.facts["dataset"], "path": f"datasets/{name}"}}
    evaluation = {**read_evaluation(run.path), **moved}
    write_text(folder / "config.yaml", config_to_yaml(config), RunError)
    write_text(folder / FOLDER / "evaluation.json", json.dumps(evaluation, indent=1) + "\n", RunError)
    for file in (f"{FOLDER}/songs.csv", "log.jsonl"):
        shutil.copy(run.path / file, folder / file)
    final = Run(folder, config, {**run.facts, **moved})
    final.update()
    return final
