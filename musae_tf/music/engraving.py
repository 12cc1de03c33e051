"""Engraved scores: a song as SVG pages under each other, drawn by verovio from its MusicXML."""

import os
import re

from musae_tf.errors import MusicError, require
from musae_tf.files import write_bytes
from musae_tf.music.musicxml_writer import to_musicxml
from musae_tf.music.song import Song

PURPOSE = "engraving scores"
_OPTIONS = {
    "pageWidth": 2100,  # of A4, in tenths of a millimetre
    "pageHeight": 2970,
    "scale": 40,  # per cent
    "footer": "none",
    "xmlIdSeed": 1,  # the same file for the same song
}
_SIZE = re.compile(r'<svg width="(\d+)px" height="(\d+)px"')


def to_svg(song: Song) -> bytes:
    """The score of a song as one SVG: pages of A4, one under the other, black on white.

    Raises:
        MusicError: verovio is not installed, or no score has such a metre or tempo.
    """
    verovio = require("verovio", PURPOSE)
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    if not toolkit.loadData(to_musicxml(song).decode()):
        raise MusicError(f"verovio cannot engrave {song.name or 'the song'}: {toolkit.getLog().strip()}")
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
