"""What a model writes into holes: as music, and beside what is there.

    python studies/fill/run.py runs/NAME

Parts of phrases of test songs are hidden and filled: all but the highest track, the tracks between the outer ones, the
second bar, the first bar. The second bar is written anew with its rhythm kept, and with its pitches kept, too. Beside
the model stand copying the other bar, the model's reconstruction of the phrase with rests in the hole, and the training
phrase that fits best what is known, in any key. Then the highest track gets the other tracks in every other genre.
Writes results/fill/fill.json, fill.md and fill.png.
"""

import argparse
import io
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import image

from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.grammar import BARS, TITLES, Counts, grammar, likeness, shuffled_voices
from musae_tf.evaluation.held_out import SEED, HeldOut
from musae_tf.evaluation.originality import nearest
from musae_tf.evaluation.per_song import Ratio
from musae_tf.evaluation.realism import Music, tell_apart
from musae_tf.evaluation.report import plain
from musae_tf.files import write_bytes, write_text
from musae_tf.models import inference
from musae_tf.music import HOLD, REST, Layout
from musae_tf.music.grid import onsets
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.picture import picture_grid
from musae_tf.music.pieces import row_seeds
from musae_tf.music.vocabulary import MELODIC
from musae_tf.progress import progress
from musae_tf.training import Run

ROOT = Path(__file__).parent.parent.parent
COUNT = 400
"""Phrases of each genre, or as many as its test songs have."""

# Streams of random numbers.
_SEEDS = 71
_KEYS = range(-6, 7)


def main(arguments: list[str] | None = None) -> int:
    """Measure a run; 0 if all went well."""
    parser = argparse.ArgumentParser(description="What a model writes into holes of phrases of test songs.")
    parser.add_argument("run", metavar="RUN", help="a finished run with model.hidden_parts")
    parser.add_argument("--dataset", help="default: the one the run was trained on")
    parser.add_argument("--count", type=int, default=COUNT, help=f"phrases of each genre (default: {COUNT})")
    parser.add_argument("--to", type=Path, default=ROOT / "results" / "fill", help="default: results/fill")
    options = parser.parse_args(arguments)
    command = "python studies/fill/run.py " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        run = Run.open(options.run)
        if not run.config.model.hidden_parts:
            raise RunError(f"{run.path}: model.hidden_parts is false; allowed: true")
        dataset = Dataset.open(options.dataset or run.config.data.path)
        study = Study(EvaluationContext.of(run, dataset), options.count)
        found = study.measure()
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    keys = ("command", "steps", "seconds", "versions", "revision", "machine")
    facts = {"command": command, "run": {key: run.facts.get(key) for key in keys}}
    options.to.mkdir(parents=True, exist_ok=True)
    write_text(
        options.to / "fill.json", json.dumps(plain({**facts, **found}), indent=1, allow_nan=False) + "\n", RunError
    )
    write_text(options.to / "fill.md", table(found), RunError)
    study.draw(options.to / "fill.png")
    print(table(found))
    print(f"written to {options.to}: fill.json, fill.md, fill.png")
    return 0


def hidden_tasks(layout: Layout, steps: int) -> dict[str, np.ndarray]:
    """What is known in each task: levels int32 [T, C]."""
    columns = np.array([column.track for column in layout.columns])
    last, bar = len(layout.names) - 1, layout.bar_steps
    step = np.arange(steps)[:, np.newaxis]
    known = {
        "harmonise": columns == 0,
        "inner": (columns == 0) | (columns == last),
        "second bar": step < steps - bar,
        "first bar": step >= bar,
    }
    return {name: np.where(np.broadcast_to(some, (steps, len(columns))), KNOWN, FREE) for name, some in known.items()}


