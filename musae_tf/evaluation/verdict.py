"""Is it any good? What the numbers of an evaluation say, in plain words, by rules that docs/numbers.md lists."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from musae_tf.evaluation.grammar import BARS

ENOUGH_SONGS = 20
"""Fewer test songs than these say little of others."""

STILL_RISES = 0.01
"""So much more onset F1 in the last third of a training than in the one before means that it had not ended."""

_ENOUGH_POINTS = 6
_LEAST_WAY = 0.1  # between two references: with less, where a number stands between them says nothing

Grade = Literal["good", "fair", "poor"]


@dataclass(frozen=True)
class Rule:
    """When a number is good, and what to do if it is not.

    Attributes:
        key: names the number, see `measured`.
        what: the number, for people; stands before it, or behind it if it begins with "of".
        good: the number from which it is good; up to which, where `fair` is larger.
        fair: the number from which, or up to which, it is fair; beyond it is poor.
        words: what is said of the model if it is good, fair and poor.
        advice: what to do if it is not good.
    """

    key: str
    what: str
    good: float
    fair: float
    words: tuple[str, str, str]
    advice: str

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is."""
        return 1 if self.good > self.fair else -1

    def grade(self, value: float) -> Grade:
        """Where a number stands."""
        if self.sign * (value - self.good) >= 0:
            return "good"
        return "fair" if self.sign * (value - self.fair) >= 0 else "poor"

    def sentence(self, value: float) -> str:
        """What a number says, and the number itself beside what would be good."""
        words = dict(zip(("good", "fair", "poor"), self.words, strict=True))[self.grade(value)]
        number = f"{value:.2f} {self.what}" if self.what.startswith("of ") else f"{self.what} {value:.2f}"
        return f"{words} ({number}, good {'from' if self.sign > 0 else 'up to'} {self.good:.2f})"


_HEARING = (
    "make music with a lower --temperature; with model.decoder=autoregressive, in which voices hear each other, a "
    "model does better here"
)
RULES = (
    Rule(
        "given_back", "onset F1", 0.8, 0.6,
        ("it gives unseen music back nearly note for note", "it gives unseen music back with wrong notes in it",
         "it does not give unseen music back"),
        "bring more songs, or train a larger model (model.latent, model.encoder_units)",
    ),
    Rule(
        "grammar", "likeness", 0.85, 0.6,
        ("what it makes by itself has the harmony and melody of real music",
         "what it makes by itself has most of the harmony and melody of real music",
         "what it makes by itself breaks rules of harmony or melody that real music keeps"),
        _HEARING,
    ),
    Rule(
        "like_music", "AUC", 0.75, 0.9,
        ("its samples are hard to tell from real music", "its samples can be told from real music",
         "its samples are nearly always told from real music"),
        _HEARING,
    ),
    Rule(
        "density", "off by", 0.2, 0.4,
        ("its samples have as many notes as real music",
         "samples of one genre or more have too many or too few notes",
         "samples of one genre or more have far too many or too few notes"),
        "bring more songs of the genre whose samples are too full or too empty; musae change mends a single piece",
    ),
    Rule(
        "as_asked", "of real music's", 0.8, 0.5,
        ("its samples are of the genre that is asked for", "its samples are often of the genre that is asked for",
         "its samples are seldom of the genre that is asked for"),
        "raise prior.sample_mean_scale; a fitted prior, prior.fitted=true, draws where the codes of a genre are",
    ),
    Rule(
        "moved", "of the way", 0.7, 0.4,
        ("transfers arrive in the other genre", "transfers often arrive in the other genre",
         "transfers seldom arrive in the other genre"),
        "raise prior.transfer_scale, or musae transfer --strength",
    ),
    Rule(
        "kept", "of it", 0.5, 0.3,
        ("transfers keep the harmony of their piece", "transfers keep some of the harmony of their piece",
         "transfers lose the harmony of their piece"),
        "lower prior.transfer_scale, or musae transfer --strength",
    ),
    Rule(
        "steady", "monotone", 0.9, 0.7,
        ("interpolations go steadily from one piece to the other", "interpolations mostly go on from one to the other",
         "interpolations wander"),
        "raise the weight of the prior (regularisation.weight_schedule)",
    ),
    Rule(
        "copied", "more copies", 0.05, 0.15,
        ("it copies training songs no more than composers do", "it copies training songs more than composers do",
         "it knows training songs by heart"),
        "bring more songs, or stop earlier (training.steps)",
    ),
    Rule(
        "repeated", "more alike", 0.05, 0.2,
        ("its samples differ from each other", "some of its samples resemble each other",
         "its samples repeat each other"),
        "raise the --temperature, or prior.sample_noise_scale",
    ),
)  # fmt: skip

CORE = ("given_back", "grammar", "like_music")
"""A model that is poor in one of these is not good, whatever else it can do."""


