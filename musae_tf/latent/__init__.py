"""Attribute vectors: where to move a code so that its music has more of something.

An attribute vector is fitted to what the decoder does: codes of training phrases are moved at random, one way and the
other, and the change of the decoded music is regressed on the move. (Differences of mean codes, as in MusicVAE, also
carry whatever happens to go along with the attribute in the data.) Only numpy is needed to use the vectors;
`musae_tf.latent.of_run` fits them to a trained run.
"""

import os
from dataclasses import dataclass

import numpy as np

from musae_tf.latent.kept import read_arrays, write_arrays
from musae_tf.music import pieces

_ARRAYS = ("names", "directions", "units")


@dataclass(frozen=True)
class AttributeVectors:
    """Where the attributes of a model's music lie in its latent space; one .npz file (see `save`).

    Attributes:
        names: of the A attributes, as `musae_tf.music.properties.attribute_names` gives them.
        directions: float32 [A, D]. Adding a row to a code raises the attribute by about one of its `units`.
        units: float32 [A], one standard deviation of the attribute over training phrases: notes a bar, semitones or
            steps.
    """

    names: tuple[str, ...]
    directions: np.ndarray
    units: np.ndarray

    def number(self, name: str) -> int:
        """The row of an attribute.

        Raises:
            UnknownAttributeError: no such attribute; the message lists the known ones.
        """
        return pieces.attribute_number(self.names, name)

    def move(self, codes: np.ndarray, changes: dict[str, float]) -> np.ndarray:
        """Codes float [N, D] moved by so many units of each attribute (negative: less of it), float32 [N, D].

        Raises:
            UnknownAttributeError: no such attribute.
        """
        moved = np.array(codes, np.float32)
        # In one order whoever asks, and that of the served graph: sums of floats depend on it.
        for number, units in sorted((self.number(name), units) for name, units in changes.items()):
            moved += np.float32(units) * self.directions[number]
        return moved

    def save(self, path: str | os.PathLike) -> None:
        """Write one .npz file in one atomic step; its arrays are named as the attributes of this class.

        Raises:
            RunError: it cannot be written.
        """
        write_arrays(path, {key: np.array(getattr(self, key)) for key in _ARRAYS})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "AttributeVectors":
        """Read what `save` wrote.

        Raises:
            RunError: missing, damaged, or of another format.
        """
        names, directions, units = read_arrays(path, _ARRAYS)
        return cls(tuple(map(str, names)), directions, units)


def fit_directions(
    offsets: np.ndarray, more: np.ndarray, less: np.ndarray, units: np.ndarray, ridge: float = 10.0
) -> np.ndarray:
    """Attribute vectors from what moves of codes did to the music.

    Ridge regression of the change on the move gives the attribute's slope b; the shortest move that raises it by one
    unit is b / |b|^2.

    Args:
        offsets: float [N, D], moves drawn from a Gaussian of one variance on all axes.
        more: float [N, A], attributes of the music of code + offset; NaN where there is none.
        less: float [N, A], those of code - offset.
        units: float [A], what one unit of an attribute is.
        ridge: penalty, in moves.

    Returns:
        float32 [A, D]; a row of zeros for an attribute that no move changed.
    """
    offsets = np.asarray(offsets, np.float64)
    change = (more - less) / np.where(units > 0, units, 1.0)
    change = np.where(np.isfinite(change), change, 0.0)
    penalty = ridge * offsets.var() * np.eye(offsets.shape[1])
    # The change is that of a move by twice the offset.
    slopes = np.linalg.solve(2 * offsets.T @ offsets + penalty, offsets.T @ change).T
    squares = (slopes**2).sum(axis=1, keepdims=True)
    return np.where(squares > 0, slopes / np.where(squares > 0, squares, 1.0), 0.0).astype(np.float32)
