"""What a server says about itself and its models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from musae_tf.client.errors import UnknownGenreError, WrongModelError
from musae_tf.errors import MusicError
from musae_tf.music import Layout, pieces

FORMAT = 1
"""Of the JSON that the signature `describe` returns: the one that this client reads."""


@dataclass(frozen=True)
class Description:
    """A served model.

    Attributes:
        name: of the model, as it was exported.
        version: the version that answered.
        layout: tracks of its token arrays.
        genres: names of its G genres, in the order of their numbers.
        tempos: usual quarter notes a minute of a genre; some genres may be missing.
        steps: T, steps of a phrase.
        bars: of a phrase.
        latent: D, axes of the latent space.
        created: when it was exported, ISO 8601 in UTC.
        dataset_hash: of the dataset that it was trained on.
        signatures: inputs and outputs of each signature: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}.
    """

    name: str
    version: int
    layout: Layout
    genres: tuple[str, ...]
    tempos: Mapping[str, float]
    steps: int
    bars: int
    latent: int
    created: str
    dataset_hash: str
    signatures: Mapping[str, Any]

    @classmethod
    def from_json(cls, text: bytes, version: int, target: str) -> "Description":
        """Read what the signature `describe` returned.

        Raises:
            WrongModelError: it is not the description of a model that this client can use.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise WrongModelError(
                    f"the model at {target} describes itself in format {facts['format']!r}, this client reads {FORMAT}",
                    hint="install the version of musae-tf that exported it",
                )
            return cls(
                name=str(facts["name"]),
                version=version,
                layout=Layout.from_dict(facts["layout"]),
                genres=tuple(map(str, facts["genres"])),
                tempos={str(genre): float(tempo) for genre, tempo in facts["tempos"].items()},
                steps=int(facts["steps"]),
                bars=int(facts["bars"]),
                latent=int(facts["latent"]),
                created=str(facts["created"]),
                dataset_hash=str(facts["dataset_hash"]),
                signatures=facts["signatures"],
            )
        except (ValueError, KeyError, TypeError, AttributeError, MusicError) as cause:
            raise WrongModelError(f"the model at {target} gives no usable description of itself: {cause!r}") from cause

    def genre_number(self, genre: str) -> int:
        """The number of a genre.

        Raises:
            UnknownGenreError: no such genre; the message lists those there are.
        """
        return pieces.genre_number(self.genres, genre, UnknownGenreError)


class VersionStatus(NamedTuple):
    """One version of a model on a server.

    Attributes:
        version: its number.
        state: "START", "LOADING", "AVAILABLE", "UNLOADING" or "END".
        code: "OK", or what its loading failed with, for instance "NOT_FOUND".
        message: why it failed; empty if it did not.
    """

    version: int
    state: str
    code: str
    message: str


class Encoding(NamedTuple):
    """The phrases of a song in the latent space.

    Attributes:
        mean: float32 [n, D], the codes.
        deviation: float32 [n, D], how far around each code still means the phrase (standard deviations).
        genre_scores: float32 [n, G], probability of each genre for each phrase.
    """

    mean: np.ndarray
    deviation: np.ndarray
    genre_scores: np.ndarray
