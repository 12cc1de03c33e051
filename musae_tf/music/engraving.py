"""Engraved scores: a song's MusicXML drawn by verovio, as an SVG of pages under each other or a PDF joined by typst."""

import os
import re
from importlib.resources import files
from typing import Any

from musae_tf.errors import MusicError, require
from musae_tf.files import write_bytes
from musae_tf.music.musicxml_writer import to_musicxml
from musae_tf.music.song import Song

_PURPOSE = "engraving scores"
_PDF_PURPOSE = "scores as PDF"
_OPTIONS = {
    "pageWidth": 2100,  # of A4, in tenths of a millimetre
    "pageHeight": 2970,
    "scale": 40,  # per cent
    "footer": "none",
    "svgFormatRaw": True,  # typst misses the place of a text that begins with white space
    "xmlIdSeed": 1,  # the same file for the same song
}
_SIZE = re.compile(r'<svg width="(\d+)px" height="(\d+)px"')
_SIGNS = {0xECA5: "\u2669"}
"""The quarter of a tempo, which the MusicXML gives all tempos in: its place in SMuFL's fonts, and in Unicode's."""
_A4 = "#set document(date: none)\n#set page(width: 210mm, height: 297mm, margin: 0mm)\n"


def to_svg(song: Song) -> bytes:
    """The score of a song as one SVG: pages of A4, one under the other, black on white.

    Raises:
        MusicError: verovio is not installed, or no score has such a metre or tempo.
    """
    toolkit = _engrave(song)
    pages = []
    width = height = 0
    for number in range(1, toolkit.getPageCount() + 1):
        page = toolkit.renderToSVG(number)
        size = _SIZE.search(page)
        if size is None:
            raise MusicError(f"this version of verovio ({toolkit.getVersion()}) writes pages without a size")
        pages.append(page[: size.start()] + f'<svg y="{height}"' + page[size.start() + 4 :])
        width, height = max(width, int(size[1])), height + int(size[2])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    paper = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, paper, *pages, "</svg>\n"]).encode()


def write_svg(song: Song, path: str | os.PathLike) -> None:
    """Write `to_svg` to a file in one atomic step.

    Raises:
        MusicError: As `to_svg`, or the file cannot be written.
    """
    write_bytes(path, to_svg(song), MusicError)


def to_pdf(song: Song) -> bytes:
    """The score of a song as a PDF of A4 pages, black on white.

    Raises:
        MusicError: verovio or typst is not installed, or no score has such a metre or tempo.
    """
    typst = require("typst", _PDF_PURPOSE)
    toolkit = _engrave(song)
    names = [f"{number}.svg" for number in range(1, toolkit.getPageCount() + 1)]
    drawn = {name: toolkit.renderToSVG(at).translate(_SIGNS).encode() for at, name in enumerate(names, 1)}
    document = _A4 + "".join(f'#image("{name}", width: 100%)\n' for name in names)
    return bytes(typst.compile({"main": document.encode(), **drawn}, format="pdf"))


ENGRAVERS = {"svg": to_svg, "pdf": to_pdf}
"""What writes a score, by the ending of its file."""


def check_engraver(kind: str) -> None:
    """Whether a score can be written.

    Args:
        kind: "svg" or "pdf".

    Raises:
        MusicError: verovio, or for "pdf" typst, is not installed.
    """
    require("verovio", _PURPOSE)
    if kind == "pdf":
        require("typst", _PDF_PURPOSE)


def _engrave(song: Song) -> Any:
    """The toolkit of verovio with a song in it."""
    verovio = require("verovio", _PURPOSE)
    verovio.enableLog(verovio.LOG_OFF)
    # Verovio knows where its fonts are in the thread that imported it alone.
    toolkit = verovio.toolkit(False)
    toolkit.setResourcePath(str(files("verovio") / "data"))
    toolkit.setOptions(_OPTIONS)
    if not toolkit.loadData(to_musicxml(song).decode()):
        raise MusicError(f"verovio cannot engrave {song.name or 'the song'}: {toolkit.getLog().strip()}")
    return toolkit
