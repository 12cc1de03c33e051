"""Every action of the page with mouse and with keyboard, on the real studio over its real server."""

import re
import wave
from urllib.parse import urlsplit

import numpy as np
import pytest

from musae_tf.music import Song, detokenize, get_layout, tokenize
from musae_tf.music.audio import TAIL_SECONDS, seconds
from tests.studio.hand import Hand, result, saved


@pytest.fixture(params=["mouse", "keyboard"])
def hand(request, studio, open_page):
    with open_page(studio.url) as page:
        page.get_by_role("button", name="Sample", exact=True).wait_for()
        yield Hand(page, request.param)


@pytest.fixture
def files(song_folder):
    return song_folder / "hymns" / "hymn 0.mid", song_folder / "dances" / "dance 1.mid"


def same_music(one: Song, other: Song, layout) -> bool:
    grids = [tokenize(song, layout) for song in (one, other)]
    return (
        np.array_equal(grids[0].tokens, grids[1].tokens)
        and grids[0].tempo == pytest.approx(grids[1].tempo, rel=1e-4)
        and grids[0].programs == grids[1].programs
        and seconds(one) == pytest.approx(seconds(other), rel=1e-4)
    )


def test_sample_play_stop_and_take_away(hand, musae, genres, tmp_path):
    page = hand.page
    hand.choose("Genre", genres[1])
    page.get_by_label("Bars").fill("6")
    page.get_by_label("Seed", exact=True).fill("11")
    hand.slide("Temperature", 2, of=40)
    temperature = float(page.get_by_role("slider", name="Temperature").input_value())
    assert temperature == pytest.approx(1.0, abs=0.051)
    hand.button("Sample")
    result(page, f"{genres[1]}, 6 bars, seed 11")

    song = musae.sample(genres[1], 6, temperature, 11)
    path = saved(page, "MIDI", tmp_path)
    assert path.name == f"{genres[1]}-11.mid"
    assert same_music(Song.read(path), song, musae.describe().layout)

    path = saved(page, "Score", tmp_path)
    assert path.name == f"{genres[1]}-11.musicxml"
    assert same_music(Song.read(path), song, musae.describe().layout)

    with wave.open(str(saved(page, "WAV", tmp_path))) as sound:
        assert sound.getnchannels() == 2
        length = sound.getnframes() / sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert length == pytest.approx(seconds(song) + TAIL_SECONDS, abs=0.1)
    assert np.sqrt(np.mean(np.square(samples / 32768.0))) > 0.01
    assert np.abs(samples).max() < 32767

    # It plays at once, and the cursor moves; then stop, play, stop.
    page.get_by_role("button", name="Stop").wait_for()
    heard = page.evaluate("document.querySelector('audio').duration")
    assert heard == pytest.approx(length, abs=0.1)
    page.wait_for_function("new DOMMatrix(getComputedStyle(document.querySelector('.cursor')).transform).e > 5")
    hand.button("Stop")
    assert page.evaluate("document.querySelector('audio').paused")
    hand.button("Play")
    page.wait_for_function("!document.querySelector('audio').paused")
    hand.button("Stop")
    page.get_by_role("button", name="Play").wait_for()
    assert page.hosts - {""} == {urlsplit(page.url).netloc}, "nothing comes from elsewhere"


def test_the_score_is_seen_beside_the_piano_roll(hand, genres):
    pytest.importorskip("verovio")
    page = hand.page
    drawn = "[...document.images].find((image) => image.complete && image.naturalHeight > image.naturalWidth)?.src"
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed 1")
    hand.button("Score")
    page.get_by_role("img", name=f"Score of {genres[0]}, 8 bars, seed 1", exact=True).wait_for()
    first = page.wait_for_function(drawn).json_value()
    notes = "async (address) => (await (await fetch(address)).text()).split('class=\"note\"').length - 1"
    assert page.evaluate(notes, first) > 0
    assert not page.get_by_role("group", name="Piano roll. ").is_visible()

    # The next result is engraved at once, and the roll is as it was.
    page.get_by_label("Seed", exact=True).fill("2")
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed 2")
    page.get_by_role("img", name=f"Score of {genres[0]}, 8 bars, seed 2", exact=True).wait_for()
    page.wait_for_function(f"((src) => src && src !== '{first}')({drawn})")
    hand.button("Piano roll")
    page.get_by_role("group", name="Piano roll. ").wait_for()
    assert page.locator(".engraving").count() == 0


