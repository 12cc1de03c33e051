"""A model of your own music, from Python: dataset, training, a measurement, and a new piece of every genre.

    python examples/train_on_your_folder.py ~/midi --layout band

The folder has one folder a genre: ~/midi/jazz/*.mid, ~/midi/rock/*.mid, ... Needs `pip install '.[train]'`.
"""

import argparse
import sys
from pathlib import Path

from musae_tf import Musae
from musae_tf.config import load_config
from musae_tf.data import Dataset, FolderSource, build, describe
from musae_tf.errors import MusaeError
from musae_tf.evaluation import QuickEvaluator
from musae_tf.music import LAYOUTS, get_layout
from musae_tf.training import Run, train

CONFIGS = Path(__file__).parent.parent / "configs"


def learn(folder: Path, out: Path, layout: str, preset: Path, steps: int | None) -> Run:
    """Build a dataset of the folder and train on it; both are kept in `out`, and a run that was stopped goes on."""
    if not (out / "dataset" / "manifest.json").is_file():
        build(FolderSource(folder), out / "dataset", get_layout(layout))
    dataset = Dataset.open(out / "dataset")
    print(describe(dataset))
    changes = [f"data.path={out / 'dataset'}", f"music.layout={layout}"]
    changes += [] if steps is None else [f"training.steps={steps}"]
    config = load_config(preset, changes)
    path = out / "run"
    run = Run.open(path) if (path / "run.json").is_file() else Run.create(path, config, dataset)
    train(run, dataset, QuickEvaluator(run, dataset))
    return run


def play(run: Run, out: Path, bars: int) -> list[Path]:
    """Write a new piece of every genre."""
    musae, paths = Musae.from_run(run.path), []
    for genre in run.genres:
        song = musae.sample(genre, bars, temperature=0.9, seed=7)
        paths.append(out / f"{genre}.mid")
        song.write(paths[-1])
    return paths


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="one folder a genre")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), default="voices", help="tracks (default: voices)")
    parser.add_argument(
        "--config", type=Path, default=CONFIGS / "tiny.yaml", help="preset (default: configs/tiny.yaml)"
    )
    parser.add_argument("--steps", type=int, help="of training (default: the preset's)")
    parser.add_argument("--out", type=Path, default=Path("trained"), help="folder for everything (default: trained)")
    arguments = parser.parse_args()
    try:
        run = learn(arguments.folder, arguments.out, arguments.layout, arguments.config, arguments.steps)
        for path in play(run, arguments.out, bars=8):
            print(path)
    except MusaeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
