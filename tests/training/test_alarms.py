import math

import numpy as np
import pytest

from musae_tf.errors import TrainingError
from musae_tf.music import HOLD, REST, get_layout
from musae_tf.training.alarms import Alarms

HEALTHY = {"reconstruction": 2.0, "wasserstein": 3.0, "gradient_norm": 1.0}


@pytest.fixture
def alarms() -> Alarms:
    return Alarms(get_layout("voices"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", HEALTHY)
def test_numbers_that_are_none_stop_the_run_and_say_what_to_change(alarms, name, value):
    alarms.check_numbers(10, HEALTHY)
    with pytest.raises(TrainingError, match=rf"step 20: {name} is .*learning_rate"):
        alarms.check_numbers(20, {**HEALTHY, name: value})


@pytest.mark.parametrize("name", ["wasserstein", "style_wasserstein"])
def test_a_critic_that_runs_away_stops_the_run(alarms, name):
    alarms.check_numbers(10, {"adversarial": 1e6})  # that one is not a distance
    with pytest.raises(TrainingError, match=rf"\({name} -1e\+06\); raise critic\.gradient_penalty"):
        alarms.check_numbers(20, {**HEALTHY, name: -1e6})


def music(rng) -> np.ndarray:
    return rng.choice([60, 64, REST, HOLD], (5, 32, 4))


@pytest.mark.parametrize(("symbol", "name"), [(HOLD, "holds"), (REST, "rests")])
def test_a_dead_model_stops_the_run_after_a_while(alarms, symbol, name):
    original = music(np.random.default_rng(0))
    dead = np.full_like(original, symbol)
    for step in (1, 2, 3):
        alarms.check_music(step, dead, original)
    alarms.check_music(4, original, original)  # it was only slow to start
    for step in (5, 6, 7):
        alarms.check_music(step, dead, original)
    with pytest.raises(TrainingError, match=f"nothing but {name}"):
        alarms.check_music(8, dead, original)


def test_music_that_is_all_rests_is_not_a_dead_model(alarms):
    silence = np.full((5, 32, 4), REST)
    for step in range(10):
        alarms.check_music(step, silence, silence)


def test_kits_have_no_hold_to_be_stuck_on():
    layout = get_layout("band")
    rng = np.random.default_rng(0)
    original = np.concatenate([rng.integers(0, 512, (5, 32, 1)), rng.integers(0, 130, (5, 32, 3))], -1)
    watch = Alarms(layout)
    for step in range(10):
        watch.check_music(step, original, original)


def test_a_run_goes_on_with_the_count_of_its_checkpoint():
    original = music(np.random.default_rng(0))
    resumed = Alarms(get_layout("voices"), dead=3)
    with pytest.raises(TrainingError, match="4 evaluations in a row"):
        resumed.check_music(8, np.full_like(original, HOLD), original)


def test_one_skipped_step_is_no_reason_to_stop_but_many_in_a_row_are(alarms):
    alarms.check_skipped(10, 0)
    alarms.check_skipped(20, 19)
    with pytest.raises(TrainingError, match=r"step 30: the last 20 steps .*training\.skip_norm"):
        alarms.check_skipped(30, 20)
