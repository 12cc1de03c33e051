"""Curves over the steps of a run: learning rate and weight of the adversarial term. Pure functions of the step."""

import bisect
import math

from musae_tf.config import RegularisationConfig, TrainingConfig


def learning_rate_share(config: TrainingConfig, step: int) -> float:
    """Share of the full learning rate at a step: linear warm-up, then a half cosine down to `final_learning_rate`."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.final_learning_rate + (1 - config.final_learning_rate) * cosine


def regularisation_weight(config: RegularisationConfig, step: int) -> float:
    """Weight of the adversarial term at a step."""
    steps = [point for point, _ in config.points]
    weights = [weight for _, weight in config.points]
    at = bisect.bisect_right(steps, step) - 1
    if config.between == "step" or at == len(steps) - 1:
        return weights[at]
    share = (step - steps[at]) / (steps[at + 1] - steps[at])
    return weights[at] + share * (weights[at + 1] - weights[at])