def measured(result: dict[str, Any]) -> dict[str, float]:
    """The numbers that the rules are about, by key; those that were not measured are left out.

    Args:
        result: what evaluation.json holds, with its headlines and references.
    """
    rows, references = result["headlines"], result["references"]

    def value(key: str) -> float:
        return float(rows.get(key, {}).get("value", np.nan))

    def beside(key: str, what: str) -> float:
        return float(references.get(key, {}).get(what, np.nan))

    def way(key: str, start: str, end: str) -> float:
        distance = beside(key, end) - beside(key, start)
        gone = value(key) - beside(key, start)
        return float(np.minimum(gone / distance, 1.0)) if distance > _LEAST_WAY else np.nan

    def above(one: float, other: float) -> float:
        return float(np.maximum(one - other, 0.0))

    grammar = [found for key in BARS if np.isfinite(found := value(f"grammar_{key}"))]
    numbers = {
        "given_back": value("onset_f1"),
        "grammar": min(grammar, default=np.nan),
        "like_music": value("network_auc_samples"),
        "density": value("onset_density"),
        "as_asked": way("samples_as_asked", "chance", "real music"),
        "moved": way("transfer_success", "reconstruction", "another piece"),
        "kept": way("transfer_chroma", "another piece", "reconstruction"),
        "steady": value("interpolation_monotone"),
        "copied": above(value("copied"), beside("copied", "real music")),
        "repeated": above(beside("distinct", "real music"), value("distinct")),
    }
    return {key: float(number) for key, number in numbers.items() if np.isfinite(number)}


def verdict(result: dict[str, Any], curve: Sequence[float] = ()) -> dict[str, Any]:
    """What the numbers say.

    Args:
        result: what evaluation.json holds, with its headlines and references.
        curve: onset F1 on validation songs, evenly over the training.

    Returns:
        `answer`, a sentence; what is `good`, `fair` and `poor`, and what to do `next`, lists of sentences.
    """
    numbers = measured(result)
    graded: dict[str, list[Rule]] = {"good": [], "fair": [], "poor": []}
    for rule in RULES:
        if rule.key in numbers:
            graded[rule.grade(numbers[rule.key])].append(rule)
    told = {grade: [rule.sentence(numbers[rule.key]) for rule in rules] for grade, rules in graded.items()}
    return {"answer": _answer(result, graded), **told, "next": _next(graded, result["quick"], curve)}


def _answer(result: dict[str, Any], graded: dict[str, list[Rule]]) -> str:
    if not any(graded.values()):
        return "That cannot be said: too little could be measured."
    if any(rule.key in CORE for rule in graded["poor"]):
        answer = "Not yet."
    elif graded["poor"]:
        answer = "In part."
    elif graded["fair"]:
        answer = "Mostly."
    else:
        answer = "Yes." if all(rule in graded["good"] for rule in RULES if rule.key in CORE) else "So far, yes."
    if result["quick"]:
        answer += " Only what it gives back was measured, nothing that it makes by itself."
    if result["songs"] < ENOUGH_SONGS:
        answer += f" Measured on {result['songs']} songs only: others may say something else."
    return answer


def _next(graded: dict[str, list[Rule]], quick: bool, curve: Sequence[float]) -> list[str]:
    """At most two things to do: for the core first, and for what is worst."""
    short = sorted([*graded["poor"], *graded["fair"]], key=lambda rule: rule.key not in CORE)
    advice: list[str] = []
    if any(rule.key in CORE for rule in short) and (len(curve) < _ENOUGH_POINTS or still_rises(curve)):
        more = ": the onset F1 on validation songs still rose at the end" if still_rises(curve) else ""
        advice.append(f"train longer (training.steps){more}")
        short = [rule for rule in short if rule.key not in CORE]
    if quick:
        advice.append("measure the rest: musae evaluate without --quick")
    advice += dict.fromkeys(rule.advice for rule in short)
    return advice[:2] or ["train it again with --set seed=2 before you believe a small difference; then musae export"]


def still_rises(curve: Sequence[float]) -> bool:
    """Whether the last third of a curve is higher on average than the one before."""
    third = len(curve) // 3
    return third > 0 and float(np.mean(curve[-third:]) - np.mean(curve[-2 * third : -third])) > STILL_RISES


def verdict_text(found: dict[str, Any], width: int = 100) -> str:
    """The same for a terminal: a paragraph, and a list of what to do."""
    lines = [f"Is it any good? {found['answer']}"]
    for grade, title in (("good", "good"), ("fair", "fair"), ("poor", "not good"), ("next", "next")):
        for number, sentence in enumerate(found[grade]):
            head = f"  {title + ':' if number == 0 else '':<10}"
            lines.append(textwrap.fill(sentence, width, initial_indent=head, subsequent_indent=" " * len(head)))
    return "\n".join(lines)
