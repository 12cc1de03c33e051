"""Early alarms: a run that cannot succeed stops with a sentence that says what to change."""

import math
from collections.abc import Mapping

import numpy as np

from musae_tf.errors import TrainingError
from musae_tf.music import Layout

# A healthy Wasserstein estimate is below a few tens; a critic without Lipschitz control runs away by decades.
_CRITIC_LIMIT = 1e5
# The share of one symbol above which a reconstruction counts as dead, if the music itself is below it.
_DEAD_SHARE = 0.999
# A young model is all hold for a while, so it must stay so over several evaluations.
_DEAD_EVALUATIONS = 4
# One bad batch is no reason to stop; nothing but bad ones is.
_SKIPPED_IN_A_ROW = 20


class Alarms:
    """Watches the numbers of a run.

    Args:
        layout: what the tracks are.
        dead: evaluations in a row, up to now, in which the model was dead; for a run that goes on.
    """

    def __init__(self, layout: Layout, dead: int = 0):
        self._layout = layout
        self.dead = dead

    def check_numbers(self, step: int, numbers: Mapping[str, float]) -> None:
        """Look at the metrics of a step.

        Raises:
            TrainingError: a number is not finite, or the critic has run away.
        """
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"stopped at step {step}: {name} is {value}; lower training.learning_rate or "
                    "critic.learning_rate, or set training.clip_norm to 1"
                )
            if name in ("wasserstein", "style_wasserstein") and abs(value) > _CRITIC_LIMIT:
                raise TrainingError(
                    f"stopped at step {step}: the critic has blown up ({name} {value:.3g}); raise "
                    "critic.gradient_penalty (10 is usual) or lower critic.learning_rate"
                )

    def check_skipped(self, step: int, in_a_row: int) -> None:
        """Look at the number of steps up to this one, in a row, in which an update was skipped.

        Raises:
            TrainingError: too many.
        """
        if in_a_row >= _SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"stopped at step {step}: the last {in_a_row} steps had gradients that are not finite or larger than "
                "training.skip_norm; lower training.learning_rate or critic.learning_rate, or raise training.skip_norm "
                "if large gradients are right here"
            )

    def check_music(self, step: int, rebuilt: np.ndarray, original: np.ndarray) -> None:
        """Look at reconstructions, integers [N, T, K] each.

        Raises:
            TrainingError: several evaluations in a row gave nothing but rests or holds where the music has notes.
        """
        symbol = self._dead_symbol(rebuilt, original)
        self.dead = self.dead + 1 if symbol else 0
        if self.dead >= _DEAD_EVALUATIONS:
            raise TrainingError(
                f"stopped at step {step}: {self.dead} evaluations in a row decode to nothing but {symbol}; lower "
                "the weight in regularisation.weight_schedule, start it later, or raise training.learning_rate"
            )

    def _dead_symbol(self, rebuilt: np.ndarray, original: np.ndarray) -> str | None:
        for name in ("hold", "rest"):
            symbols = np.array([getattr(track.vocabulary, name) if getattr(track.vocabulary, name) is not None else -1
                                for track in self._layout.columns])  # fmt: skip
            share = np.mean(rebuilt == symbols)
            if share > _DEAD_SHARE >= np.mean(original == symbols):
                return f"{name}s"
        return None
