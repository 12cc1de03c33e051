"""The configuration as frozen dataclasses: every key, its type, its default and what it may be.

`configs/base.yaml` lists the same keys with a comment each; a test keeps the two equal.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from musae_tf.errors import ConfigError, MusicError
from musae_tf.time_grid import TimeGrid


def _check(condition: bool, key: str, found: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{key} is {found!r}; allowed: {allowed}")


class PhraseShape(NamedTuple):
    """How a phrase is divided: bars, beats in all of them, steps of a beat."""

    bars: int
    beats: int
    beat_steps: int

    @property
    def steps(self) -> int:
        """T."""
        return self.beats * self.beat_steps


@dataclass(frozen=True)
class MusicConfig:
    """What a phrase is."""

    layout: str = "voices"
    bars: int = 2
    drums: Literal["kit", "voice"] = "kit"
    grid: str = "4/4x4"

    def __post_init__(self) -> None:
        _check(1 <= self.bars <= 64, "music.bars", self.bars, "1 to 64")
        try:
            TimeGrid.parse(self.grid)
        except MusicError as cause:
            raise ConfigError(f"music.{cause}") from None

    @property
    def phrase(self) -> PhraseShape:
        """Its bars, beats and steps."""
        time = TimeGrid.parse(self.grid)
        return PhraseShape(self.bars, self.bars * time.beats, time.steps_per_beat)


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
    """Which system, and the sizes of the encoder and the decoder, which all systems share."""

    kind: Literal["musae_gm", "musae", "vae", "cvae", "autoencoder"] = "musae_gm"
    core: Literal["beat", "step"] = "beat"
    decoder: Literal["flat", "hierarchical", "autoregressive"] = "flat"
    latent: int = 128
    embedding: int = 32
    encoder_units: int = 384
    encoder_layers: int = 1
    decoder_units: int = 512
    decoder_layers: int = 1
    min_posterior_std: float = 0.1
    hidden_parts: bool = False
    known_ahead: bool = False

    def __post_init__(self) -> None:
        _check(
            not self.hidden_parts or (self.decoder == "autoregressive" and self.kind != "autoencoder"),
            "model.hidden_parts",
            self.hidden_parts,
            f"false with model.decoder {self.decoder} and model.kind {self.kind}; it is for autoregressive decoders "
            "and codes with a deviation",
        )
        _check(
            not self.known_ahead or self.decoder == "autoregressive",
            "model.known_ahead",
            self.known_ahead,
            f"false with model.decoder {self.decoder}; it is for autoregressive decoders",
        )
        for key in ("latent", "encoder_units", "encoder_layers", "decoder_units", "decoder_layers"):
            _check(getattr(self, key) >= 1, f"model.{key}", getattr(self, key), "1 or more")
        _check(self.embedding >= 0, "model.embedding", self.embedding, "0 (one-hot) or more")
        floor = self.min_posterior_std
        _check(0.0 <= floor < 1.0, "model.min_posterior_std", floor, "0 or more, below 1")


@dataclass(frozen=True)
class PriorConfig:
    """Where each genre's Gaussian lies in the latent space."""

    geometry: Literal["flower", "simplex", "learned"] = "simplex"
    fitted: bool = False
    sample_noise_scale: float = 1.0
    sample_mean_scale: float = 1.0
    transfer_scale: float = 1.0
    separation: float = 6.0
    axes: int = 8
    radial_variance: float = 0.1
    tangential_variance: float = 0.001

    def __post_init__(self) -> None:
        _check(self.sample_noise_scale >= 0, "prior.sample_noise_scale", self.sample_noise_scale, "0 or more")
        _check(self.sample_mean_scale >= 0, "prior.sample_mean_scale", self.sample_mean_scale, "0 or more")
        _check(self.transfer_scale > 0, "prior.transfer_scale", self.transfer_scale, "more than 0")
        _check(self.separation >= 0, "prior.separation", self.separation, "0 or more")
        _check(self.axes >= 1, "prior.axes", self.axes, "1 or more")
        for key in ("radial_variance", "tangential_variance"):
            _check(getattr(self, key) > 0, f"prior.{key}", getattr(self, key), "more than 0")


@dataclass(frozen=True)
class StyleConfig:
    """The second code of `model.kind` musae: one number a genre, which says how much of it a phrase has."""

    deviation: float = 0.1
    supervision: float = 1.0

    def __post_init__(self) -> None:
        _check(0 < self.deviation <= 1, "style.deviation", self.deviation, "more than 0, up to 1")
        _check(self.supervision >= 0, "style.supervision", self.supervision, "0 or more")