def test_a_new_seed_is_other_music(hand, genres):
    page = hand.page
    before = page.get_by_label("Seed", exact=True).input_value()
    hand.button("New seed")
    page.wait_for_function(
        "before => document.querySelector('input[aria-label=\"Seed\"]').value !== before", arg=before
    )
    hand.button("Sample")
    result(page, f"{genres[0]}, 8 bars, seed {page.get_by_label('Seed', exact=True).input_value()}")


def test_reconstruct_and_transfer(hand, musae, genres, files, tmp_path):
    page, (hymn, _) = hand.page, files
    layout = musae.describe().layout
    hand.tab("Change")
    hand.button("Reconstruct")
    hand.bring("Your piece", hymn)
    result(page, "hymn 0, reconstructed")
    page.get_by_text("8 bars, 96 bpm").wait_for()
    assert same_music(Song.read(saved(page, "MIDI", tmp_path)), musae.reconstruct(hymn), layout)

    hand.button("Transfer")
    for genre in (genres[1], genres[0]):
        hand.choose("To the genre", genre)
        result(page, f"hymn 0 to {genre} by 1")
    hand.slide("Strength", 10, of=40)
    strength = float(page.get_by_role("slider", name="Strength").input_value())
    assert strength > 1.3
    result(page, f"hymn 0 to {genres[0]} by {strength:g}")
    moved = musae.transfer(hymn, genres[0], strength=strength)
    assert same_music(Song.read(saved(page, "MIDI", tmp_path)), moved, layout)


def test_attributes(hand, musae, genres, files, tmp_path):
    page, (hymn, _) = hand.page, files
    hand.tab("Change")
    hand.bring("Your piece", hymn)
    result(page, f"hymn 0 to {genres[0]} by 1")
    hand.button("Reshape")
    for name in ("Notes", "Register", "Length"):
        assert page.get_by_role("slider", name=name, exact=True).input_value() == "0"
    hand.slide("Notes", 8, of=24)
    result(page, "hymn 0, reshaped")
    amount = float(page.get_by_role("slider", name="Notes", exact=True).input_value())
    assert amount > 1.5
    path, layout = saved(page, "MIDI", tmp_path), musae.describe().layout
    assert same_music(Song.read(path), musae.change(hymn, {"notes": amount}), layout)
    page.get_by_text("Single tracks").click()
    before = page.url
    hand.slide("Bass: register", 3, of=24)
    page.wait_for_function("before => location.href !== before", arg=before)
    other = float(page.get_by_role("slider", name="Bass: register").input_value())
    changed = musae.change(hymn, {"notes": amount, "bass:register": other})
    assert same_music(Song.read(saved(page, "MIDI", tmp_path)), changed, layout)
    before = page.url
    hand.button("All to 0")
    page.wait_for_function("before => location.href !== before", arg=before)
    level = musae.decode(musae.encode(hymn).mean, tempo=96.0)
    assert same_music(Song.read(saved(page, "MIDI", tmp_path)), level, musae.describe().layout)


