"""Take the pictures of the studio that the documentation shows: `make screenshots`.

    python -m docs.screenshots [RUN|MODEL_DIR]

Run from the root of the project, with the extras `studio` and `dev` and a Chromium.
"""

import argparse
import sys
import tempfile
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
)


def take(url: str) -> None:
    """Use the studio and write the pictures."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        pieces = None
        for way, size, scheme in PICTURES:
            page = browser.new_page(viewport=size, color_scheme=scheme)
            page.set_default_timeout(120_000)
            page.goto(url)
            page.get_by_role("button", name="Sample", exact=True).wait_for()
            if pieces is None:
                pieces = [sampled(page, Path(folder), last) for last in (False, True)]
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


USES = {"sample": sample, "change": change, "between": between, "map": on_map}


def main() -> int:
    """Start a studio and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help="default: the newest run")
    arguments = parser.parse_args()
    if chromium() is None:
        print("no Chromium on the path: make browser installs one", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    studio = Studio(*([arguments.model] if arguments.model else []))
    try:
        take(studio.wait().url)
    finally:
        studio.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
