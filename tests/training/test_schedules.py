import pytest

from musae_tf.config import RegularisationConfig, TrainingConfig
from musae_tf.models.optimizer import learning_rate_share, regularisation_weight


def test_learning_rate_warms_up_and_comes_down():
    config = TrainingConfig(steps=1000, warmup_steps=100, final_learning_rate=0.1)
    shares = [learning_rate_share(config, step) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert max(shares) == shares[100] == pytest.approx(1.0)
    assert shares[100:] == sorted(shares[100:], reverse=True)
    assert shares[-1] == pytest.approx(0.1, abs=1e-4)
    assert learning_rate_share(config, 5000) == pytest.approx(0.1)


def test_the_authors_weight_is_a_step_function():
    config = RegularisationConfig(((0, 0.0), (5000, 0.1), (10000, 0.2)), "step")
    expected = {0: 0.0, 4999: 0.0, 5000: 0.1, 9999: 0.1, 10000: 0.2, 99999: 0.2}
    assert {step: regularisation_weight(config, step) for step in expected} == expected


def test_points_can_be_joined_by_lines():
    config = RegularisationConfig(((0, 0.0), (100, 1.0), (200, 0.5)), "linear")
    expected = {0: 0.0, 25: 0.25, 100: 1.0, 150: 0.75, 200: 0.5, 999: 0.5}
    assert {step: regularisation_weight(config, step) for step in expected} == pytest.approx(expected)