def test_between_two_pieces(hand, musae, files, tmp_path):
    page = hand.page
    hand.tab("Between")
    for label, path in zip(("From", "To"), files, strict=True):
        hand.bring(label, path)
    result(page, "hymn 0 to dance 1, 0% of the way")
    points = musae.interpolate(*files, points=9)
    for at, share in ((2, "25%"), (5, "62%")):
        now = int(page.get_by_role("slider", name="Where").input_value())
        hand.slide("Where", at - now, of=8)
        result(page, f"hymn 0 to dance 1, {share} of the way")
        path = saved(page, "MIDI", tmp_path)
        assert path.name == f"hymn-0-to-dance-1-{at + 1}.mid"
        assert same_music(Song.read(path), points[at], musae.describe().layout)


def test_the_map(hand, musae, tmp_path):
    page, points, model = hand.page, musae.map(), musae.describe()
    hand.tab("Map")
    canvas = page.get_by_role("application")
    canvas.wait_for()
    assert f"Map of {len(points.title)} {points.of}" in canvas.get_attribute("aria-label")
    box = canvas.bounding_box()
    (left, low), (right, high) = points.position.min(0), points.position.max(0)
    scale = min((box["width"] - 48) / (right - left), (box["height"] - 48) / (high - low))
    middle = np.array([box["width"], box["height"]]) / 2

    def screen(number: int) -> np.ndarray:
        return middle + scale * (points.position[number] - [(left + right) / 2, (low + high) / 2]) * [1, -1]

    def go(place: np.ndarray) -> None:
        if hand.keys:
            canvas.focus()
            right, down = np.rint((place - middle) / 8).astype(int)
            for key, count in (("ArrowRight", right), ("ArrowLeft", -right), ("ArrowDown", down), ("ArrowUp", -down)):
                for _ in range(count):
                    page.keyboard.press(key)
            page.keyboard.press("Enter")
        else:
            canvas.click(position={"x": place[0], "y": place[1]})

    places = np.stack([screen(number) for number in range(len(points.title))])
    gaps = np.hypot(*np.moveaxis(places[:, None] - places, -1, 0)) + 1e9 * np.eye(len(places))
    lonely = int(gaps.min(axis=1).argmax())
    go(places[lonely])
    result(page, points.title[lonely])
    genre = model.genres[points.genre[lonely]]
    words = f"{points.title[lonely]} ({genre})" if points.of == "songs" else points.title[lonely]
    page.locator(".map-words").get_by_text(words, exact=True).wait_for()
    decoded = musae.decode(points.latent[lonely][None], seed=1, tempo=model.tempos[genre])
    assert same_music(Song.read(saved(page, "MIDI", tmp_path)), decoded, model.layout)

    if hand.keys:
        page.reload()  # the cross is in the middle again
        canvas.wait_for()
    go(np.array([6.0, 6.0]))
    page.get_by_role("heading", name=re.compile("of the map")).wait_for()
    page.wait_for_function("location.search.includes('point=-1')")


@pytest.mark.parametrize("kind", ["sample", "transfer", "interpolate"])
def test_a_link_makes_the_result_again(studio, open_page, files, tmp_path, musae, genres, kind):
    layout = musae.describe().layout
    with open_page(studio.url) as page:
        hand = Hand(page, "mouse")
        page.get_by_role("button", name="Sample", exact=True).wait_for()
        if kind == "sample":
            page.get_by_label("Seed", exact=True).fill("5")
            hand.button("Sample")
            title = f"{genres[0]}, 8 bars, seed 5"
        elif kind == "transfer":
            hand.tab("Change")
            hand.bring("Your piece", files[0])
            title = f"hymn 0 to {genres[0]} by 1"
        else:
            hand.tab("Between")
            for label, path in zip(("From", "To"), files, strict=True):
                hand.bring(label, path)
            result(page, "hymn 0 to dance 1, 0% of the way")
            hand.slide("Where", 4, of=8)
            title = "hymn 0 to dance 1, 50% of the way"
        result(page, title)
        page.wait_for_function("kind => location.search.includes('do=' + kind)", arg=kind)
        link, song = page.url, Song.read(saved(page, "MIDI", tmp_path))
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("The link is in the clipboard.").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == link
    with open_page(link) as page:
        result(page, title)
        assert same_music(Song.read(saved(page, "MIDI", tmp_path)), song, layout)
        assert page.evaluate("document.querySelector('audio').paused"), "a link that is opened makes no noise"


