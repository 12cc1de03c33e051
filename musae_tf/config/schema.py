"""The configuration as frozen dataclasses: every key, its type, its default and what it may be.

`configs/base.yaml` lists the same keys with a comment each; a test keeps the two equal.
"""

from dataclasses import dataclass, field
from typing import Literal

from musae_tf.errors import ConfigError


def _check(condition: bool, key: str, found: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{key} is {found!r}; allowed: {allowed}")


@dataclass(frozen=True)
class MusicConfig:
    """What a phrase is."""

    layout: str = "voices"
    bars: int = 2
    drums: Literal["kit", "voice"] = "kit"

    def __post_init__(self) -> None:
        _check(1 <= self.bars <= 64, "music.bars", self.bars, "1 to 64")


@dataclass(frozen=True)
class DataConfig:
    """Which phrases are trained on, and how they are varied."""

    path: str = "datasets/corpus"
    balance: bool = True
    transpose: tuple[int, int] = (-5, 6)
    sounding: Literal["all", "any"] = "all"

    def __post_init__(self) -> None:
        low, high = self.transpose
        _check(
            -24 <= low <= 0 <= high <= 24,
            "data.transpose",
            list(self.transpose),
            "[low, high], -24 <= low <= 0 <= high <= 24",
        )


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the encoder and the decoder."""

    core: Literal["beat", "step"] = "beat"
    latent: int = 128
    embedding: int = 32
    encoder_units: int = 384
    encoder_layers: int = 1
    decoder_units: int = 512
    decoder_layers: int = 1
    noise_floor: float = 0.1

    def __post_init__(self) -> None:
        for key in ("latent", "encoder_units", "encoder_layers", "decoder_units", "decoder_layers"):
            _check(getattr(self, key) >= 1, f"model.{key}", getattr(self, key), "1 or more")
        _check(self.embedding >= 0, "model.embedding", self.embedding, "0 (one-hot) or more")
        _check(0.0 <= self.noise_floor < 1.0, "model.noise_floor", self.noise_floor, "0 <= noise_floor < 1")


@dataclass(frozen=True)
class PriorConfig:
    """Where each genre's Gaussian lies in the latent space."""

    geometry: Literal["flower", "simplex", "learned"] = "simplex"
    separation: float = 6.0
    axes: int = 8
    radial_variance: float = 0.1
    tangential_variance: float = 0.001

    def __post_init__(self) -> None:
        _check(self.separation >= 0, "prior.separation", self.separation, "0 or more")
        _check(self.axes >= 1, "prior.axes", self.axes, "1 or more")
        for key in ("radial_variance", "tangential_variance"):
            _check(getattr(self, key) > 0, f"prior.{key}", getattr(self, key), "more than 0")


@dataclass(frozen=True)
class CriticConfig:
    """The discriminator: a Wasserstein critic with gradient penalty, and its side of the game."""

    units: tuple[int, ...] = (512, 512)
    activation: Literal["tanh", "relu", "leaky_relu", "gelu"] = "leaky_relu"
    steps: int = 5
    learning_rate: float = 5e-4
    beta_1: float = 0.0
    gradient_penalty: float = 10.0

    def __post_init__(self) -> None:
        _check(
            len(self.units) >= 1 and min(self.units) >= 1,
            "critic.units",
            list(self.units),
            "one or more sizes of 1 or more",
        )
        _check(self.steps >= 1, "critic.steps", self.steps, "1 or more")
        _check(self.learning_rate > 0, "critic.learning_rate", self.learning_rate, "more than 0")
        _check(0 <= self.beta_1 < 1, "critic.beta_1", self.beta_1, "0 <= beta_1 < 1")
        _check(self.gradient_penalty >= 0, "critic.gradient_penalty", self.gradient_penalty, "0 or more")


@dataclass(frozen=True)
class RegularisationConfig:
    """Weight of the adversarial term: points (step, weight), joined by steps or by lines."""

    points: tuple[tuple[int, float], ...] = ((0, 0.0), (200, 1.0))
    between: Literal["step", "linear"] = "linear"

    def __post_init__(self) -> None:
        steps = [step for step, _ in self.points]
        _check(
            bool(steps) and steps[0] == 0 and steps == sorted(set(steps)),
            "regularisation.points",
            [list(point) for point in self.points],
            "[[0, weight], [step, weight], ...] with rising steps",
        )
        _check(min(w for _, w in self.points) >= 0, "regularisation.points", self.points, "weights of 0 or more")


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop."""

    steps: int = 2000
    minutes: float = 0.0
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate: float = 0.05
    clip_norm: float = 1.0
    clip_value: float = 0.0
    strategy: Literal["auto", "one", "mirrored", "multiworker"] = "auto"
    log_every: int = 20
    evaluate_every: int = 250
    evaluate_phrases: int = 512
    checkpoint_every: int = 250
    keep_checkpoints: int = 2
    deterministic: bool = False

    def __post_init__(self) -> None:
        for key in (
            "steps",
            "batch_size",
            "log_every",
            "evaluate_every",
            "evaluate_phrases",
            "checkpoint_every",
            "keep_checkpoints",
        ):
            _check(getattr(self, key) >= 1, f"training.{key}", getattr(self, key), "1 or more")
        for key in ("minutes", "warmup_steps", "clip_norm", "clip_value"):
            _check(getattr(self, key) >= 0, f"training.{key}", getattr(self, key), "0 (off) or more")
        _check(self.learning_rate > 0, "training.learning_rate", self.learning_rate, "more than 0")
        _check(
            0 <= self.final_learning_rate <= 1,
            "training.final_learning_rate",
            self.final_learning_rate,
            "0 to 1 (a share)",
        )


@dataclass(frozen=True)
class Config:
    """Everything a run depends on besides the dataset."""

    name: str = "musae"
    seed: int = 1
    music: MusicConfig = field(default_factory=MusicConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    regularisation: RegularisationConfig = field(default_factory=RegularisationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        usable = bool(self.name) and all(c.isalnum() or c in "-_." for c in self.name) and self.name[0].isalnum()
        _check(usable, "name", self.name, "letters, digits, '-', '_', '.'")
        _check(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        beats = 4 * self.music.bars
        _check(
            self.model.core != "beat" or self.model.latent % beats == 0,
            "model.latent",
            self.model.latent,
            f"with model.core beat, a multiple of {beats}, the beats of a phrase",
        )
