"""Claim: a training step is at least three times as fast as that of a straightforward Keras port of the authors' code.

    python -m benchmarks.training_step

Two sizes, each with the same model on both sides: the authors' settings (paper_gm: 256 steps, 3 layers of 512 units,
batch 16), and two bars at the size of the preset `voices` with the recurrence over steps. The beat-level recurrence of
`voices`, another model, is timed beside them. Phrases are random: only shapes matter here.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.authors_graph import AuthorsGraph
from benchmarks.game import TrainingStep, phrases
from benchmarks.measure import Report, in_turns, parser, rate, times_faster
from musae_tf.config import Config, load_config

CONFIGS = Path(__file__).parent.parent / "configs"
SIZES = (130,) * 4
BAR = 3.0
TOY = ["model.encoder_units=8", "model.decoder_units=8", "model.latent=16", "critic.units=[8]"]


def at_the_size_of(paper: Config, preset: Config) -> Config:
    """The authors' model and game with the sizes of a preset."""
    keys = ("latent", "encoder_units", "encoder_layers", "decoder_units", "decoder_layers")
    model = replace(paper.model, **{key: getattr(preset.model, key) for key in keys})
    training = replace(paper.training, batch_size=preset.training.batch_size)
    return replace(paper, name="voices_by_step", model=model, music=replace(paper.music, bars=2), training=training)


def compare(config: Config, genres: int, rounds: int, beside: Config | None = None) -> dict[str, list[float]]:
    """Seconds a step of ours and of the authors' graph, and of another model beside them."""
    rows = phrases(config, SIZES, genres)
    runs = {
        "ours": TrainingStep(config, SIZES, genres),
        "authors": AuthorsGraph(config, *rows, SIZES[0], genres),
        **({"beat core": TrainingStep(beside, SIZES, genres)} if beside else {}),
    }
    return in_turns(runs, rounds)


def main() -> None:
    """Measure both sizes."""
    arguments = parser(__doc__).parse_args()
    quick = arguments.quick
    report = Report("training_step", arguments)
    paper = load_config(CONFIGS / "paper_gm.yaml", [*TOY, "music.bars=3", "model.encoder_layers=1"] if quick else [])
    voices = load_config(CONFIGS / "voices.yaml", [*TOY, "critic.steps=1", "prior.axes=2"] if quick else [])
    for name, config, genres, beside in (
        ("voices by step", at_the_size_of(paper, voices), 4, voices),
        ("paper_gm", paper, 33, None),
    ):
        seconds = compare(config, genres, 1 if quick else arguments.rounds, beside)
        batch = config.training.batch_size
        ratio = times_faster(seconds, "ours", "authors")
        report.content[name] = {
            "phrases_a_second": {run: rate(batch, found) for run, found in seconds.items()},
            "times_faster": ratio,
            "seconds": seconds,
        }
        for run, found in seconds.items():
            print(f"{name}, {run}: {rate(batch, found):,.2f} phrases/s")
        report.add(f"{name}: times as fast as the authors' graph", ratio["median"], BAR)
    report.write()


if __name__ == "__main__":
    main()
