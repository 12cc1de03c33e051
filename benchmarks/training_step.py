"""Claim: a training step is at least three times as fast as that of a straightforward Keras port of the authors' code.

    python -m benchmarks.training_step

Two sizes, each with the same model on both sides: the authors' settings (paper_gm: 256 steps, 3 layers of 512 units,
batch 16), and two bars at the size of the preset `voices_one_pass` with the recurrence over steps. The beat-level
recurrence of that preset, another model, is timed beside them, and so is `voices`, whose decoder hears what it has
written: a step of it may take twice as long. Phrases are random: only shapes matter here.

Each side has the threads that its user gets: ours shares the cores as `musae train` does, the port leaves them to
TensorFlow. At the size of `voices_one_pass` the port is timed with our threads as well.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Peer, Report, in_turns, parser, rate, times_faster
from benchmarks.steps import TrainingStep
from musae_tf.config import Config, load_config

CONFIGS = Path(__file__).parent.parent / "configs"
SIZES = (130,) * 4
BAR, AUTOREGRESSIVE_BAR = 3.0, 2.0
TOY = ["model.encoder_units=8", "model.decoder_units=8", "model.latent=16", "critic.units=[8]",
       "critic.steps=1", "training.batch_size=4"]  # fmt: skip
ONE_LAYER = ["model.encoder_layers=1", "model.decoder_layers=1"]
GENRES = {"voices by step": 4, "paper_gm": 33}
OUR_THREADS = {"TF_NUM_INTRAOP_THREADS": str(max(1, len(os.sched_getaffinity(0)) // 2))}


def settings(quick: bool) -> dict[str, Config]:
    """The configurations that are measured, by size."""
    paper = load_config(CONFIGS / "paper_gm.yaml", [*TOY, "music.bars=3", *ONE_LAYER] if quick else [])
    voices = load_config(CONFIGS / "voices_one_pass.yaml", [*TOY, "prior.axes=2"] if quick else [])
    hearing = load_config(CONFIGS / "voices.yaml", [*TOY, "prior.axes=2"] if quick else [])
    return {
        "voices by step": at_the_size_of(paper, voices),
        "paper_gm": paper,
        "voices": voices,
        "autoregressive": hearing,
    }


def at_the_size_of(paper: Config, preset: Config) -> Config:
    """The authors' model and losses with the sizes of a preset."""
    keys = ("latent", "encoder_units", "encoder_layers", "decoder_units", "decoder_layers")
    model = replace(paper.model, **{key: getattr(preset.model, key) for key in keys})
    training = replace(paper.training, batch_size=preset.training.batch_size)
    return replace(paper, name="voices_by_step", model=model, music=replace(paper.music, bars=2), training=training)


def compare(size: str, quick: bool, rounds: int) -> dict[str, list[float]]:
    """Seconds a step of ours and of the authors' graph."""
    configs, genres = settings(quick), GENRES[size]
    command = [sys.executable, "-m", "benchmarks.authors_graph"]
    told = json.dumps({"size": size, "quick": quick, "genres": genres})
    peers = {"authors": Peer(command, told)}
    runs = {"ours": TrainingStep(configs[size], SIZES, genres)}
    if size == "voices by step":
        peers["authors, our threads"] = Peer(command, told, OUR_THREADS)
        runs["beat core"] = TrainingStep(configs["voices"], SIZES, genres)
        runs["autoregressive"] = TrainingStep(configs["autoregressive"], SIZES, genres)
    seconds = in_turns(runs | {name: lambda peer=peer: peer.run("step") for name, peer in peers.items()}, rounds)
    for peer in peers.values():
        peer.close()
    return seconds


def main() -> None:
    """Measure both sizes."""
    arguments = parser(__doc__, quick=True).parse_args()
    report = Report("training_step", arguments)
    for size in GENRES:
        seconds = compare(size, arguments.quick, 1 if arguments.quick else arguments.rounds)
        batch = settings(arguments.quick)[size].training.batch_size
        report.content[size] = {
            "phrases_a_second": {run: rate(batch, found) for run, found in seconds.items()},
            "times_faster": {run: times_faster(seconds, "ours", run) for run in seconds if run.startswith("authors")},
            "seconds": seconds,
        }
        if "autoregressive" in seconds:
            longer = times_faster(seconds, "beat core", "autoregressive")
            report.content[size]["times_longer"] = longer
            report.add(
                "autoregressive step, in steps of the one-pass decoder", longer["median"], AUTOREGRESSIVE_BAR, True
            )
        for run, found in seconds.items():
            print(f"{size}, {run}: {rate(batch, found):,.2f} phrases/s")
        for run, ratio in report.content[size]["times_faster"].items():
            print(f"{size}: {ratio['median']:.2f} times as fast as {run}")
        ratio = report.content[size]["times_faster"]["authors"]["median"]
        report.add(f"{size}: times as fast as the authors' graph", ratio, BAR)
    report.write()


if __name__ == "__main__":
    main()
