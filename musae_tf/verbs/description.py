"""What a model says of itself, and what it answers that is not music."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import numpy as np

from musae_tf.errors import MusicError, WrongModelError
from musae_tf.music import Layout, pieces
from musae_tf.music.known import PITCH

FORMAT = 1
"""Of the JSON that the signature `describe` returns: the one that is written and read."""


class Attributes(NamedTuple):
    """What music can be given more or less of, see `musae_tf.verbs.functions.change`.

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
        genre: int32 [N], the first of each point's genres by its number; -1 for none.
        title: of each song or draw.
        latent: float32 [N, D], the draws, or of each song the code of its most typical phrase.
    """

    of: str
    mean: np.ndarray
    axes: np.ndarray
    position: np.ndarray
    genre: np.ndarray
    title: tuple[str, ...]
    latent: np.ndarray


class MapPlane(NamedTuple):
    """Where the map of a latent space lies, and what is on it; see `LatentMap`.

    Attributes:
        points: how many.
        of: what they are, "songs" of the training or "draws" of the model.
        plane: mean and axes, float32 [3, D].
    """

    points: int
    of: str
    plane: np.ndarray


def _unknown() -> None:
    return None


@dataclass(frozen=True)
class Description:
    """A model as it describes itself.

    Attributes:
        name: of the model, as it was exported.
        version: the version that answered; 0 for a run that is not served.
        layout: tracks of its token arrays.
        genres: names of its G genres, in the order of their numbers.
        tempos: usual quarter notes a minute of a genre; some genres may be missing.
        steps: T, steps of a phrase.
        bars: of a phrase.
        latent: D, axes of the latent space.
        created: when it was exported, ISO 8601 in UTC.
        dataset_hash: of the dataset that it was trained on.
        signatures: inputs and outputs of each signature: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}.
        levels: how many of those of `musae_tf.music.known` it knows.
        find_attributes: what `attributes` is asked of, once: of a run they may have to be fitted.
        find_plane: what `points`, `points_of` and `plane` are asked of.
        remedy: what to do if it has neither; for messages.
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
    levels: int
    find_attributes: Callable[[], Attributes | None] = field(default=_unknown, repr=False, compare=False)
    find_plane: Callable[[], MapPlane | None] = field(default=_unknown, repr=False, compare=False)
    remedy: str = field(default="export it again where the dataset of its training is", repr=False, compare=False)

    def _repr_html_(self) -> str:
        """What a notebook shows: genres and tracks. Attributes are not asked for, which may take a fit."""
        genres = [
            f"{escape(name)} ({self.tempos[name]:.0f} bpm)" if name in self.tempos else escape(name)
            for name in self.genres
        ]
        tracks = [
            f"{escape(track.name)} ({'drums' if track.is_drum else f'program {track.program}'})"
            for track in self.layout.tracks
        ]
        rows = {
            "genres": ", ".join(genres),
            "tracks": ", ".join(tracks),
            "phrase": f"{self.bars} bars of {self.steps // self.bars} steps",
            "code": f"{self.latent} axes",
        }
        cells = "".join(
            f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{value}</td></tr>'
            for name, value in rows.items()
        )
        return f"<div><b>{escape(self.name)}</b><table>{cells}</table></div>"

    @property
    def attributes(self) -> Attributes | None:
        """What `change` and `sweep` can ask for; None if the model has no attribute vectors."""
        return self.find_attributes()

    @property
    def points(self) -> int:
        """How many points the map has; 0 if there is no map."""
        found = self.find_plane()
        return found.points if found else 0

    @property
    def points_of(self) -> str:
        """What the points of the map are, "songs" of the training or "draws" of the model."""
        found = self.find_plane()
        return found.of if found else "songs"

    @property
    def plane(self) -> np.ndarray | None:
        """Mean and axes of the map, float32 [3, D]; None if there is no map."""
        found = self.find_plane()
        return found.plane if found else None

    @classmethod
    def from_json(cls, text: bytes | str, version: int, target: str) -> "Description":
        """Read what the signature `describe` returned.

        Args:
            text: a JSON object; `musae_tf.export.version.describe` says what is in it.
            version: the version that answered.
            target: where the model is, for messages.

        Raises:
            WrongModelError: it is not the description of a model that this version can use.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise WrongModelError(
                    f"the model at {target} describes itself in format {facts['format']!r}, this client reads {FORMAT}",
                    hint="install the version of musae-tf that exported it",
                )
            latent = int(facts["latent"])
            attributes, plane = attributes_of(facts), plane_of(facts, latent)
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
                levels=int(facts.get("levels", PITCH)),  # before there was such a key, PITCH was the next one
                find_attributes=lambda: attributes,
                find_plane=lambda: plane,
            )
        except (ValueError, KeyError, TypeError, AttributeError, MusicError) as cause:
            raise WrongModelError(f"the model at {target} gives no usable description of itself: {cause!r}") from cause

    def genre_number(self, genre: str) -> int:
        """The number of a genre.

        Raises:
            UnknownGenreError: no such genre; the message lists those there are.
        """
        return pieces.genre_number(self.genres, genre)

    def require(self, signature: str, hint: str = "export it again with this version of musae-tf") -> None:
        """See to it that the model has a signature.

        Args:
            signature: its name.
            hint: what to do if it has not; for the message.

        Raises:
            WrongModelError: it has not.
        """
        if signature not in self.signatures:
            raise WrongModelError(f"the model {self.name!r} has no signature {signature!r}", hint=hint)

    def amounts(self, changes: Mapping[str, float]) -> np.ndarray:
        """What the signature `change` takes, float32 [A], for so much of the named attributes and 0 of all others.

        Raises:
            WrongModelError: the model has no attribute vectors.
            UnknownAttributeError: no such attribute; the message lists those there are.
        """
        attributes = self.attributes
        if attributes is None:
            raise WrongModelError(f"the model {self.name!r} has no attribute vectors", hint=self.remedy)
        names, amounts = attributes.names, np.zeros(len(attributes.names), np.float32)
        for name, amount in changes.items():
            amounts[pieces.attribute_number(names, name)] = amount
        return amounts


def attributes_of(facts: Mapping[str, Any]) -> Attributes | None:
    """The attributes in a description as JSON."""
    if not facts.get("attributes"):
        return None
    names = tuple(map(str, facts["attributes"]["names"]))
    return Attributes(names, np.array(facts["attributes"]["units"], np.float32).reshape(len(names)))


def plane_of(facts: Mapping[str, Any], latent: int) -> MapPlane | None:
    """The plane of the map in a description as JSON, of a model with `latent` axes."""
    if not facts.get("map"):
        return None
    known = facts["map"]
    rows = np.array([known["mean"], *known["axes"]], np.float32)
    return MapPlane(int(known["points"]), str(known.get("of", "songs")), rows.reshape(3, latent))


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
