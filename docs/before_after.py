"""Draw the picture of `docs/work-on-a-piece.md`: a piece of the packaged model, and the same with a part filled.

    python -m docs.before_after

Run from the root of the project, with the extra `dev`.
"""

from pathlib import Path

import numpy as np

from musae_tf import Musae
from musae_tf.music import Song
from musae_tf.music.picture import COLOURS

PICTURE = Path(__file__).parent / "images" / "fill-before-after.png"
BARS, BAR, TRACKS, SEED = 4, 3, ("alto", "tenor"), 7
"""Of the piece, and what of it is filled."""


def main() -> None:
    """Make the music and draw it."""
    with Musae.from_preset("voices") as musae:
        before = musae.sample("bach", bars=BARS, seed=SEED)
        after = musae.fill(before, BAR, TRACKS, seed=SEED)
    PICTURE.parent.mkdir(exist_ok=True)
    draw(before, after, PICTURE)


def draw(before: Song, after: Song, path: Path) -> None:
    """Write a PNG of both songs, one above the other, with what is in one of them alone in full colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    edges = before.bars()
    first, length = edges[BAR - 1]
    for axes, song, other, title in ((upper, before, after, "before"), (lower, after, before, "after")):
        axes.axvspan(first, first + length, color="0.92", zorder=0)
        for track, twin, colour in zip(song.tracks, other.tracks, COLOURS, strict=False):
            alone = ~np.isin(track.notes, twin.notes)
            for notes, opacity in ((track.notes[~alone], 0.4), (track.notes[alone], 1.0)):
                axes.barh(notes["pitch"], notes["duration"] - 20, left=notes["start"], height=0.9, color=colour,
                          alpha=opacity)  # fmt: skip
        for tick in edges[:, 0].tolist():
            axes.axvline(tick, color="0.75", linewidth=0.6, zorder=0)
        axes.set_xlim(0, before.end)
        axes.set_yticks([48, 60, 72], ["C3", "C4", "C5"])
        axes.set_title(title, fontsize=10, loc="left")
    lower.set_xticks(edges[:, 0], [f"bar {number}" for number in range(1, len(edges) + 1)], ha="left")
    pairs = zip(before.tracks, COLOURS, strict=False)
    handles = [upper.barh(0, 0, color=colour, label=track.name) for track, colour in pairs]
    upper.legend(
        handles=handles, ncols=len(handles), fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False
    )
    upper.set_ylim(*pitches(before, after))
    figure.savefig(path, dpi=110)


def pitches(*songs: Song) -> tuple[float, float]:
    """What all songs lie between."""
    every = np.concatenate([track.notes["pitch"] for song in songs for track in song.tracks])
    return every.min() - 2.0, every.max() + 2.0


if __name__ == "__main__":
    main()
