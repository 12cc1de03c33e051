"""What the numbers say in words, and that the documentation lists the same rules."""

import copy
import json
import re
from pathlib import Path

import pytest

from musae_tf.evaluation.verdict import RULES, measured, still_rises, verdict, verdict_text

ROOT = Path(__file__).parent.parent.parent
FLAT, RISING = [0.7] * 9, [0.1 * step for step in range(9)]


@pytest.fixture
def result() -> dict:
    """The published evaluation of the default preset."""
    return json.loads((ROOT / "results" / "voices" / "evaluation.json").read_text())


def test_a_good_model(result):
    found = verdict(result, FLAT)
    assert found["answer"] == "Yes."
    assert len(found["good"]) == len(RULES)
    assert found["good"][0] == "it gives unseen music back nearly note for note (onset F1 0.83, good from 0.80)"
    assert found["fair"] == found["poor"] == []
    assert "seed=2" in found["next"][0]


@pytest.mark.parametrize(
    ("key", "value", "answer", "grade", "words"),
    [
        ("onset_f1", 0.7, "Mostly.", "fair", "wrong notes in it (onset F1 0.70, good from 0.80)"),
        ("onset_f1", 0.1, "Not yet.", "poor", "does not give unseen music back"),
        ("grammar_chords", 0.2, "Not yet.", "poor", "breaks rules of harmony"),
        ("network_auc_samples", 0.95, "Not yet.", "poor", "nearly always told from real music (AUC 0.95"),
        ("onset_density", 0.9, "In part.", "poor", "far too many or too few notes (off by 0.90, good up to 0.20)"),
        ("samples_as_asked", 0.25, "In part.", "poor", "(0.00 of real music's, good from 0.80)"),
        ("transfer_success", 0.5, "Mostly.", "fair", "transfers often arrive"),
        ("transfer_chroma", 0.44, "In part.", "poor", "transfers lose the harmony"),
        ("interpolation_monotone", 0.5, "In part.", "poor", "interpolations wander"),
        ("copied", 0.3, "In part.", "poor", "knows training songs by heart"),
        ("distinct", 0.9, "Mostly.", "fair", "some of its samples resemble each other"),
    ],
)
def test_a_number_that_falls_short(result, key, value, answer, grade, words):
    result["headlines"][key]["value"] = value
    found = verdict(result, FLAT)
    assert found["answer"] == answer
    assert len(found["good"]) == len(RULES) - 1
    assert words in found[grade][0]
    assert len(found[grade]) == 1
    assert "seed=2" not in found["next"][0]


def test_a_core_that_is_not_good_comes_first_and_a_curve_that_rises_asks_for_more_steps(result):
    rows = result["headlines"]
    rows["onset_f1"]["value"], rows["onset_density"]["value"] = 0.7, 0.9
    assert verdict(result, FLAT)["next"][0].startswith("bring more songs, or train a larger model")
    assert verdict(result, FLAT)["next"][1].startswith("bring more songs of the genre")
    longer = verdict(result, RISING)["next"]
    assert longer[0] == "train longer (training.steps): the onset F1 on validation songs still rose at the end"
    assert longer[1].startswith("bring more songs of the genre")
    assert verdict(result, [0.1, 0.1])["next"][0] == "train longer (training.steps)"
    rows["onset_f1"]["value"] = 0.9
    assert verdict(result, RISING)["next"][0].startswith("bring more songs of the genre")


def test_what_was_not_measured_is_not_judged(result):
    quick = copy.deepcopy(result) | {"quick": True, "songs": 7}
    quick["headlines"] = {"onset_f1": result["headlines"]["onset_f1"]}
    found = verdict(quick, FLAT)
    assert found["answer"].startswith("So far, yes. Only what it gives back was measured")
    assert found["answer"].endswith("Measured on 7 songs only: others may say something else.")
    assert len(found["good"]) == 1
    assert found["next"] == ["measure the rest: musae evaluate without --quick"]
    nothing = verdict(quick | {"headlines": {}, "quick": False}, FLAT)
    assert nothing["answer"] == "That cannot be said: too little could be measured."
    # One genre: there is no chance to be better than, and no other genre to arrive in.
    result["references"]["samples_as_asked"] = {"chance": 1.0, "real music": 1.0}
    del result["references"]["transfer_success"], result["headlines"]["transfer_success"]
    assert measured(result).keys() == {rule.key for rule in RULES} - {"as_asked", "moved"}


def test_a_curve_rises_if_its_last_third_is_higher():
    assert still_rises(RISING)
    assert not any(map(still_rises, ([], [0.1, 0.9], FLAT, RISING[::-1], [0.2, 0.2, 0.6, 0.6, 0.605, 0.605])))


def test_in_a_terminal(result):
    result["headlines"]["onset_density"]["value"] = 0.9
    text = verdict_text(verdict(result, FLAT))
    lines = text.splitlines()
    assert lines[0] == "Is it any good? In part."
    assert lines[1].startswith("  good:     it gives unseen music back")
    assert max(map(len, lines)) <= 100
    assert [line.split(":")[0].strip() for line in lines[1:] if line[2] != " "] == ["good", "not good", "next"]


def test_the_documentation_lists_the_rules():
    text = (ROOT / "docs" / "numbers.md").read_text().split("## Is it any good?")[1].split("\n## ")[0]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in text.splitlines() if line.startswith("|")][2:]
    words = {1: "from", -1: "up to"}
    limits = [[f"{words[rule.sign]} {limit:.2f}" for limit in (rule.good, rule.fair)] for rule in RULES]
    assert [row[2:4] for row in rows] == limits
