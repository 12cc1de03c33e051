"""A trace of training steps for TensorBoard's profiler: what every operation costs, thread by thread.

    python -m benchmarks.trace configs/voices.yaml [--set training.batch_size=128] [--to runs/trace]
    tensorboard --logdir runs/trace       # tab "Profile"; needs pip install tensorboard-plugin-profile

The step is that of `musae train` on one device; the phrases are random.
"""

import argparse

import tensorflow as tf

from benchmarks.steps import TrainingStep
from musae_tf.config import load_config
from musae_tf.music import get_layout


def main() -> None:
    """Warm up, then trace some steps."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("config", metavar="CONFIG", help="YAML file")
    options.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options.add_argument("--steps", type=int, default=5, metavar="N", help="how many (default: 5)")
    options.add_argument("--to", default="runs/trace", metavar="DIR", help="default: runs/trace")
    arguments = options.parse_args()
    config = load_config(arguments.config, arguments.overrides)
    step = TrainingStep(config, get_layout(config.music.layout, config.music.drums).vocabulary_sizes, 4)
    for _ in range(3):
        step()
    with tf.profiler.experimental.Profile(arguments.to):
        for number in range(arguments.steps):
            with tf.profiler.experimental.Trace("step", step_num=number, _r=1):
                step()
    print(f"traced {arguments.steps} steps into {arguments.to}; tensorboard --logdir {arguments.to}")


if __name__ == "__main__":
    main()
