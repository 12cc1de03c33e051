"""How long it takes from a click in the studio until there is sound, in a real browser.

    python -m benchmarks.studio_latency [RUN|MODEL_DIR] [--bars 2] [--clicks 20] [--fill]

Run from the root of the project, with the extras `studio` and `dev` and a Chromium. Each click asks for a new piece; or
with `--fill` for the bars in the middle of one of 8 bars to be written anew, which is heard from where it is new.
The clock runs in the page, from the click to the `playing` event of the audio element, so that request, model, MIDI,
synthesis, transport and decoding are all in it. The first click does not count.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import Report, parser
from tests.studio.driver import Studio, chromium

BAR, FILL_BAR = 2.0, 1.0
LISTEN = """
document.addEventListener('click', () => { window.clicked = performance.now(); window.sounded = null; }, true);
document.addEventListener('playing', () => { window.sounded ??= performance.now(); }, true);
"""


@contextmanager
def opened(url: str) -> Iterator:
    """The page in a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(LISTEN)
        page.goto(url)
        page.get_by_role("button", name="Sample", exact=True).wait_for()
        yield page
        browser.close()


def heard(page, button: str) -> float:
    """Seconds from a click on a button to sound."""
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_function("window.sounded")
    return page.evaluate("(window.sounded - window.clicked) / 1000")


def measure(url: str, bars: int, clicks: int) -> list[float]:
    """Seconds from click to sound, one a click."""
    found = []
    with opened(url) as page:
        page.get_by_label("Bars").fill(str(bars))
        for seed in range(clicks + 1):
            page.get_by_label("Seed", exact=True).fill(str(seed))
            found.append(heard(page, "Sample"))
    return found[1:]


def measure_fill(url: str, bars: int, clicks: int) -> list[float]:
    """Seconds from click to sound for a part of a piece, of all tracks."""
    found = []
    with opened(url) as page:
        heard(page, "Sample")
        cells = page.get_by_role("grid").get_by_role("row")
        first = 4 - bars // 2
        cells.first.get_by_role("gridcell").nth(first).hover()
        page.mouse.down()
        cells.last.get_by_role("gridcell").nth(first + bars - 1).hover()
        page.mouse.up()
        for _ in range(clicks + 1):
            found.append(heard(page, "Fill selection"))
            page.get_by_role("button", name="Version 4").wait_for()
            page.get_by_role("button", name="Undo").click()
            page.get_by_role("group", name="Versions").wait_for(state="detached")
    return found[1:]


def main() -> int:
    """Measure, print and write one JSON object."""
    options = parser(__doc__, rounds=None)
    options.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help="default: the model of the package")
    options.add_argument("--bars", type=int, default=2, metavar="N", help="length of the pieces (default: 2)")
    options.add_argument("--clicks", type=int, default=20, metavar="N", help="how many count (default: 20)")
    options.add_argument("--fill", action="store_true", help="fill a part of a piece in place of sampling one")
    arguments = options.parse_args()
    if chromium() is None:
        print("no Chromium on the path: make browser installs one", file=sys.stderr)
        return 2
    report, studio = Report("studio_latency", arguments), Studio(arguments.model or "--pretrained")
    try:
        taken = measure_fill if arguments.fill else measure
        seconds = taken(studio.wait().url, arguments.bars, arguments.clicks)
    finally:
        studio.close()
    report.content |= {
        "model": arguments.model or "the model of the package",
        "bars": arguments.bars,
        "what": "fill" if arguments.fill else "sample",
        "clicks": len(seconds),
        "median_seconds": round(statistics.median(seconds), 3),
        "worst_seconds": round(max(seconds), 3),
    }
    print(f"{len(seconds)} clicks, {arguments.bars} bars: at worst {max(seconds):.3f} s")
    report.add(
        "seconds from a click to sound, median",
        statistics.median(seconds),
        FILL_BAR if arguments.fill else BAR,
        at_most=True,
    )
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
