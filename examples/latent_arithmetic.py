"""Arithmetic with music: a piece, plus a genre or another piece, minus a genre or another piece.

    python examples/latent_arithmetic.py mine.mid --plus palestrina --minus bach
    python examples/latent_arithmetic.py mine.mid --plus lively.mid --minus quiet.mid

Asks a server that `musae serve` (or TensorFlow Serving) runs, for which the base install is enough; with --run, a model
in this process.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musae_tf import Musae
from musae_tf.errors import MusaeError
from musae_tf.music import Song
from musae_tf.verbs.methods import Verbs

DRAWS = 16
"""Samples of a genre whose codes are averaged: where it lies."""


def centre(musae: Verbs, term: str) -> np.ndarray:
    """Mean code, float32 [D], of a piece (a MIDI file), or of pieces of a genre."""
    if Path(term).suffix.lower() in (".mid", ".midi"):
        return musae.encode(term).mean.mean(axis=0)
    pieces = [musae.sample(term, bars=4, temperature=0.0, seed=seed) for seed in range(DRAWS)]
    return np.concatenate([musae.encode(piece).mean for piece in pieces]).mean(axis=0)


def compute(musae: Verbs, piece: Path, plus: Sequence[str], minus: Sequence[str]) -> Song:
    """The sum as a song, with the tempo of the piece."""
    song = Song.read(piece)
    code = musae.encode(song).mean
    for terms, sign in ((plus, 1), (minus, -1)):
        for term in terms:
            code = code + sign * centre(musae, term)
    return musae.decode(code, tempo=song.tempos[0].bpm if song.tempos else 120.0)


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("piece", type=Path, help="MIDI file")
    term = "genre or MIDI file; may be repeated"
    parser.add_argument("--plus", action="append", default=[], metavar="TERM", help=f"what to add: {term}")
    parser.add_argument("--minus", action="append", default=[], metavar="TERM", help=f"what to take away: {term}")
    parser.add_argument("--server", default="localhost:8500", metavar="HOST:PORT", help="default: localhost:8500")
    parser.add_argument("--run", metavar="RUN", help="a run or an exported model instead of a server")
    parser.add_argument("--out", type=Path, default=Path("sum.mid"), help="default: sum.mid")
    arguments = parser.parse_args()
    if len(arguments.plus) != len(arguments.minus):
        parser.error("as many --plus as --minus: where a term lies means something only beside another one")
    try:
        with Musae.from_run(arguments.run) if arguments.run else Musae.connect(arguments.server) as musae:
            compute(musae, arguments.piece, arguments.plus, arguments.minus).write(arguments.out)
    except MusaeError as error:
        print(error, file=sys.stderr)
        return 2
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
