"""The cells of the study: which systems, seeds and weights are trained and measured."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from musae_tf.config import Config, load_config

FOLDER = Path(__file__).parent
PRESET = FOLDER.parent.parent / "configs" / "voices.yaml"

SYSTEMS = (
    "musae_gm",
    "musae_gm_shuffled",
    "musae_gm_one",
    "vae",
    "cvae",
    "autoencoder",
    "musae",
    "musae_gm_paper",
    "vae_hierarchical",
    "musae_gm_step",
)
"""In the order of the table; each is a file in systems/."""

SEEDS = (1, 2, 3)

FRONTIER = {"musae_gm": (0.3, 1.0, 3.0), "vae": (0.25, 1.0, 2.5)}
"""Multiples of a system's weight schedule, for the curve of reconstruction against prior match: one seed."""


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation."""

    system: str
    seed: int
    factor: float = 1.0

    @property
    def name(self) -> str:
        """Of its files."""
        weight = "" if self.factor == 1 else f"-weight-x{self.factor:g}"
        return f"{self.system}{weight}-seed-{self.seed}"

    def config(self, overrides: tuple[str, ...] = ()) -> Config:
        """What is trained. `overrides` such as training.steps=10 hold for the whole study."""
        config = load_config(FOLDER / "systems" / f"{self.system}.yaml", [f"seed={self.seed}", *overrides])
        points = [(step, weight * self.factor) for step, weight in _shortened(config)]
        return replace(config, regularisation=replace(config.regularisation, weight_schedule=tuple(points)))


def _shortened(config: Config) -> Iterator[tuple[int, float]]:
    """The schedule of the regularisation at the same shares of the training as in the file that it comes from.

    That is the preset's, unless the system has one of its own, which is written for the steps of base.yaml.
    """
    preset, study = load_config(PRESET), load_config(FOLDER / "base.yaml")
    points, before = config.regularisation.weight_schedule, -1
    origin = preset if points == preset.regularisation.weight_schedule else study
    for step, weight in points:
        # No two points at one step, however short the training.
        before = max(round(step * config.training.steps / origin.training.steps), before + 1)
        yield before, weight


def cells() -> list[Cell]:
    """All of them, a seed of every system before the next seed: a study that was cut short can be read too."""
    frontier = [Cell(system, SEEDS[0], factor) for system, factors in FRONTIER.items() for factor in factors]
    table = [Cell(system, seed) for seed in SEEDS for system in SYSTEMS]
    return list(dict.fromkeys([*table[: len(SYSTEMS)], *frontier, *table]))
