"""A piece that the user brought: what the model can take of it, small enough to travel in a link."""

import base64
import binascii
import json
import zlib
from dataclasses import dataclass

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music import STEPS_PER_BAR, Layout, Song, detokenize, pieces, tokenize
from musae_tf.studio.errors import StudioError

MAX_BYTES = 4_000_000
"""Largest MIDI file that the studio reads. Few are above 1 MB; what is larger is something else."""

MAX_LINK = 6000
"""Characters that one piece may take in a link: what browsers, chats and mail programs keep whole."""

MAX_BARS = 64
"""Bars of a piece that the studio works on at most, so that every answer comes soon."""

_MAX_UNPACKED = 1_000_000
_MAX_NAME = 200


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece on the grid of the model.

    Attributes:
        name: of its file, as the user has it.
        tokens: uint16 [bars, 16, K].
        tempo: quarter notes a minute.
        programs: General MIDI program of each track.
        losses: what of the file the model cannot take, in words; empty if it takes all.
    """

    name: str
    tokens: np.ndarray
    tempo: float
    programs: tuple[int, ...]
    losses: str = ""

    @classmethod
    def read(cls, data: bytes, name: str, layout: Layout) -> "Piece":
        """A piece from a MIDI file.

        Raises:
            StudioError: the file cannot be read, or holds nothing that the model can take.
        """
        try:
            grid = tokenize(Song.read(data), layout)
        except MusicError as error:
            raise StudioError(f"{name}: {error}") from error
        return cls(name[:_MAX_NAME], grid.tokens, grid.tempo, grid.programs, pieces.losses_in_words(grid))

    def song(self, layout: Layout, bars: int) -> Song:
        """Its first bars as a song that the client takes; on the grid, it is the file."""
        song = detokenize(self.tokens[:bars], layout, self.tempo, self.programs)
        song.name = self.name.rpartition(".")[0] or self.name
        return song

    def to_text(self, bars: int) -> str:
        """Its first bars as characters that a URL can carry; empty if they would be more than `MAX_LINK`."""
        tokens = self.tokens[:bars]
        head = {"name": self.name, "tempo": self.tempo, "programs": self.programs, "shape": tokens.shape}
        # Track after track: what repeats lies together.
        body = np.moveaxis(tokens, -1, 0).astype("<u2").tobytes()
        packed = zlib.compress(json.dumps(head).encode() + b"\0" + body, 9)
        text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return text if len(text) <= MAX_LINK else ""

    @classmethod
    def from_text(cls, text: str, layout: Layout) -> "Piece":
        """The piece of `to_text`.

        Raises:
            StudioError: the text is damaged, or the piece has other tracks than the model.
        """
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            head, _, body = zlib.decompressobj().decompress(packed, _MAX_UNPACKED).partition(b"\0")
            facts = json.loads(head)
            bars, steps, tracks = facts["shape"]
            tokens = np.moveaxis(np.frombuffer(body, "<u2").reshape(tracks, bars, steps), 0, -1)
            name, tempo = str(facts["name"])[:_MAX_NAME], float(facts["tempo"])
            programs = tuple(int(program) for program in facts["programs"])
        except (ValueError, KeyError, TypeError, binascii.Error, zlib.error) as cause:
            raise StudioError("the piece in this link is damaged: was the whole link copied?") from cause
        if steps != STEPS_PER_BAR or tracks != len(layout.tracks):
            raise StudioError(f"the piece in this link has {tracks} tracks, the model has {len(layout.tracks)}")
        try:
            detokenize(tokens, layout, tempo, programs)
        except MusicError as cause:
            raise StudioError(f"the piece in this link does not fit the model: {cause}") from cause
        return cls(name, tokens, tempo, programs)
