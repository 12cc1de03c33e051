"""The form of pieces: how the codes of neighbouring windows of a song go together.

A window is a phrase of the model's length; the next one begins `hop_of` bars later (`musae_tf.music.repeats`), so that
the two share a bar if a phrase has more than one. Codes are seen whitened: u = C^(-1/2) (z - m) with mean and
covariance of their genre. Of each u by itself the model is a standard normal, so that each code of a piece is
distributed as a code that is drawn alone.

    u_t = song c + (I - song song')^(1/2) v_t + place,   c ~ N(0, I) once a piece,
    v_t = following v_(t-1) + (I - following following')^(1/2) e_t,   e_t ~ N(0, I),

or v_t = v_(t-L): the piece repeats what was L windows ago, and goes on repeating for a while. `song` is what windows of
a song have in common however far apart, as its key (the random effect of an analysis of variance, by moments);
`following` a vector autoregression from the correlation of neighbours, whose singular values are the canonical
correlations (Hotelling 1936) and at most 1.

Only numpy is needed to use a form; `musae_tf.latent.fit_form` fits it.
"""

import os
from dataclasses import dataclass, fields

import numpy as np

from musae_tf.latent.kept import read_arrays, write_arrays

LAGS = 32
"""A piece repeats what was up to so many windows ago."""


@dataclass(frozen=True)
class Form:
    """What is fitted; one .npz file (see `save`). D latent axes, G genres.

    Attributes:
        song: float32 [D, Q], loadings of what the windows of a piece have in common.
        following: float32 [D, D], from a window's own part to the next one's.
        place: float32 [2, G, D], what the first and the last window of a piece of each genre have more than others.
        starts: float32 [G, LAGS], the chance that a repetition of what was 1, 2, ... windows ago begins.
        goes_on: float32 [G], the chance that it goes on for another window.
    """

    song: np.ndarray
    following: np.ndarray
    place: np.ndarray
    starts: np.ndarray
    goes_on: np.ndarray

    def save(self, path: str | os.PathLike) -> None:
        """Write one .npz file in one atomic step.

        Raises:
            RunError: it cannot be written.
        """
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Form":
        """Read what `save` wrote.

        Raises:
            RunError: missing, damaged, or of another format.
        """
        return cls(*read_arrays(path, [field.name for field in fields(cls)]))
