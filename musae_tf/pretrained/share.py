"""Put the model of a run on a hub, with a card that says what it is: `musae push`."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.export.publish import size
from musae_tf.files import write_text
from musae_tf.pretrained.cards import card
from musae_tf.pretrained.hub import hub_api, hub_errors, read_address
from musae_tf.pretrained.portable import check_portable, write_portable
from musae_tf.training import Run

TAGS = ("music", "music-generation", "symbolic-music", "midi", "tensorflow")


def push(
    run: Run,
    dataset: Dataset,
    repository: str,
    licence: str,
    tags: Sequence[str] = (),
    private: bool = False,
    log: Callable[[str], None] = print,
) -> str:
    """Upload the weights, a SavedModel, the evaluation and a card in one commit; the repository is made if need be.

    Nothing that is uploaded holds a note or a code of a training song: the map shows draws of the model.

    Args:
        run: finished, and evaluated with `musae evaluate`.
        dataset: the run's.
        repository: USER/NAME.
        licence: of the model, as the hub's cards name it: "cc-by-4.0", "other", ...
        tags: further ones; the genres are among them anyway.
        private: whether a new repository is shown to its owner only; otherwise as is usual for the owner.
        log: takes the sentences for the user.

    Returns:
        The commit.

    Raises:
        RunError: the run is not finished or not evaluated, the dataset is another one, nobody is logged in, or the hub
            refused.
        ExportError: the exported graph does not answer as the model does.
    """
    address = read_address(repository)
    if address.revision is not None:
        raise RunError(f"{repository} names a commit; a model is put at the end of what is there: leave it out")
    api = hub_api()
    from huggingface_hub import get_token

    if get_token() is None:
        raise RunError(f"{api.endpoint} takes models of users only: hf auth login, or set the variable HF_TOKEN")
    evaluation = check_portable(run, dataset)
    with tempfile.TemporaryDirectory() as temporary:
        final = write_portable(run, dataset, Path(temporary, "run"), log, run.load_model())
        name = address.repository.partition("/")[2]
        commands = (
            "pip install 'musae-tf[train,hub]'",
            f"musae pull {address.repository}",
            f"musae sample runs/{name} --wav",
        )
        note = "A model is a program for whoever serves it: load those of people you trust only."
        made = {"upload": "`musae push`"}
        megabytes = f"{size(final.path) / 1e6:.1f} MB"
        text = card(final, dataset, evaluation, name, megabytes, commands, made, note)
        front = _front_matter(final, name, evaluation, licence, tags)
        write_text(final.path / "README.md", f"---\n{front}\n---\n\n{text}", RunError)
        with hub_errors(api, address):
            api.create_repo(address.repository, private=private or None, exist_ok=True)  # None: as its owner has it
            message = f"Model of {final.facts['steps']} steps"
            commit = api.upload_folder(repo_id=address.repository, folder_path=final.path, commit_message=message)
    log(f"{address.repository} at commit {commit.oid}: {commit.repo_url}")
    return str(commit.oid)


def _front_matter(run: Run, name: str, evaluation: Mapping[str, Any], licence: str, tags: Sequence[str]) -> str:
    """What the hub reads of a card: licence, tags, metrics and the dataset that they were measured on, as YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = run.facts["dataset"]
    rows = evaluation["headlines"]
    results = [
        EvalResult(
            task_type="music-generation",
            dataset_type=dataset["name"],
            dataset_name=dataset["name"],
            dataset_split="test",
            dataset_revision=dataset["hash"],
            metric_type=headline.key,
            metric_name=headline.title,
            metric_value=round(float(rows[headline.key]["value"]), 4),
        )
        for headline in HEADLINES
        if headline.key in rows
    ]
    every = list(dict.fromkeys((*TAGS, "musae", *run.genres, *tags)))
    data = ModelCardData(license=licence, library_name="musae-tf", tags=every, model_name=name, eval_results=results)
    return data.to_yaml()
