"""What `musae data build` can be asked for: the sources and their own options. Quick to import."""

from dataclasses import dataclass, field
from typing import Any

from musae_tf.commands.values import integer


@dataclass(frozen=True)
class Option:
    """An option or argument of one source.

    Attributes:
        flags: As argparse takes them: "--labels", or a name without dashes for an argument.
        parameter: The parameter of the source that it sets.
        settings: Further settings of argparse: help, metavar, nargs and the like.
    """

    flags: tuple[str, ...]
    parameter: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceFlags:
    """A sub-command of `musae data build`.

    Attributes:
        name: Of the sub-command and of the source in `musae_tf.data.sources.SOURCES`.
        summary: One line of help.
        example: One command line.
        options: Its own ones.
        out: Where the dataset goes; None for the name of the folder that is read.
        genres: How many genres it keeps if nothing is said; None for all.
        seeded: Whether --seed decides the songs too, and not only their split.
    """

    name: str
    summary: str
    example: str
    options: tuple[Option, ...] = ()
    out: str | None = None
    genres: int | None = None
    seeded: bool = False


_LABELS = Option(
    ("--labels",),
    "labels",
    {
        "nargs": "+",
        "default": (),
        "metavar": "PATH",
        "help": "tables of track id and genres (tagtraum .cls, MASD, MAGD), id lists (id_list_Rock.txt) or folders of "
        "them, folders of the Million Song Dataset's song files (A/B/C/TR....h5) (default: no labels)",
    },
)

SOURCES = (
    SourceFlags(
        "corpus",
        "four schools of four-voice music (Bach, quartets, Palestrina, Monteverdi) out of the music21 package",
        "musae data build corpus",
        out="datasets/corpus",
    ),
    SourceFlags(
        "band",
        "songs made up over the groove files of the program mma: drums, bass, guitar, strings, eight genres",
        "musae data build band --songs 20 --out datasets/small",
        (
            Option(
                ("--songs",),
                "songs",
                {
                    "type": integer(1),
                    "default": 100,
                    "metavar": "N",
                    "help": "songs in each of fourteen kinds of groove (default: 100)",
                },
            ),
            Option(
                ("--fine",),
                "fine",
                {"action": "store_true", "help": "fourteen genres; otherwise neighbours share one of eight"},
            ),
            Option(("--mma",), "mma", {"metavar": "COMMAND", "help": "name or path of the program (default: mma)"}),
            Option(
                ("--mma-library",),
                "mma_library",
                {"metavar": "DIR", "help": "its groove files (default: where the package puts them)"},
            ),
        ),
        out="datasets/band",
        seeded=True,
    ),
    SourceFlags(
        "folder",
        "your own music files: MIDI, MusicXML, ABC, Humdrum",
        "musae data build folder ~/midi --layout band",
        (
            Option(
                ("root",), "root", {"metavar": "DIR", "help": "files anywhere below it; the first folder is the genre"}
            ),
            Option(
                ("--labels",),
                "labels",
                {
                    "default": "folder",
                    "metavar": "CSV",
                    "help": "table of genres: columns path, labels (a;b), maybe group (default: folders)",
                },
            ),
        ),
    ),
    SourceFlags(
        "lmd",
        "the Lakh MIDI Dataset, or any MIDI files in folders named by track ids",
        "musae data build lmd --midi lmd_matched --labels lmd_matched_h5 msd_tagtraum_cd2.cls",
        (
            Option(("--midi",), "midi", {"required": True, "metavar": "DIR", "help": "lmd_matched: A/B/C/TR.../*.mid"}),
            _LABELS,
        ),
        out="datasets/lmd",
        genres=32,
    ),
    SourceFlags(
        "lpd",
        "the Lakh Pianoroll Dataset, or any .npz files of pypianoroll",
        "musae data build lpd --npz lpd_5 --labels id_lists",
        (
            Option(("--npz",), "npz", {"required": True, "metavar": "DIR", "help": "lpd_5: A/B/C/TR.../*.npz"}),
            _LABELS,
        ),
        out="datasets/lpd",
        genres=32,
    ),
)
