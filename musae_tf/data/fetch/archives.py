"""The public archives that `musae data fetch` knows: where they are, how large, and under what terms.

Sizes and checksums are those that others have recorded of the same files; the projects publish none. What nobody has
recorded is None, and then the checksum of the first download is what later ones are compared with.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Archive:
    """One file to download and the folder that it becomes.

    `size` is in bytes. `sha256` is in hexadecimal digits.
    """

    name: str
    url: str
    kind: Literal["tar.gz", "zip"]
    folder: str
    about: str
    licence: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Collection:
    """Archives that belong together, the page that says more, and the command that makes a dataset of them."""

    name: str
    title: str
    homepage: str
    archives: tuple[Archive, ...]
    build: str


_COLUMBIA = "http://hog.ee.columbia.edu/craffel/lmd"
_TAGTRAUM = "https://www.tagtraum.com/genres"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_LMD_LICENCE = "CC BY 4.0 (Colin Raffel); the songs themselves have authors of their own"
_LPD_LICENCE = "CC BY 4.0 (Hao-Wen Dong, Wen-Yi Hsiao; after Colin Raffel); the songs have authors of their own"
_IDS_LICENCE = "that of the labels they are made from, which the project's page asks you to look up"

COLLECTIONS = {
    "lmd": Collection(
        name="lmd",
        title="Lakh MIDI Dataset: the files matched to the Million Song Dataset, their metadata, and genres",
        homepage="https://colinraffel.com/projects/lmd/",
        archives=(
            Archive(
                "lmd_matched.tar.gz",
                f"{_COLUMBIA}/lmd_matched.tar.gz",
                "tar.gz",
                "lmd_matched",
                "116,189 MIDI files by track of the Million Song Dataset",
                _LMD_LICENCE,
                1_407_072_670,
                "621ff830aed771f469e5bfa13dc12a33c6ed69090adeda63d0b5c47783af0191",
            ),
            Archive(
                "lmd_matched_h5.tar.gz",
                f"{_COLUMBIA}/lmd_matched_h5.tar.gz",
                "tar.gz",
                "lmd_matched_h5",
                "metadata of the same tracks, with the terms of their artists",
                _LMD_LICENCE,
                None,
                "049c62c0d90c7fd2a29352a1c745d12fb53019dcf2e74a3b29953f046aef3d1b",
            ),
            Archive(
                "msd_tagtraum_cd2.cls.zip",
                f"{_TAGTRAUM}/msd_tagtraum_cd2.cls.zip",
                "zip",
                "tagtraum",
                "genres of 280,831 tracks",
                "not stated on its page (tagtraum.com/msd_genre_datasets.html)",
            ),
        ),
        build="musae data build lmd --midi {to}/lmd_matched --labels {to}/tagtraum/msd_tagtraum_cd2.cls",
    ),
    "lpd": Collection(
        name="lpd",
        title="Lakh Pianoroll Dataset: LPD-5, cleansed, and genres",
        homepage="https://hermandong.com/lakh-pianoroll-dataset/dataset",
        archives=(
            Archive(
                "lpd_5_cleansed.tar.gz",
                f"{_DRIVE}1yz0Ma-6cWTl6mhkrLnAVJ7RNzlQRypQ5",
                "tar.gz",
                "lpd_5_cleansed",
                "21,425 piano rolls of five tracks",
                _LPD_LICENCE,
            ),
            Archive(
                "id_lists_tagtraum.tar.gz",
                f"{_DRIVE}19RC9YTjJ3hGIH87zDWdNIYIL_trs30Q4",
                "tar.gz",
                "id_lists_tagtraum",
                "genres, one list of ids each, from the tagtraum annotations",
                _IDS_LICENCE,
            ),
            Archive(
                "id_lists_lastfm.tar.gz",
                f"{_DRIVE}1mpsoxU2fU1AjKopkcQ8Q8V6wYmVPbnPO",
                "tar.gz",
                "id_lists_lastfm",
                "genres, one list of ids each, from the Last.fm tags",
                _IDS_LICENCE,
            ),
        ),
        build="musae data build lpd --npz {to}/lpd_5_cleansed --labels {to}/id_lists_tagtraum",
    ),
}
