"""Track layouts: which tracks a token array has and which instruments of a song each one takes."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.vocabulary import KIT, VELOCITY, VOCABULARIES, Vocabulary
from musae_tf.time_grid import SIXTEENTHS, TimeGrid

MOST_VOICES = 16
"""Of a track."""

_SPANS = r"\d{1,3}-\d{1,3}(,\d{1,3}-\d{1,3})*"
_RULE = re.compile(rf"drums|register|others|named|programs {_SPANS}( or {_SPANS})*")


@dataclass(frozen=True)
class TrackSpec:
    """One track of a layout.

    Attributes:
        name: A source track with this name (whatever its capitals) is taken by name.
        program: General MIDI program that is written, 0..127.
        vocabulary: `MELODIC` or `KIT`.
        rule: Source tracks taken when no name decides: "drums" (percussion), "programs 0-7,24-31" (General MIDI
            programs), "programs 24-31 or 0-7" (the same with stand-ins: programs after an "or" are taken only by a
            song that has none of those before it), "others" (melodic tracks that no other rule of the layout takes),
            "named" (none) or "register" (the parts of the song from the highest to the lowest, see `roles.assign`).
        keep: The note that stays when several sound: "highest" or "lowest". Of tracks with one voice.
        voices: How many notes it can sound at once, 1 to 16; each voice is a column of its own. 1 for a kit.
        dynamics: Whether it has one column more, for the velocities of its notes.
    """

    name: str
    program: int
    vocabulary: Vocabulary
    rule: str
    keep: str = "highest"
    voices: int = 1
    dynamics: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise MusicError(f"layout track {self.name!r}: program is {self.program!r}, must be 0 to 127")
        if not _RULE.fullmatch(self.rule):
            raise MusicError(
                f"layout track {self.name!r}: rule is {self.rule!r}, "
                "must be 'drums', 'register', 'others', 'named' or 'programs A-B,C-D or E-F'"
            )
        if self.rule.startswith("programs "):
            for first, last in (map(int, span.split("-")) for span in re.split(",| or ", self.rule[9:])):
                if not first <= last <= 127:
                    raise MusicError(
                        f"layout track {self.name!r}: rule is {self.rule!r}, "
                        f"but {first}-{last} is no range of programs from 0 to 127"
                    )
        if self.keep not in ("highest", "lowest"):
            raise MusicError(f"layout track {self.name!r}: keep is {self.keep!r}, must be 'highest' or 'lowest'")
        if self.vocabulary == KIT and not self.is_drum:
            raise MusicError(f"layout track {self.name!r}: the kit vocabulary needs the rule 'drums'")
        most = 1 if self.is_drum else MOST_VOICES
        if not isinstance(self.voices, int) or isinstance(self.voices, bool) or not 1 <= self.voices <= most:
            raise MusicError(f"layout track {self.name!r}: voices is {self.voices!r}, must be 1 to {most}")
        if not isinstance(self.dynamics, bool):
            raise MusicError(f"layout track {self.name!r}: dynamics is {self.dynamics!r}, must be true or false")

    @property
    def is_drum(self) -> bool:
        """Whether the track is percussion, as a kit or as a single voice."""
        return self.rule == "drums"

    @cached_property
    def tiers(self) -> tuple[frozenset[int], ...]:
        """Programs that a "programs" rule takes: those it asks for, then its stand-ins; empty for the other rules."""
        if not self.rule.startswith("programs "):
            return ()
        return tuple(map(_programs, self.rule.removeprefix("programs ").split(" or ")))


class Column(NamedTuple):
    """One column of a token array.

    Attributes:
        name: That of its track; with the number of the voice, from 1, if that has several, or with "velocity".
        track: Number of its track in the layout.
        spec: Its track.
        vocabulary: What its symbols are: those of the track, or `VELOCITY`.
    """

    name: str
    track: int
    spec: TrackSpec
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Layout:
    """What a token array holds: steps of a bar, and columns for the voices of tracks.

    Attributes:
        name: Its name.
        tracks: The tracks in order. The last axis of every token array has the columns of the first track, those of
            the second and so on.
        time: The steps of a bar.
    """

    name: str
    tracks: tuple[TrackSpec, ...]
    time: TimeGrid = SIXTEENTHS

    def __post_init__(self) -> None:
        names = [track.name.casefold() for track in self.tracks]
        if not names or len(set(names)) < len(names):
            raise MusicError(f"layout {self.name!r}: needs at least one track, each with its own name, got {names}")
        columns = Counter(column.name.casefold() for column in self.columns)
        twice, count = columns.most_common(1)[0]
        if count > 1:
            raise MusicError(f"layout {self.name!r}: two voices are called {twice!r}: give a track another name")

    @property
    def names(self) -> tuple[str, ...]:
        """Track names in order."""
        return tuple(track.name for track in self.tracks)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a token array: of every track its voices, then its velocities."""
        found = []
        for number, track in enumerate(self.tracks):
            for voice in range(track.voices):
                name = f"{track.name} {voice + 1}" if track.voices > 1 else track.name
                found.append(Column(name, number, track, track.vocabulary))
            if track.dynamics:
                found.append(Column(f"{track.name} velocity", number, track, VELOCITY))
        return tuple(found)

    @cached_property
    def first_columns(self) -> tuple[int, ...]:
        """The first column of every track."""
        return tuple(accumulate((track.voices + track.dynamics for track in self.tracks[:-1]), initial=0))

    @cached_property
    def lines(self) -> "Layout":
        """The same with a track for every voice, and without velocities; see `grid.lines_of`."""
        if len(self.columns) == len(self.tracks):
            return self
        tracks = (
            replace(column.spec, name=column.name, voices=1, dynamics=False)
            for column in self.columns
            if column.vocabulary != VELOCITY
        )
        return Layout(self.name, tuple(tracks), self.time)

    def voices_of(self, track: int) -> list[int]:
        """The columns of a track's notes, by its number."""
        return [self.first_columns[track] + voice for voice in range(self.tracks[track].voices)]

    def of_track(self, values: np.ndarray, combine: np.ufunc, axis: int = -1) -> np.ndarray:
        """Values of all columns combined to values of all tracks along an axis: np.add sums those of a track up."""
        if len(self.columns) == len(self.tracks):
            return values
        return combine.reduceat(values, self.first_columns, axis=axis)

    def columns_of(self, vocabulary: Vocabulary) -> list[int]:
        """Numbers of the columns with a vocabulary."""
        return [number for number, column in enumerate(self.columns) if column.vocabulary == vocabulary]

    @property
    def vocabulary_sizes(self) -> tuple[int, ...]:
        """Symbols a step, column by column."""
        return tuple(column.vocabulary.size for column in self.columns)

    @property
    def bar_steps(self) -> int:
        """Steps of a bar."""
        return self.time.steps

    @property
    def programs(self) -> tuple[int, ...]:
        """General MIDI programs that are written unless others are asked for."""
        return tuple(track.program for track in self.tracks)

    def to_dict(self) -> dict[str, Any]:
        """The layout as plain JSON values."""
        tracks = []
        for track in self.tracks:
            values = {**asdict(track), "vocabulary": track.vocabulary.name}
            # What has its default is not said, as before there were these keys: hashes are taken of it.
            for key, usual in (("voices", 1), ("dynamics", False)):
                if values[key] == usual:
                    del values[key]
            tracks.append(values)
        grid = {} if self.time == SIXTEENTHS else {"grid": self.time.name}
        return {"name": self.name, "tracks": tracks, **grid}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Layout":
        """Inverse of `to_dict`.

        Raises:
            MusicError: A key is missing or unknown, or a value is impossible.
        """
        try:
            tracks = []
            for track in values["tracks"]:
                vocabulary = track["vocabulary"]
                if vocabulary not in VOCABULARIES:
                    raise MusicError(f"layout: vocabulary is {vocabulary!r}, must be one of {sorted(VOCABULARIES)}")
                tracks.append(TrackSpec(**{**track, "vocabulary": VOCABULARIES[vocabulary]}))
            rest = {key: value for key, value in values.items() if key not in ("tracks", "grid")}
            time = TimeGrid.parse(values["grid"]) if "grid" in values else SIXTEENTHS
            return cls(**rest, tracks=tuple(tracks), time=time)
        except (KeyError, TypeError, AttributeError) as cause:
            raise MusicError(f"layout description is not valid: {cause}") from cause


def _programs(spans: str) -> frozenset[int]:
    ends = (map(int, span.split("-")) for span in spans.split(","))
    return frozenset(program for first, last in ends for program in range(first, last + 1))
