"""The card of a model that is passed on: what it was made of, what it is worth, and where it ends."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musae_tf.config import config_hash
from musae_tf.data import Dataset
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.time_grid import TimeGrid
from musae_tf.training import Run


def card(
    run: Run,
    dataset: Dataset,
    evaluation: Mapping[str, Any],
    title: str,
    size: str,
    commands: Sequence[str],
    made: Mapping[str, str],
    note: str = "",
) -> str:
    """The card as Markdown.

    Args:
        run: the run as it is passed on.
        dataset: its dataset.
        evaluation: what its evaluation.json holds.
        title: the first line.
        size: how large it is, in words.
        commands: lines that use it.
        made: further rows of the table of how it was made.
        note: a paragraph that stands below that table.
    """
    config, facts = run.config, run.facts
    manifest = dataset.manifest
    songs, phrases = manifest["counts"]["songs"], sum(evaluation["phrases"].values())
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    use, rows = "\n".join(f"    {line}" for line in commands), "\n".join(f"| {key} | {made[key]} |" for key in made)
    note = f"{note}\n\n" if note else ""
    licence = textwrap.fill(f"**Licence of the music.** {manifest['licence']}", 120, break_on_hyphens=False)
    return f"""# {title}

{_KINDS[config.model.kind]} for phrases of {config.music.bars} bars.
Tracks: {", ".join(run.layout.names)}. Genres: {", ".join(run.genres)}.
{config.model.latent} latent axes. {size}.

{use}

## Data

The dataset `{manifest["name"]}` ({manifest["built_by"]}; hash `{dataset.hash}`), {songs} songs, split by
groups of related songs. Phrases that training saw and, in brackets, songs:
{_by_genre(run, dataset)}.

{licence}

## What is in it

- The weights, as a SavedModel for servers, with mean and covariance of each genre's codes.
- Vectors of the attributes, and a map of the latent space whose dots are draws of the model.
- The curves of the training and the evaluation; `songs.csv` names the songs of the test split and counts notes.

No note of a song is in it, and no code of one, from which a phrase like it could be decoded. The exports of your own
runs (`musae export`) do have such codes: those of the training songs, on their map.

## What it is worth

On {phrases} phrases of {evaluation["songs"]} songs that training never saw, decoded greedily;
intervals are 95 %, over songs.

{_table(evaluation)}

## How it was made

| | |
|---|---|
| training | `{facts["command"]}` |
| evaluation | `musae evaluate RUN` (seed {evaluation["evaluation_seed"]}) |
{rows}
| seed | {config.seed} |
| steps | {facts["steps"]}, in {facts["seconds"] / 60:.0f} minutes |
| machine | {facts["machine"]}; {facts["devices"]} |
| versions | {versions}; revision {facts["revision"]} |
| configuration | hash `{config_hash(config)}`; in full in `config.yaml` |
| dataset | hash `{dataset.hash}` |

{note}## Limits

- It knows the genres named above and nothing else. Other music is read as if it were one of them.
- {_music(run)}; tempo and instruments are not learnt.
- {_pieces(config.music.bars, config.model.hidden_parts)}
- The table says what does not work well: a row near its reference is no better than the reference.
"""


_KINDS = {
    "musae_gm": "MusAE-GM, an adversarial autoencoder with a Gaussian a genre,",
    "musae": "MusAE, an adversarial autoencoder with a Gaussian code and a style,",
    "vae": "A variational autoencoder",
    "cvae": "A variational autoencoder with a Gaussian a genre",
    "autoencoder": "An autoencoder",
}


def _pieces(bars: int, formed: bool) -> str:
    if formed:
        return (
            f"A piece is written in windows of {bars} bars, whose codes go together and repeat as those of the\n"
            "  training songs do; there is no plan beyond that."
        )
    return (
        f"A piece is a walk through the latent space, in phrases of {bars} bars: neighbours are alike, but there\n"
        "  is no form beyond that."
    )


def _music(run: Run) -> str:
    """What a phrase can hold."""
    time, tracks = TimeGrid.parse(run.config.music.grid), run.layout.tracks
    most = max(track.voices for track in tracks)
    notes = "one note" if most == 1 else f"{most} notes at most"
    dynamic = [track.name for track in tracks if track.dynamics]
    dynamics = f"dynamics of {', '.join(dynamic)}" if dynamic else "no dynamics"
    bars = f"Bars of {time.numerator}/{time.denominator} in {time.steps} steps"
    return f"{bars}, {notes} at a time in each melodic track, {dynamics}"


def _by_genre(run: Run, dataset: Dataset) -> str:
    index = dataset.phrases("train", run.config.music.bars, sounding=run.config.data.sounding)
    parts = []
    for number, genre in enumerate(run.genres):
        rows = np.flatnonzero(index.song_labels[index.songs][:, number])
        parts.append(f"{genre} {len(rows):,} ({len(np.unique(index.songs[rows]))})")
    return ", ".join(parts)


def _table(evaluation: Mapping[str, Any]) -> str:
    lines = ["| | | 95 % | beside | |", "|---|---|---|---|---|"]
    for headline in HEADLINES:
        row = evaluation["headlines"].get(headline.key)
        if row is None:
            continue
        interval = f"{row['low']:.3f} to {row['high']:.3f}" if row.get("low") is not None else ""
        known = evaluation["references"].get(headline.key, {})
        beside = ", ".join(f"{what} {value:.3f}" for what, value in known.items())
        lines.append(f"| {headline.title} | {row['value']:.3f} | {interval} | {beside} | {headline.note} |")
    return "\n".join(lines)
