"""Bars and tracks selected by mouse and by keyboard, filled, compared, undone, and made again by their link."""

import re
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from musae_tf.client import MusaeClient
from musae_tf.music import Song
from musae_tf.studio.embedded import MODEL
from musae_tf.studio.fills import TEMPERATURE
from tests.studio.driver import Studio
from tests.studio.hand import Hand, result, saved

SELECTED = "Selected: {}."


@pytest.fixture(scope="module")
def filling(installed, autoregressive_folder) -> Iterator[Studio]:
    """A studio whose model can fill."""
    with closing(Studio(str(autoregressive_folder))) as one:
        yield one.wait()


@pytest.fixture(scope="module")
def listener(filling) -> Iterator[MusaeClient]:
    with MusaeClient(filling.socket, MODEL) as client:
        yield client


@pytest.fixture(scope="module")
def elsewhere(filling) -> Iterator[Studio]:
    """A studio over the server of the other one."""
    with closing(Studio("--server", filling.socket)) as one:
        yield one.wait()


@pytest.fixture(params=["mouse", "keyboard"])
def hand(request, filling, open_page):
    with open_page(filling.url) as page:
        page.get_by_role("button", name="Sample", exact=True).wait_for()
        yield Hand(page, request.param)


def as_it_is(hand: Hand, path) -> None:
    """Bring a piece that nothing is done to."""
    hand.tab("Change")
    hand.button("As it is")
    hand.bring("Your piece", path)
    result(hand.page, f"{path.stem}, as it is")


def cell(page, track: str, bar: int):
    return page.get_by_role("gridcell", name=re.compile(f"^{track}, bar {bar}, "))


def selected(page, words: str) -> None:
    page.get_by_text(SELECTED.format(words), exact=True).wait_for()


def select(hand: Hand, first: tuple[str, int], last: tuple[str, int], steps: tuple[int, int]) -> None:
    """From one cell to another: by dragging, or by so many arrows down and right with Shift."""
    page = hand.page
    if hand.keys:
        cell(page, *first).focus()
        page.keyboard.press("Enter")
        for key, count in zip(("ArrowDown", "ArrowRight"), steps, strict=True):
            for _ in range(count):
                page.keyboard.press(f"Shift+{key}")
    else:
        cell(page, *first).hover()
        page.mouse.down()
        cell(page, *last).hover()
        page.mouse.up()


def notes(song: Song, track: str, inside: bool, bars: range) -> list:
    """The notes of a track that begin in some bars, from 1, or that do not."""
    (own,) = (one.notes for one in song.tracks if one.name == track)
    starts = song.bars()[:, 0]
    bar = np.searchsorted(starts, own["start"], side="right")
    scale = song.ticks_per_quarter
    return [
        (int(note["start"]) / scale, int(note["duration"]) / scale, int(note["pitch"]))
        for note in own[np.isin(bar, list(bars)) == inside]
    ]


