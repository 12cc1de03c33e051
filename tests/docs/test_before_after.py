"""The picture of a piece before and after: drawn of both, and what is new stands out."""

from dataclasses import replace

from docs.before_after import PICTURE, draw
from tests.corpus import four_voice_song


def test_what_changed_changes_the_picture(tmp_path):
    before = four_voice_song(4)
    notes = before.tracks[1].notes.copy()
    notes["pitch"][-1] += 1
    other = replace(before, tracks=[before.tracks[0], replace(before.tracks[1], notes=notes), *before.tracks[2:]])
    drawn = []
    for after in (before, other):
        draw(before, after, tmp_path / "picture.png")
        drawn.append((tmp_path / "picture.png").read_bytes())
    assert all(one.startswith(b"\x89PNG") for one in drawn)
    assert drawn[0] != drawn[1]
    assert f"images/{PICTURE.name}" in (PICTURE.parent.parent / "work-on-a-piece.md").read_text(encoding="utf-8")