class Study:
    """The phrases, and what is made of them.

    Args:
        context: the model.
        count: phrases of each genre.
    """

    def __init__(self, context: EvaluationContext, count: int):
        self._context, self._layout = context, context.layout
        held_out = HeldOut.read(context.dataset, context.run.config, "test", count * len(context.genres), SEED)
        rows = np.concatenate([held_out.of_genre(genre)[:count] for genre in range(len(context.genres))])
        self._real = held_out.of(rows)
        names = np.array([context.dataset.songs[song]["id"] for song in self._real.songs])
        self._music = Music(self._real.tokens, self._real.genre, names)
        self._noise = shuffled_voices(self._real.tokens, self._layout, SEED)
        self._tasks = hidden_tasks(self._layout, self._real.tokens.shape[1])
        self._seeds = row_seeds(SEED, _SEEDS, len(rows))
        self._pictures: list[tuple[str, np.ndarray]] = []

    def measure(self) -> dict[str, Any]:
        """All tasks and systems, and the other genres."""
        counts = dict(zip(self._context.genres, np.bincount(self._real.genre).tolist(), strict=True))
        found: dict[str, Any] = {"phrases": counts, "tasks": {}}
        for name, known in progress(list(self._tasks.items()), title="filling", unit="tasks"):
            levels = np.broadcast_to(known, self._real.tokens.shape)
            systems: dict[str, Callable[[np.ndarray], np.ndarray]] = {
                "model": self._filled, "mean code": self._surest, "rests": self._with_rests, "nearest": self._nearest
            }  # fmt: skip
            if name.endswith("bar"):
                systems["copy"] = self._copied
            made = {
                system: np.where(levels == KNOWN, self._real.tokens, make(levels)) for system, make in systems.items()
            }
            self._pictures += [(name, np.stack([self._real.tokens[0], made["model"][0]]))]
            found["tasks"][name] = {
                "real": self._judge(self._real.tokens, levels),
                **{system: self._judge(tokens, levels) for system, tokens in made.items()},
            }
        for name, levels in self._kept().items():
            made = np.where(levels == KNOWN, self._real.tokens, self._filled(levels))
            self._pictures += [(name, np.stack([self._real.tokens[0], made[0]]))]
            found["tasks"][name] = {"real": self._judge(self._real.tokens, levels), "model": self._judge(made, levels)}
        if len(self._context.genres) > 1:
            found["other_genres"] = self._other_genres()
        return found

    def _kept(self) -> dict[str, np.ndarray]:
        """The second bar with its rhythm kept, and with its pitches kept in their order."""
        tokens, second = self._real.tokens, self._tasks["second bar"] != KNOWN
        melodic = np.array([column.vocabulary == MELODIC for column in self._layout.columns])
        # A note that goes on from the first bar is none of the second.
        begun = np.cumsum(second & (tokens != HOLD), axis=1) > 0
        return {
            "rhythm kept": np.where(second & melodic & (tokens < REST), ONSET, KNOWN),
            "pitches kept": np.where(second & melodic & begun, PITCH, KNOWN),
        }

    def _filled(self, levels: np.ndarray) -> np.ndarray:
        anywhere = np.full(len(levels), -1)
        return inference.fill(self._context.model, self._real.tokens, levels, anywhere, self._seeds)

    def _surest(self, levels: np.ndarray) -> np.ndarray:
        """With the mean of the posterior of what is known in place of a draw."""
        mean, _ = inference.encode_known(self._context.model, self._real.tokens, levels)
        return inference.decode_known(self._context.model, mean, self._real.tokens, levels, self._seeds)

    def _with_rests(self, levels: np.ndarray) -> np.ndarray:
        """What the model rebuilds of the phrase with rests in the hole."""
        return self._context.decode(inference.encode(self._context.model, self._silent(self._real.tokens, levels))[0])

    def _copied(self, levels: np.ndarray) -> np.ndarray:
        """The other bar, where the hole is a bar."""
        return np.roll(self._real.tokens, self._layout.bar_steps, axis=1)

    def _nearest(self, levels: np.ndarray) -> np.ndarray:
        """The training phrase, in the key, whose notes agree best with the known ones."""
        training, own = self._context.train.tokens, self._silent(self._real.tokens, levels)
        _, rows = nearest(own, self._silent(training, np.broadcast_to(levels[:1], training.shape)), self._layout)
        best, score = training[rows], np.full(len(rows), -1.0)
        for key in _KEYS:
            moved = self._transposed(training[rows], key)
            agree = ((moved == own) & (levels == KNOWN) & onsets(own, self._layout)).sum(axis=(1, 2))
            better = agree > score
            best = np.where(better[:, np.newaxis, np.newaxis], moved, best)
            score = np.maximum(score, agree)
        return best

    def _silent(self, tokens: np.ndarray, levels: np.ndarray) -> np.ndarray:
        rests = np.array([column.vocabulary.rest for column in self._layout.columns])
        return np.where(levels == KNOWN, tokens, rests).astype(np.int32)

    def _transposed(self, tokens: np.ndarray, key: int) -> np.ndarray:
        pitched = np.array(
            [column.vocabulary == MELODIC and not column.spec.is_drum for column in self._layout.columns]
        )
        notes = (tokens < REST) & pitched
        return np.where(notes, np.clip(tokens + key, 0, REST - 1), tokens)

    def _judge(self, tokens: np.ndarray, levels: np.ndarray) -> dict[str, Any]:
        """Notes found again, notes for each there was, the grammar of the phrases, and whether they are told apart."""
        hidden = levels != KNOWN
        there = onsets(self._real.tokens, self._layout) & hidden
        hits = (there & (tokens == self._real.tokens)).sum(axis=(1, 2))
        ours, theirs = ((onsets(some, self._layout) & hidden).sum(axis=(1, 2)) for some in (tokens, self._real.tokens))
        result: dict[str, Any] = {"found": self._ratio(hits, theirs), "notes": self._ratio(ours, theirs)}
        result |= self._grammar(tokens)
        if tokens is not self._real.tokens:
            result["auc"] = tell_apart(self._music, self._music._replace(tokens=tokens), self._layout)
        return result

    def _grammar(self, tokens: np.ndarray) -> dict[str, Any]:
        measures = [grammar(some, self._layout) for some in (tokens, self._real.tokens, self._noise)]
        result = {}
        for key in BARS:
            own, real, noise = (Counts(*measure[key]) for measure in measures)
            value = self._ratio(own.parts, own.wholes)
            share = likeness(own.value, real.value, noise.value)
            result[key] = {**value, "real": real.value, "shuffled": noise.value, "likeness": share}
        return result

    def _ratio(self, parts: np.ndarray, wholes: np.ndarray) -> dict[str, float]:
        """A share of all phrases together, with limits over songs."""
        sums = (np.asarray(values, np.float64) for values in (parts, wholes))
        return Ratio(*sums, self._music.songs).interval()._asdict()

    def _other_genres(self) -> dict[str, Any]:
        """The highest track of every phrase with the other tracks in every other genre."""
        genres = len(self._context.genres)
        levels = np.broadcast_to(self._tasks["harmonise"], self._real.tokens.shape)
        rows = np.repeat(np.arange(len(levels)), genres - 1)
        target = np.concatenate([np.delete(np.arange(genres), genre) for genre in self._real.genre])
        seeds = row_seeds(SEED, _SEEDS + 1, len(rows))
        tokens = inference.fill(self._context.model, self._real.tokens[rows], levels[rows], target, seeds)
        said = self._context.classifier.predict(tokens) == target
        result: dict[str, Any] = {"phrases": len(rows)}
        songs = self._music.songs[rows]
        result["as_asked"] = Ratio(said.astype(np.float64), np.ones(len(said)), songs).interval()._asdict()
        real = [grammar(some, self._layout) for some in (self._real.tokens, self._noise)]
        # Held against real music of the genre that was asked for, genre by genre.
        own = grammar(tokens, self._layout)
        for key in BARS:
            shares = []
            for genre in range(genres):
                here, there = target == genre, self._real.genre == genre
                three = [Counts(own[key].parts[here], own[key].wholes[here]),
                         *(Counts(some[key].parts[there], some[key].wholes[there]) for some in real)]  # fmt: skip
                shares.append(likeness(*(one.value for one in three)))
            result[key] = {"likeness": float(np.mean(shares)), "least": float(np.min(shares))}
        return result

    def draw(self, path: Path) -> None:
        """Draw a phrase of each task, and what was made of it."""
        titles = [f"{name}: {title}" for name, _ in self._pictures for title in ("real", "filled")]
        sheet = picture_grid(np.concatenate([pair for _, pair in self._pictures]), self._layout, titles, columns=2)
        picture = io.BytesIO()
        image.imsave(picture, sheet, format="png")
        write_bytes(path, picture.getvalue(), RunError)


