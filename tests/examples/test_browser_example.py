"""The page of examples/browser in a real browser, beside LiteRT's interpreter and the package's reading of tokens."""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musae_tf.music import Song, get_layout
from musae_tf.music.grid import detokenize
from musae_tf.music.layouts import Layout
from musae_tf.time_grid import TimeGrid
from tests.export.lite import Lite

SOURCE = Path(__file__).parent.parent.parent / "examples/browser"
SAMPLE = """async ([genre, seed, temperature]) => {
    const model = await (await import('./page.js')).loaded;
    const made = await model.sample(genre, seed, temperature);
    return Object.fromEntries(Object.entries(made).map(([key, value]) => [key, value.length ? [...value] : value]));
}"""
MIDI = """async ([tokens, layout, tempo]) => {
    const { midiOf, pieceOf } = await import('./music.js');
    return [...midiOf(pieceOf(Int32Array.from(tokens), layout, tempo))];
}"""


class Files(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each of them."""

    def log_message(self, *arguments) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of a folder, as that of `python -m http.server`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def opened(browser, folder: Path) -> Iterator:
    """The page of a folder, when it has loaded or said why not; it may ask no other server."""
    with serving(folder) as address:
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(180_000)
        errors, strange = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda one: one.url.startswith((address, "data:", "blob:")) or strange.append(one.url))
        try:
            page.goto(address)
            page.wait_for_function("!document.getElementById('status').textContent.startsWith('Loading')")
            yield page
            assert (errors, strange) == ([], [])
        finally:
            page.close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """The page and LiteRT.js, without a model."""
    packages = SOURCE / "node_modules"
    if not (packages / "@litertjs/core").is_dir():
        pytest.skip("LiteRT.js is not there: npm install --prefix examples/browser brings it")
    folder = tmp_path_factory.mktemp("browser")
    for file in SOURCE.iterdir():
        if file.suffix in (".html", ".js"):
            shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(packages)
    return folder


@pytest.fixture(scope="module")
def site(bare, autoregressive_run, tmp_path_factory) -> Path:
    """The same with a tiny model."""
    pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")
    from musae_tf.export.litert import export_litert

    folder = tmp_path_factory.mktemp("site") / "browser"
    shutil.copytree(bare, folder, symlinks=True)
    model = autoregressive_run.load_model()
    for variable in model.music_variables:  # so that it is sure of something, and not of the same everywhere
        variable.assign(2.0 * variable)
    export_litert(autoregressive_run, folder / "model", lambda text: None, model)
    return folder


@pytest.fixture(scope="module")
def page(browser, site) -> Iterator:
    with opened(browser, site) as page:
        yield page


@pytest.fixture(scope="module")
def facts(site) -> dict:
    return json.loads((site / "model/model.json").read_text())


def assert_same_music(found: Song, wanted: Song) -> None:
    def heard(song: Song) -> list[tuple]:
        sounding = [track for track in song.tracks if len(track.notes)]
        return [(one.name, one.program, one.is_drum, sorted(one.notes.tolist())) for one in sounding]

    assert heard(found) == heard(wanted)
    assert [(one.tick, round(one.bpm, 2)) for one in found.tempos] == [(0, round(wanted.tempos[0].bpm, 2))]
    assert (found.metres, found.ticks_per_quarter, found.end) == (wanted.metres, 480, wanted.end)


def test_tokens_are_those_of_pythons_interpreter(page, site, facts):
    draw, decode = Lite(site / "model", "draw"), Lite(site / "model", "decode")
    seen = []
    for genre, seed, temperature in [(0, 1, 0.0), (1, 1, 0.9), (0, 2, 0.9), (0, 1, 0.0), (1, 4294967295, 1.5)]:
        made = page.evaluate(SAMPLE, [genre, seed, temperature])
        latent = draw([genre], [made["normal"]])["latent"]
        np.testing.assert_allclose(made["latent"], latent[0], atol=1e-6)
        chances = np.reshape(made["chances"], (1, facts["steps"], facts["chances"]))
        wanted = decode([made["latent"]], [temperature], chances)
        np.testing.assert_array_equal(made["tokens"], wanted["tokens"].ravel())
        assert made["logProbability"] == pytest.approx(wanted["log_probability"][0], rel=1e-4)
        seen.append(made)
    assert seen[0] == seen[3], "a seed gives the same music"
    assert len({tuple(made["tokens"]) for made in seen}) == 4


def test_numbers_of_chance_are_uniform_and_normal(page):
    code = """async () => {
        const random = new (await import('./model.js')).Random(7);
        return ['uniform', 'normal'].map((kind) => Array.from({ length: 20000 }, () => random[kind]()));
    }"""
    uniform, normal = (np.array(numbers) for numbers in page.evaluate(code))
    assert 0 <= uniform.min() < uniform.max() < 1
    np.testing.assert_array_equal(uniform.astype(np.float32), uniform)
    quantiles = (np.arange(20000) + 0.5) / 20000
    assert np.abs(np.sort(uniform) - quantiles).max() < 0.0138  # Kolmogorov and Smirnov, one in a thousand
    assert np.abs(normal.mean()) < 0.03
    assert np.abs(normal.std() - 1) < 0.03
    assert np.mean(np.abs(normal) < 1) == pytest.approx(0.6827, abs=0.015)


def test_a_sample_is_shown_played_and_saved(page, facts, tmp_path):
    assert page.locator("#genre option").all_inner_texts() == facts["genres"]
    page.get_by_label("Genre").select_option("hymns")
    page.get_by_label("Seed").fill("5")
    page.get_by_label("Temperature").fill("0.9")
    page.get_by_role("button", name="Sample").click()
    page.wait_for_function("document.getElementById('status').textContent.includes(' notes, in ')")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save MIDI").click()
    assert download.value.suggested_filename == "sample.mid"
    download.value.save_as(tmp_path / "sample.mid")
    saved = Song.read(tmp_path / "sample.mid")
    tokens = page.evaluate(SAMPLE, [facts["genres"].index("hymns"), 5, 0.9])["tokens"]
    layout = Layout.from_dict(facts["layout"])
    tokens = np.array(tokens, np.uint16).reshape(-1, len(layout.columns))
    assert_same_music(saved, detokenize(tokens, layout, facts["tempos"]["hymns"]))
    notes = sum(len(track.notes) for track in saved.tracks)
    assert notes > 0
    assert page.locator("#roll rect").count() == notes
    assert f"of hymns, {notes} notes" in page.inner_text("#status")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Play").wait_for()


@pytest.mark.parametrize(
    ("name", "grid"), [("band_full", "4/4x4"), ("pop909", "3/4x4"), ("piano", "6/8x6"), ("band", "3/8x6")]
)
def test_files_hold_what_the_package_makes_of_the_tokens(page, name, grid):
    """Chords, velocities, kits and other metres too."""
    layout = replace(get_layout(name), time=TimeGrid.parse(grid))
    random = np.random.default_rng(1)
    columns = []
    for size in layout.vocabulary_sizes:
        often = {130: 129, 512: 0, 9: 8}[size]  # hold, no stroke, no velocity
        symbols = random.integers(0, size, 4 * layout.bar_steps)
        if size == 130:  # few pitches, so that voices meet
            symbols = np.where(symbols < 128, 60 + symbols % 6, symbols)
        columns.append(np.where(random.random(len(symbols)) < 0.6, often, symbols))
    tokens = np.stack(columns, axis=-1).astype(np.uint16)
    data = page.evaluate(MIDI, [tokens.ravel().tolist(), layout.to_dict(), 96])
    assert_same_music(Song.read(bytes(data)), detokenize(tokens, layout, 96.0))


def test_a_page_without_a_model_says_what_is_missing(browser, bare):
    with opened(browser, bare) as page:
        said = page.inner_text("#status")
        assert "model/model.json: 404" in said
        assert "musae export RUN --format litert --to" in said
        assert page.get_by_role("button", name="Sample").is_disabled()
