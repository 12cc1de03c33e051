"""Track layouts: which tracks a token array has and which instruments of a song each one takes."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from musae_tf.errors import MusicError
from musae_tf.music.vocabulary import KIT, MELODIC, VOCABULARIES, Vocabulary

_SPANS = r"\d+-\d+(,\d+-\d+)*"
_RULE = re.compile(rf"drums|register|others|programs {_SPANS}( or {_SPANS})*")


@dataclass(frozen=True)
class TrackSpec:
    """One track of a layout.

    Attributes:
        name: A source track with this name (whatever its capitals) is taken by name.
        program: General MIDI program that is written, 0..127.
        vocabulary: `MELODIC` or `KIT`.
        rule: Source tracks taken when no name decides: "drums" (percussion), "programs 0-7,24-31" (General MIDI
            programs), "programs 24-31 or 0-7" (the same with stand-ins: programs after an "or" are taken only by a
            song that has none of those before it), "others" (melodic tracks that no other rule of the layout takes) or
            "register" (see `voices`).
        keep: The note that stays when several sound: "highest" or "lowest".
    """

    name: str
    program: int
    vocabulary: Vocabulary
    rule: str
    keep: str = "highest"

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise MusicError(f"layout track {self.name!r}: program is {self.program!r}, must be 0 to 127")
        if not _RULE.fullmatch(self.rule):
            raise MusicError(
                f"layout track {self.name!r}: rule is {self.rule!r}, "
                "must be 'drums', 'register', 'others' or 'programs A-B,C-D or E-F'"
            )
        if self.keep not in ("highest", "lowest"):
            raise MusicError(f"layout track {self.name!r}: keep is {self.keep!r}, must be 'highest' or 'lowest'")
        if self.vocabulary == KIT and not self.is_drum:
            raise MusicError(f"layout track {self.name!r}: the kit vocabulary needs the rule 'drums'")

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


@dataclass(frozen=True)
class Layout:
    """A named set of tracks; the order is that of the last axis of every token array."""

    name: str
    tracks: tuple[TrackSpec, ...]

    def __post_init__(self) -> None:
        names = [track.name.casefold() for track in self.tracks]
        if not names or len(set(names)) < len(names):
            raise MusicError(f"layout {self.name!r}: needs at least one track, each with its own name, got {names}")

    @property
    def names(self) -> tuple[str, ...]:
        """Track names in order."""
        return tuple(track.name for track in self.tracks)

    @property
    def vocabulary_sizes(self) -> tuple[int, ...]:
        """Symbols a step, track by track."""
        return tuple(track.vocabulary.size for track in self.tracks)

    @property
    def programs(self) -> tuple[int, ...]:
        """General MIDI programs that are written unless others are asked for."""
        return tuple(track.program for track in self.tracks)

    def to_dict(self) -> dict[str, Any]:
        """The layout as plain JSON values."""
        tracks = [{**asdict(track), "vocabulary": track.vocabulary.name} for track in self.tracks]
        return {"name": self.name, "tracks": tracks}

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
            return cls(**{**values, "tracks": tuple(tracks)})
        except (KeyError, TypeError, AttributeError) as cause:
            raise MusicError(f"layout description is not valid: {cause}") from cause


def _programs(spans: str) -> frozenset[int]:
    ends = (map(int, span.split("-")) for span in spans.split(","))
    return frozenset(program for first, last in ends for program in range(first, last + 1))


def _drums() -> TrackSpec:
    return TrackSpec("drums", 0, KIT, "drums")


# Programs written: choir aahs for all voices; General MIDI 25 steel guitar, 33 finger bass, 48 string ensemble.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("voices", tuple(TrackSpec(n, 52, MELODIC, "register") for n in ("soprano", "alto", "tenor", "bass"))),
        # One family of instruments a track, so that its line is one that somebody plays. Guitars (and banjo, sitar,
        # shamisen, koto), or where there are none the pianos, or the organs. Bowed strings, string ensembles and
        # voices, or organs, brass, reeds, pipes and pads, or synthesiser leads. A tuba plays the bass where there is no
        # other. Tuned percussion, orchestra hits and sound effects are no line and are left out.
        Layout(
            "band",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39 or 58-58,87-87"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31,104-107 or 0-7 or 16-23"),
                TrackSpec(
                    "strings", 48, MELODIC, "programs 40-46,48-54,110-110 or 16-23,56-79,88-95,109-109,111-111 or 80-87"
                ),
            ),
        ),
        # The map of MusAE (Valenti et al., 2020): pianos, tuned percussion and organs count as guitar, and all that is
        # no drum, guitar or bass is strings.
        Layout(
            "band_paper",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("guitar", 25, MELODIC, "programs 0-31"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
        # The map of the Lakh Pianoroll Dataset, LPD-5 (Dong et al., 2018): whatever is no drum, piano, guitar or bass,
        # tuned percussion (8-15) and organs (16-23) too, counts as strings.
        Layout(
            "lpd5",
            (
                _drums(),
                TrackSpec("piano", 0, MELODIC, "programs 0-7"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31"),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
    )
}


def get_layout(name: str, drums: str = "kit", keep: str | None = None) -> Layout:
    """A built-in layout.

    Args:
        name: "voices", "band", "band_paper" (the same tracks by the map of MusAE's authors) or "lpd5".
        drums: "kit" for nine pieces struck together, "voice" for a single voice of 130 symbols (MusAE as published).
        keep: "highest" or "lowest" note of several wins, on all tracks; None for each track's own rule.

    Raises:
        MusicError: An argument is none of these.
    """
    if name not in LAYOUTS:
        raise MusicError(f"layout is {name!r}, must be one of {', '.join(LAYOUTS)}")
    if drums not in ("kit", "voice"):
        raise MusicError(f"drums is {drums!r}, must be 'kit' or 'voice'")
    tracks = LAYOUTS[name].tracks
    if drums == "voice":
        tracks = tuple(replace(track, vocabulary=MELODIC) if track.is_drum else track for track in tracks)
    if keep is not None:
        tracks = tuple(replace(track, keep=keep) for track in tracks)
    return Layout(name, tracks)
