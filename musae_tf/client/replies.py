"""What a server says about itself and its models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from musae_tf.client.errors import UnknownAttributeError, UnknownGenreError, WrongModelError
from musae_tf.errors import MusicError
from musae_tf.music import Layout, pieces

FORMAT = 1
"""Of the JSON that the signature `describe` returns: the one that this client reads."""


class Attributes(NamedTuple):
    """What music can be given more or less of, see `MusaeClient.change`.

    Attributes:
        names: of the A attributes, for instance "soprano:notes".
        units: float32 [A], what 1 of each is: a standard deviation over the training music, in notes a bar, semitones
            or steps.
    """

    names: tuple[str, ...]
    units: np.ndarray


class LatentMap(NamedTuple):
    """A plane of the latent space, with N songs of the training on it, or N draws of the model.

    Attributes:
        of: what the points are, "songs" or "draws".
        mean: float32 [D], the code at (0, 0).
        axes: float32 [2, D], what 1 to the right and 1 up add to a code; orthonormal.
        position: float32 [N, 2], where the points are.
        genre: int32 [N], number of each point's genre; -1 for none.
        title: of each song or draw.
        latent: float32 [N, D], the draws, or codes of a phrase of each song.
    """

    of: str
    mean: np.ndarray
    axes: np.ndarray
    position: np.ndarray
    genre: np.ndarray
    title: tuple[str, ...]
    latent: np.ndarray


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
        attributes: what `MusaeClient.change` can ask for; None if the model has no attribute vectors.
        points: how many points `MusaeClient.map` has; 0 if there is no map.
        points_of: what they are, "songs" of the training or "draws" of the model.
        plane: mean and axes of the map, float32 [3, D].
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
    attributes: Attributes | None = None
    points: int = 0
    points_of: str = "songs"
    plane: np.ndarray | None = None

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
            latent = int(facts["latent"])
            points, points_of, plane = _plane(facts, latent)
            return cls(
                name=str(facts["name"]),
                version=version,
                layout=Layout.from_dict(facts["layout"]),
                genres=tuple(map(str, facts["genres"])),
                tempos={str(genre): float(tempo) for genre, tempo in facts["tempos"].items()},
                steps=int(facts["steps"]),
                bars=int(facts["bars"]),
                latent=latent,
                created=str(facts["created"]),
                dataset_hash=str(facts["dataset_hash"]),
                signatures=facts["signatures"],
                attributes=_attributes(facts),
                points=points,
                points_of=points_of,
                plane=plane,
            )
        except (ValueError, KeyError, TypeError, AttributeError, MusicError) as cause:
            raise WrongModelError(f"the model at {target} gives no usable description of itself: {cause!r}") from cause

    def genre_number(self, genre: str) -> int:
        """The number of a genre.

        Raises:
            UnknownGenreError: no such genre; the message lists those there are.
        """
        return pieces.genre_number(self.genres, genre, UnknownGenreError)

    def amounts(self, changes: Mapping[str, float]) -> np.ndarray:
        """What the signature `change` takes, float32 [A], for so much of the named attributes and 0 of all others.

        Raises:
            WrongModelError: the model has no attribute vectors.
            UnknownAttributeError: no such attribute; the message lists those there are.
        """
        if self.attributes is None:
            raise WrongModelError(
                f"the model {self.name!r} has no attribute vectors",
                hint="export it again where the dataset of its training is",
            )
        names, amounts = self.attributes.names, np.zeros(len(self.attributes.names), np.float32)
        for name, amount in changes.items():
            amounts[pieces.attribute_number(names, name, UnknownAttributeError)] = amount
        return amounts


def _attributes(facts: Mapping[str, Any]) -> Attributes | None:
    if not facts.get("attributes"):
        return None
    names = tuple(map(str, facts["attributes"]["names"]))
    return Attributes(names, np.array(facts["attributes"]["units"], np.float32).reshape(len(names)))


def _plane(facts: Mapping[str, Any], latent: int) -> tuple[int, str, np.ndarray | None]:
    if not facts.get("map"):
        return 0, "songs", None
    known = facts["map"]
    rows = [known["mean"], *known["axes"]]
    return int(known["points"]), str(known.get("of", "songs")), np.array(rows, np.float32).reshape(3, latent)


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
