"""What lies over and below a piano roll where bars and tracks can be selected, and the versions of a part."""

from collections.abc import Callable
from typing import Any

import numpy as np
from nicegui import ui
from nicegui.events import GenericEventArguments

from musae_tf.studio.fills import Selection
from musae_tf.studio.history import Stage
from musae_tf.studio.service import Result


class SelectionView(ui.element, component="selection.js"):
    """A lane for each track with a cell for each bar; bars can be selected on the piano roll too.

    Attributes:
        selection: what is selected; None for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.selection: Selection | None = None
        self._props |= {"piece": "", "bars": [], "quarters": 1, "tracks": [], "filled": None}
        self.on("select", self._select)

    def show(self, piece: str, result: Result, filled: Selection | None) -> None:
        """Show a result.

        Args:
            piece: key of the piece that it was filled from; with another one nothing is selected.
            result: the result.
            filled: the part that is marked as written anew.
        """
        if piece != self._props["piece"]:
            self.selection = None
        song = result.song
        starts = song.bars()[:, 0]
        tracks = []
        for track in song.tracks:
            bar = np.searchsorted(starts, track.notes["start"], side="right") - 1
            tracks.append({"name": track.name, "counts": np.bincount(bar, minlength=len(starts)).tolist()})
        self._props["piece"] = piece
        self._props["bars"] = (starts / song.ticks_per_quarter).tolist()
        self._props["quarters"] = song.end / song.ticks_per_quarter
        self._props["tracks"] = tracks
        self._props["filled"] = None if filled is None else marked(filled, len(tracks), len(starts))
        self.update()

    def _select(self, event: GenericEventArguments) -> None:
        bars, tracks = event.args["bars"], event.args["tracks"]
        if not bars and not tracks:
            self.selection = None
            return
        self.selection = Selection((int(bars[0]), int(bars[1])) if bars else None, tuple(int(one) for one in tracks))


class VersionsView(ui.element, component="versions.js"):
    """The versions of a part side by side, one of them chosen.

    Args:
        on_choose: called with the number of another one.
    """

    def __init__(self, on_choose: Callable[[int], None]):
        super().__init__()
        self._props |= {"versions": [], "chosen": 0, "span": [0, 1], "fresh": []}
        self.on("choose", lambda event: on_choose(int(event.args)))

    def show(self, stage: Stage | None) -> None:
        """Show those of a fill; None for none."""
        versions = [] if stage is None else [version.result for version in stage.versions]
        if stage is not None:
            song = versions[0].song
            starts = song.bars()[:, 0] / song.ticks_per_quarter
            part = marked(stage.versions[0].fill.selection, len(song.tracks), len(starts))
            edges = [*starts.tolist(), song.end / song.ticks_per_quarter]
            self._props["span"] = span = [edges[part["first"] - 1], edges[part["last"]]]
            self._props["fresh"] = part["tracks"]
            self._props["chosen"] = stage.chosen
            self._props["versions"] = [_within(result, *span) for result in versions]
        else:
            self._props["versions"] = []
        self.update()


def marked(part: Selection, tracks: int, bars: int) -> dict[str, Any]:
    """A part as the page marks it: its first and last bar, from 1, and its tracks."""
    first, last = part.bars or (1, bars)
    return {"first": first, "last": last, "tracks": list(part.tracks or range(tracks))}


def _within(result: Result, start: float, end: float) -> list[list[list[float]]]:
    """The notes of each track that sound in a part, as [start, length, pitch] in quarters."""
    return [
        [note[:3] for note in track["notes"] if note[0] < end and note[0] + note[1] > start]
        for track in result.to_dict()["tracks"]
    ]
