"""Schedules that end with the minutes when the steps do not."""

import itertools
from types import SimpleNamespace

import pytest

from musae_tf.config import load_config
from musae_tf.evaluation import QuickEvaluator
from musae_tf.training import Run, train, trainer
from musae_tf.training.checkpoints import read_log
from musae_tf.training.schedule import Schedule


def places(schedule: Schedule, steps: int, seconds, first: int = 0) -> list[float]:
    """The place of each step until the time or the steps are over; `seconds` of a step, by its number."""
    found, now = [schedule.place], sum(seconds(step) for step in range(first))
    for step in range(first, steps):
        following = schedule.advance(step + 1, now)
        now += seconds(step)
        if schedule.over(now):
            break
        found.append(following)
    return found


def test_on_a_quick_machine_the_place_is_the_number_of_the_step():
    assert places(Schedule(500, 10.0, 0), 500, lambda step: 1.0) == list(range(501))
    assert places(Schedule(500, 0.0, 0), 500, lambda step: 1e6) == list(range(501))
    assert places(Schedule(500, 10.0, 120), 500, lambda step: 1.0, first=120) == list(range(120, 501))


def test_the_first_step_which_builds_graphs_hurries_nothing():
    assert places(Schedule(500, 10.0, 0), 500, lambda step: 40.0 if step == 0 else 1.0) == list(range(501))


@pytest.mark.parametrize("share", [0.1, 0.23, 0.5, 0.9])
def test_on_a_slow_machine_the_whole_way_is_gone_in_fewer_steps(share):
    found = places(Schedule(2000, 10.0, 0), 2000, lambda step: 600 / (2000 * share))
    assert len(found) == pytest.approx(2000 * share, abs=2)
    assert 1990 <= found[-1] <= 2000
    assert all(0 < after - before < 4 / share for before, after in itertools.pairwise(found))
    # But for the first steps, whose time is not known, it goes evenly.
    middle = found[len(found) // 2]
    assert middle == pytest.approx(1000, abs=70)


def test_a_machine_that_slows_down_and_recovers_still_arrives_with_its_last_step():
    found = places(Schedule(1000, 10.0, 0), 1000, lambda step: 2.0 if 200 <= step < 300 else 0.42)
    assert len(found) == 1001
    assert found[-1] == 1000
    assert found[:200] == list(range(200))
    assert found[260] > 261
    assert all(before <= after for before, after in itertools.pairwise(found))


def test_a_run_that_goes_on_goes_on_the_same_curve():
    def seconds(step: int) -> float:
        return 1.0

    whole = places(Schedule(2000, 10.0, 0), 2000, seconds)
    again = places(Schedule(2000, 10.0, whole[300]), 2000, seconds, first=300)
    assert again[-1] >= 1990
    for one, other in zip(whole[300:], again, strict=False):
        assert one == pytest.approx(other, abs=120)  # it looks at the time of some steps before it hurries again


def test_a_run_whose_minutes_are_over_has_a_low_rate_and_its_last_weight(tiny_dataset, tmp_path, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    changes = [
        "training.steps=600", "training.log_every=5", "training.evaluate_every=600", "training.checkpoint_every=600",
        "training.batch_size=8", "regularisation.weight_schedule=[[0, 0.1], [300, 0.2], [600, 0.7]]",
        "data.sounding=any", "training.minutes=6",
    ]  # fmt: skip
    run = Run.create(tmp_path / "run", load_config("tiny", changes), tiny_dataset)
    said: list[str] = []
    assert train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset), said.append) == 0
    facts = Run.open(run.path).facts
    assert facts["ended_by"] == "minutes"
    assert 60 < facts["steps"] < 400
    assert any(f"training.minutes (6) are over at step {facts['steps']} of 600" in line for line in said)
    last = [line for line in read_log(run.path) if line["kind"] == "train"][-1]
    assert last["weight"] == pytest.approx(0.7, abs=0.03)
    final = run.config.training.learning_rate * run.config.training.final_learning_rate
    assert last["learning_rate"] == pytest.approx(final, rel=0.1)