def test_select_fill_undo_and_open_the_link(hand, filling, elsewhere, open_page, listener, song_folder, tmp_path):
    page, hymn = hand.page, song_folder / "hymns" / "hymn 0.mid"
    names = listener.describe().layout.names
    as_it_is(hand, hymn)
    page.get_by_text("Nothing is selected").wait_for()
    hand.button("Fill selection")
    page.get_by_role("alert").get_by_text("Select what to fill first").wait_for()

    select(hand, (names[1], 5), (names[2], 6), (1, 1))
    selected(page, f"bars 5 to 6 of {names[1]}, {names[2]}")
    assert cell(page, names[2], 6).get_attribute("aria-selected") == "true"
    assert cell(page, names[0], 6).get_attribute("aria-selected") == "false"
    if hand.keys:
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"{names[2]}, bar 6, ")
        assert page.evaluate("document.activeElement.matches(':focus-visible')")

    before = Song.read(saved(page, "MIDI", tmp_path))
    hand.button("Fill selection")
    title = f"hymn 0, as it is, bars 5 to 6 of {names[1]}, {names[2]} filled"
    result(page, title)
    path = saved(page, "MIDI", tmp_path)
    assert path.name == "hymn-0-filled.mid"
    song, bars = Song.read(path), range(5, 7)
    for name in names:
        assert notes(song, name, False, bars) == notes(before, name, False, bars), "what is known stays"
    for name in (names[0], names[3]):
        assert notes(song, name, True, bars) == notes(before, name, True, bars)
    assert any(notes(song, name, True, bars) != notes(before, name, True, bars) for name in names[1:3])
    made = listener.fill(before, bars="5-6", tracks=[names[1], names[2]], temperature=TEMPERATURE, seed=1)
    assert all(notes(song, name, True, bars) == notes(made, name, True, bars) for name in names)

    # What is new is marked, and nothing else is.
    fresh = sum(len(notes(song, name, True, bars)) for name in names[1:3])
    assert page.locator(".roll svg .fresh").count() == fresh
    assert cell(page, names[1], 5).get_attribute("aria-label").endswith(", filled")
    assert page.locator(".picker .filled").count() == 1

    versions = page.get_by_role("group", name="Versions").get_by_role("button")
    versions.nth(3).wait_for()
    assert [versions.nth(at).get_attribute("aria-pressed") for at in range(4)] == ["true"] + 3 * ["false"]
    hand.press(versions.nth(2))
    page.wait_for_function("document.querySelectorAll('.versions [aria-pressed]')[2].ariaPressed === 'true'")
    page.wait_for_function("decodeURIComponent(location.search).includes('0.9,3]')")
    third, link = Song.read(saved(page, "MIDI", tmp_path)), page.url
    made = listener.fill(before, bars="5-6", tracks=[names[1], names[2]], temperature=TEMPERATURE, seed=3)
    assert all(notes(third, name, True, bars) == notes(made, name, True, bars) for name in names)

    # A second part, taken back and brought again.
    hand.button(names[0])
    selected(page, f"bars 5 to 6 of {names[0]}, {names[1]}, {names[2]}")
    page.get_by_role("checkbox", name="Keep rhythm").press("Space")
    hand.button("Fill selection")
    result(page, f"hymn 0, as it is, bars 5 to 6 of {', '.join(names[:3])} filled")
    versions.nth(3).wait_for()
    second, both = Song.read(saved(page, "MIDI", tmp_path)), page.url
    rhythm = [[note[:2] for note in notes(one, names[0], True, bars)] for one in (second, third)]
    assert rhythm[0] == rhythm[1]
    hand.button("Undo")
    result(page, title)
    page.wait_for_function("link => location.href === link", arg=link)
    hand.button("Undo")
    result(page, "hymn 0, as it is")
    assert page.get_by_role("button", name="Undo").is_disabled()
    assert versions.count() == 0
    for expected in (link, both):
        hand.button("Redo")
        page.wait_for_function("link => location.href === link", arg=expected)
    assert page.get_by_role("button", name="Redo").is_disabled()

    # The same model behind a studio that asks a server of somebody else.
    with open_page(both.replace(filling.url, elsewhere.url)) as other:
        result(other, f"hymn 0, as it is, bars 5 to 6 of {', '.join(names[:3])} filled")
        again = Song.read(saved(other, "MIDI", tmp_path))
        for name in names:
            assert notes(again, name, True, range(1, 99)) == notes(second, name, True, range(1, 99))
        assert other.evaluate("document.querySelector('audio').paused")
        other.get_by_role("button", name="Undo").click()
        result(other, title)


