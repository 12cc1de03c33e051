"""Arithmetic with music: a piece, plus one genre, minus another, with more or less of some properties.

    python examples/latent_arithmetic.py mine.mid --plus palestrina --minus bach --more soprano:notes

Asks a server that `musae serve` (or TensorFlow Serving) runs; the base install is enough.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from musae_tf.client import MusaeClient
from musae_tf.errors import MusaeError
from musae_tf.music import Song

DRAWS = 16
"""Samples of a genre whose codes are averaged: where it lies."""


def centre(musae: MusaeClient, genre: str) -> np.ndarray:
    """Mean code of a genre, float32 [D]: that of pieces of it, encoded."""
    pieces = [musae.sample(genre, bars=4, temperature=0.0, seed=seed) for seed in range(DRAWS)]
    return np.concatenate([musae.encode(piece).mean for piece in pieces]).mean(axis=0)


def compute(
    musae: MusaeClient, piece: Path, plus: list[str], minus: list[str], more: list[str], less: list[str]
) -> Song:
    """The sum as a song, with the tempo of the piece."""
    song = Song.read(piece)
    move = np.zeros(musae.describe().latent, np.float32)
    for genres, sign in ((plus, 1), (minus, -1)):
        for genre in genres:
            move += sign * centre(musae, genre)
    tempo = song.tempos[0].bpm if song.tempos else 120.0
    result = musae.decode(musae.encode(song).mean + move, tempo=tempo)
    changes = Counter(more)
    changes.subtract(less)
    wanted = {name: float(units) for name, units in changes.items() if units}
    return musae.change(result, wanted) if wanted else result


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("piece", type=Path, help="MIDI file")
    parser.add_argument("--plus", action="append", default=[], metavar="GENRE", help="add a genre; may be repeated")
    parser.add_argument("--minus", action="append", default=[], metavar="GENRE", help="take one away; may be repeated")
    parser.add_argument("--more", action="append", default=[], metavar="NAME", help="more of a property, by one unit")
    parser.add_argument("--less", action="append", default=[], metavar="NAME", help="less of it")
    parser.add_argument("--server", default="localhost:8500", metavar="HOST:PORT", help="default: localhost:8500")
    parser.add_argument("--out", type=Path, default=Path("sum.mid"), help="default: sum.mid")
    arguments = parser.parse_args()
    if len(arguments.plus) != len(arguments.minus):
        parser.error("as many --plus as --minus: a genre's place means something only beside another's")
    try:
        with MusaeClient(arguments.server) as musae:
            terms = (arguments.plus, arguments.minus, arguments.more, arguments.less)
            compute(musae, arguments.piece, *terms).write(arguments.out)
    except MusaeError as error:
        print(error, file=sys.stderr)
        return 2
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