@dataclass(frozen=True)
class CriticConfig:
    """The discriminator, a Wasserstein critic with gradient penalty, and how it is trained."""

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
    """What pulls the codes to the prior: the schedule of its weight, (step, weight), and further terms of the loss."""

    weight_schedule: tuple[tuple[int, float], ...] = ((0, 0.0), (200, 1.0))
    interpolation: Literal["step", "linear"] = "linear"
    infomax: float = 0.0
    order: float = 0.0
    divergence: float = 0.0

    def __post_init__(self) -> None:
        steps = [step for step, _ in self.weight_schedule]
        found = [list(point) for point in self.weight_schedule]
        _check(
            bool(steps) and steps[0] == 0 and steps == sorted(set(steps)),
            "regularisation.weight_schedule",
            found,
            "[[0, weight], [step, weight], ...] with rising steps",
        )
        _check(min(w for _, w in self.weight_schedule) >= 0, "regularisation.weight_schedule", found, "0 or more")
        for key in ("infomax", "order", "divergence"):
            _check(getattr(self, key) >= 0, f"regularisation.{key}", getattr(self, key), "0 (off) or more")


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop."""

    start_from: str = ""
    steps: int = 2000
    minutes: float = 0.0
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate: float = 0.05
    clip_norm: float = 1.0
    clip_value: float = 0.0
    skip_norm: float = 1e4
    precision: Literal["float32", "bfloat16"] = "float32"
    accumulate: int = 1
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
            "accumulate",
            "log_every",
            "evaluate_every",
            "evaluate_phrases",
            "checkpoint_every",
            "keep_checkpoints",
        ):
            _check(getattr(self, key) >= 1, f"training.{key}", getattr(self, key), "1 or more")
        for key in ("minutes", "warmup_steps", "clip_norm", "clip_value", "skip_norm"):
            _check(getattr(self, key) >= 0, f"training.{key}", getattr(self, key), "0 (off) or more")
        _check(
            self.batch_size % self.accumulate == 0,
            "training.batch_size",
            self.batch_size,
            f"with training.accumulate {self.accumulate}, a multiple of it",
        )
        _check(self.learning_rate > 0, "training.learning_rate", self.learning_rate, "more than 0")
        _check(
            0 <= self.final_learning_rate <= 1,
            "training.final_learning_rate",
            self.final_learning_rate,
            "0 to 1 (a share)",
        )


@dataclass(frozen=True)
class Architecture:
    """What it takes to build a model; how it is trained is not among it."""

    music: MusicConfig = field(default_factory=MusicConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    style: StyleConfig = field(default_factory=StyleConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)

    def __post_init__(self) -> None:
        beats = self.music.phrase.beats
        _check(
            self.model.core != "beat" or self.model.latent % beats == 0,
            "model.latent",
            self.model.latent,
            f"with model.core beat, a multiple of {beats}, the beats of a phrase",
        )
        _check(
            self.model.core != "beat" or self.model.decoder == "flat" or self.model.decoder_units % 4 == 0,
            "model.decoder_units",
            self.model.decoder_units,
            f"with model.core beat and model.decoder {self.model.decoder}, a multiple of 4",
        )
        if self.model.decoder == "autoregressive":
            _check(self.model.core == "beat", "model.core", self.model.core, "beat with model.decoder autoregressive")
            _check(self.model.embedding > 0, "model.embedding", 0, "1 or more with model.decoder autoregressive")


@dataclass(frozen=True)
class Config:
    """Everything a run depends on besides the dataset."""

    name: str = "musae"
    seed: int = 1
    music: MusicConfig = field(default_factory=MusicConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    style: StyleConfig = field(default_factory=StyleConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    regularisation: RegularisationConfig = field(default_factory=RegularisationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        usable = bool(self.name) and all(c.isalnum() or c in "-_." for c in self.name) and self.name[0].isalnum()
        _check(usable, "name", self.name, "letters, digits, '-', '_', '.'")
        _check(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2147483647")
        check_regularisation(self.regularisation, self.architecture.model)

    @property
    def architecture(self) -> Architecture:
        """What of it a model is built from."""
        return Architecture(self.music, self.model, self.prior, self.style, self.critic)


def check_regularisation(regularisation: RegularisationConfig, model: ModelConfig) -> None:
    """Refuse an option that the system has no use for, which would be a silent lie in its configuration.

    Raises:
        ConfigError: there is one.
    """
    for key, kinds in (("infomax", ("musae_gm", "musae")), ("divergence", ("musae_gm",))):
        value = getattr(regularisation, key)
        _check(
            not value or model.kind in kinds,
            f"regularisation.{key}",
            value,
            f"0 with model.kind {model.kind}; it is for {', '.join(kinds)}",
        )