def test_bars_are_dragged_over_the_roll_and_tracks_pressed(filling, open_page, listener):
    model = listener.describe()
    with open_page(filling.url) as page:
        hand = Hand(page, "mouse")
        hand.button("Sample")
        result(page, f"{model.genres[0]}, 8 bars, seed 1")
        hand.press(page.get_by_role("button", name="Stop"))
        page.evaluate("document.querySelector('.sheet').scrollIntoView()")
        box = page.locator(".sheet").bounding_box()

        def drag(first: float, last: float) -> None:
            page.mouse.move(box["x"] + first * box["width"] / 8, box["y"] + 40)
            page.mouse.down()
            page.mouse.move(box["x"] + last * box["width"] / 8, box["y"] + 60, steps=4)
            page.mouse.up()

        drag(3.5, 1.5)
        selected(page, "bars 2 to 4 of all tracks")
        position = page.get_by_role("slider", name="Position")
        assert position.input_value() == "0", "a drag is not a place to play from"
        hand.button(model.layout.names[3])
        selected(page, f"bars 2 to 4 of {model.layout.names[3]}")
        drag(6.5, 7.5)
        selected(page, f"bars 7 to 8 of {model.layout.names[3]}")
        page.mouse.click(box["x"] + 4.5 * box["width"] / 8, box["y"] + 40)
        selected(page, f"bars 7 to 8 of {model.layout.names[3]}")
        assert float(position.input_value()) > 0
        hand.choose("New notes", model.genres[1])
        hand.button("Fill selection")
        result(page, f"{model.genres[0]}, 8 bars, seed 1, bars 7 to 8 of {model.layout.names[3]} filled")
        # It is heard from where it is new.
        page.wait_for_function(
            "document.querySelector('audio').currentTime > document.querySelector('audio').duration / 2"
        )
        page.get_by_role("button", name=re.compile("Version 4")).wait_for()
        assert f'"{model.genres[1]}"' in page.evaluate("new URLSearchParams(location.search).get('fills')")
        cell(page, model.layout.names[3], 7).focus()
        page.keyboard.press("Escape")
        page.get_by_text("Nothing is selected").wait_for()


def test_what_cannot_be_filled_is_said(filling, open_page, listener, song_folder):
    with open_page(filling.url) as page:
        hand, names = Hand(page, "mouse"), listener.describe().layout.names
        as_it_is(hand, song_folder / "hymns" / "hymn 0.mid")
        select(hand, (names[0], 1), (names[3], 8), (3, 7))
        selected(page, f"bars 1 to 8 of {', '.join(names)}")
        hand.button("Fill selection")
        page.get_by_role("alert").get_by_text("Everything is selected").wait_for()
        hand.button(names[0])
        hand.button("Fill selection")
        result(page, f"hymn 0, as it is, bars 1 to 8 of {names[0]} filled")
        assert page.get_by_role("alert").inner_text() == ""
    fills = '[[1,1,[0],0,"",0.9,1]]'
    for query, words in (
        ("do=sample&genre=hymns&fills=nothing", "What was filled is damaged in this link"),
        (f"do=sample&genre=hymns&fills=[{','.join([fills[1:-1]] * 33)}]", "33 filled parts, at most 32"),
        ('do=sample&genre=hymns&fills=[[9,9,[0],0,"",0.9,1]]', "bars has 9, but the song has bars 1 to 8"),
    ):
        with open_page(f"{filling.url}?{query}") as page:
            page.get_by_role("alert").get_by_text(words).wait_for()


def test_a_model_that_cannot_fill_says_so(installed, model_folder, open_page):
    one = Studio(str(model_folder))
    try:
        with open_page(one.wait().url) as page:
            page.get_by_role("button", name="Sample", exact=True).click()
            page.get_by_text("This model cannot fill in parts of a piece").wait_for()
            assert page.get_by_role("button", name="Fill selection").count() == 0
            assert page.get_by_role("grid").count() == 0
    finally:
        one.close()


def test_a_phone_shows_the_lanes_without_scrolling_sideways(filling, open_page, listener):
    with open_page(filling.url, viewport={"width": 360, "height": 740}) as page:
        page.get_by_role("button", name="Sample", exact=True).click()
        name = listener.describe().layout.names[1]
        page.get_by_role("button", name=name, exact=True).click()
        selected(page, f"all bars of {name}")
        page.get_by_role("button", name="Fill selection").click()
        page.get_by_role("button", name=re.compile("Version 4")).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
