"""Take the pictures of the studio that the documentation shows: `make screenshots`.

    python -m docs.screenshots [RUN|MODEL_DIR] [--only fill]

Run from the root of the project, with the extras `studio` and `dev` and a Chromium.
"""

import argparse
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.studio.driver import Studio, chromium

IMAGES = Path(__file__).parent / "images"
DESK, PHONE = {"width": 1200, "height": 780}, {"width": 390, "height": 844}
PICTURES = (
    ("sample", DESK, "light"),
    ("change", DESK, "dark"),
    ("between", DESK, "light"),
    ("map", DESK, "dark"),
    ("sample", PHONE, "dark"),
    ("map", PHONE, "light"),
    ("fill", DESK, "light"),
)


def take(url: str, ways: Collection[str]) -> None:
    """Use the studio and write the pictures of some ways to use it; that of `fill` if the model can."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        pieces = None
        for way, size, scheme in (picture for picture in PICTURES if picture[0] in ways):
            page = browser.new_page(viewport=size, color_scheme=scheme)
            page.set_default_timeout(120_000)
            page.goto(url)
            page.get_by_role("button", name="Sample", exact=True).wait_for()
            if pieces is None:
                pieces = [sampled(page, Path(folder), last) for last in (False, True)]
            if way == "fill" and not fills(page):
                print("no picture of fill: the model cannot", file=sys.stderr)
                page.close()
                continue
            USES[way](page, pieces)
            page.get_by_role("button", name="Stop").wait_for()
            page.wait_for_timeout(1500)
            page.get_by_role("button", name="Stop").blur()
            kind = "phone" if size is PHONE else "desk"
            page.screenshot(path=IMAGES / f"studio-{way}-{kind}-{scheme}.png", full_page=True)
            page.close()
        browser.close()


def sampled(page, folder: Path, last: bool) -> Path:
    """A new piece of the first or the last genre as a file."""
    page.get_by_role("combobox", name="Genre").click()
    options = page.get_by_role("option")
    (options.last if last else options.first).click()
    page.get_by_role("button", name="Sample", exact=True).click()
    page.get_by_role("button", name="Stop").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="MIDI", exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    page.get_by_role("button", name="Stop").click()
    return path


def sample(page, pieces: list[Path]) -> None:
    """New music."""
    page.get_by_role("button", name="Sample", exact=True).click()


def change(page, pieces: list[Path]) -> None:
    """A piece in another genre."""
    page.get_by_role("tab", name="Change").click()
    page.get_by_role("combobox", name="To the genre").click()
    page.get_by_role("option").last.click()
    page.get_by_label("Your piece", exact=True).set_input_files(pieces[0])


def between(page, pieces: list[Path]) -> None:
    """Half of the way."""
    page.get_by_role("tab", name="Between").click()
    for label, piece in zip(("From", "To"), pieces, strict=True):
        page.get_by_label(label, exact=True).set_input_files(piece)
    page.get_by_role("heading", name="0% of the way").wait_for()
    page.get_by_role("slider", name="Where").fill("4")
    page.get_by_role("heading", name="50% of the way").wait_for()


def on_map(page, pieces: list[Path]) -> None:
    """A song of the training."""
    page.get_by_role("tab", name="Map").click()
    canvas = page.get_by_role("application")
    canvas.wait_for()
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.3, "y": box["height"] * 0.6})


def fills(page) -> bool:
    """Whether the model can fill, as the tab with its pieces says."""
    page.get_by_role("tab", name="Change").click()
    page.get_by_label("Your piece", exact=True).wait_for()
    return bool(page.get_by_role("button", name="As it is").count())


def fill(page, pieces: list[Path]) -> None:
    """Two bars of the inner voices, in four versions, of which the second is chosen."""
    page.get_by_role("button", name="As it is").click()
    page.get_by_label("Your piece", exact=True).set_input_files(pieces[0])
    page.get_by_role("heading", name="as it is").wait_for()
    rows = page.get_by_role("grid").get_by_role("row")
    rows.nth(1).get_by_role("gridcell").nth(4).hover()
    page.mouse.down()
    rows.nth(2).get_by_role("gridcell").nth(5).hover()
    page.mouse.up()
    page.get_by_role("button", name="Fill selection").click()
    page.get_by_role("button", name="Version 4").wait_for()
    page.get_by_role("button", name="Version 2").click()
    page.get_by_role("button", name="Version 2", pressed=True).wait_for()


USES = {"sample": sample, "change": change, "between": between, "map": on_map, "fill": fill}


def main() -> int:
    """Start a studio and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help="default: the newest run")
    parser.add_argument("--only", choices=USES, help="take the pictures of one way to use it")
    arguments = parser.parse_args()
    if chromium() is None:
        print("no Chromium on the path: make browser installs one", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    studio = Studio(*([arguments.model] if arguments.model else []))
    try:
        take(studio.wait().url, [arguments.only] if arguments.only else list(USES))
    finally:
        studio.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