def test_a_piece_too_long_for_a_link(studio, open_page, genres, tmp_path):
    path = tmp_path / "long.mid"
    noise = np.random.default_rng(1).integers(0, 128, (64, 16, 4))
    detokenize(noise, get_layout("voices")).write(path)
    with open_page(studio.url) as page:
        hand = Hand(page, "mouse")
        hand.tab("Change")
        hand.bring("Your piece", path)
        result(page, f"long to {genres[0]} by 1")
        page.get_by_role("button", name="Bars, temperature, seed").click()
        page.get_by_label("First bars").fill("64")
        hand.button("Make")
        page.get_by_text("not the piece, which is too long").wait_for()
        page.wait_for_function("!location.href.includes('piece=')")
        link = page.url
    with open_page(link) as page:
        page.get_by_role("alert").get_by_text("bring the file again").wait_for()
        assert page.get_by_role("tab", name="Change").get_attribute("aria-selected") == "true"


def test_links_that_make_no_sense(studio, open_page, genres):
    for query, words in (
        ("do=dance", "Do is 'dance' in this link, must be one of"),
        ("do=sample&genre=polka", "polka"),
        (f"do=sample&genre={genres[1]}&bars=9999", "Bars is '9999', must be a whole number from 1 to 64"),
        ("do=reconstruct#piece=AAAA", "The piece in this link is damaged"),
        ("do=map&point=9999", "the model's has"),
        ("do=reshape&amounts=1,2", "2 attributes, the model has 15"),
    ):
        with open_page(f"{studio.url}?{query}") as page:
            page.get_by_role("alert").get_by_text(words).wait_for()
            page.get_by_role("tab", name="Sample").click()
            page.get_by_role("button", name="Sample", exact=True).wait_for()


def test_the_order_of_focus_is_the_order_of_reading(studio, open_page, genres, musae):
    model = musae.describe()
    filling = []
    if "fill" in model.signatures:
        # Of the lanes only one cell has the focus, the arrows lead to the others.
        first, *others = model.layout.names
        filling = [first, f"{first}, bar 1, ", *others, "New notes", "Keep rhythm", "Fill selection"]
    with open_page(studio.url) as page:
        page.get_by_role("button", name="Sample", exact=True).click()
        result(page, f"{genres[0]}, 8 bars, seed 1")
        page.get_by_role("button", name="Stop").wait_for()
        page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        page.locator("h1").click()
        names = []
        for _ in range(19 + len(filling)):
            page.keyboard.press("Tab")
            names.append(
                page.evaluate("""() => { const e = document.activeElement;
                return e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText || e.tagName; }""")
            )
        order = ["Light or dark", "Sample", "Genre", "Bars", "Seed", "New seed", "Temperature", "Sample",
                 "Piano roll", "Score", "Piano roll", *filling, "Stop", "Position",
                 "Send to a MIDI port", "MIDI", "Score", "WAV", "Copy link"]  # fmt: skip
        found = [name.replace("play_arrow", "").replace("auto_fix_high", "").strip() for name in names]
        for expected, name in zip(order, found, strict=False):
            assert name.startswith(expected), found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(studio, open_page, genres, scheme):
    with open_page(studio.url, viewport={"width": 360, "height": 740}, color_scheme=scheme) as page:
        page.get_by_role("button", name="Sample", exact=True).click()
        result(page, f"{genres[0]}, 8 bars, seed 1")
        for name in ("Sample", "Change", "Between", "Map"):
            page.get_by_role("tab", name=name).click()
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
        paper = page.evaluate("getComputedStyle(document.querySelector('.result')).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        page.get_by_role("button", name="Light or dark").click()
        page.wait_for_function("document.body.classList.contains('body--dark')")