def table(found: dict[str, Any]) -> str:
    """The findings as Markdown."""
    head = ["hidden", "filled by", "notes found again", "notes for one", "AUC", *(TITLES[key] for key in BARS)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for task, systems in found["tasks"].items():
        for system, row in systems.items():
            auc = f"{row['auc']:.3f}" if "auc" in row else ""
            cells = [task, system, _span(row["found"]), f"{row['notes']['value']:.2f}", auc]
            cells += [f"{_span(row[key])}, {row[key]['likeness']:.2f}" for key in BARS]
            lines.append("| " + " | ".join(cells) + " |")
    phrases = ", ".join(f"{count} {genre}" for genre, count in found["phrases"].items())
    lines += [
        "",
        f"Phrases: {phrases}. Limits are 95 % over songs; after each musical measure stands how much of the way ",
    ]
    lines[-1] += "from shuffled to real music has been gone."
    if other := found.get("other_genres"):
        kept = ", ".join(f"{TITLES[key]} {other[key]['likeness']:.2f}" for key in BARS)
        lines += ["", f"Harmonised in every other genre ({other['phrases']} phrases): as asked "]
        lines[-1] += f"{_span(other['as_asked'])}; shares of the way to real music of the genre: {kept}."
    return "\n".join(lines) + "\n"


def _span(value: dict[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


if __name__ == "__main__":
    sys.exit(main())
