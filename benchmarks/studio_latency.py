"""How long it takes from a click in the studio until there is sound, in a real browser.

    python -m benchmarks.studio_latency [RUN|MODEL_DIR] [--bars 2] [--clicks 20]

Run from the root of the project, with the extras `studio` and `dev` and a Chromium. Each click asks for a new piece.
The clock runs in the page, from the click to the `playing` event of the audio element, so that request, model, MIDI,
synthesis, transport and decoding are all in it. The first click does not count.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from benchmarks.measure import RESULTS, machine
from musae_tf.files import write_text
from tests.studio.driver import Studio, chromium

GOAL = 2.0
LISTEN = """
document.addEventListener('click', () => { window.clicked = performance.now(); window.sounded = null; }, true);
document.addEventListener('playing', () => { window.sounded ??= performance.now(); }, true);
"""


def measure(url: str, bars: int, clicks: int) -> list[float]:
    """Seconds from click to sound, one a click."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(LISTEN)
        page.goto(url)
        button = page.get_by_role("button", name="Sample", exact=True)
        button.wait_for()
        page.get_by_label("Bars").fill(str(bars))
        for seed in range(clicks + 1):
            page.get_by_label("Seed", exact=True).fill(str(seed))
            button.click()
            page.wait_for_function("window.sounded")
            found.append(page.evaluate("(window.sounded - window.clicked) / 1000"))
        browser.close()
    return found[1:]


def main() -> int:
    """Measure, print and write one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="RUN|MODEL_DIR", help="default: the model of the package")
    parser.add_argument("--bars", type=int, default=2, metavar="N", help="length of the pieces (default: 2)")
    parser.add_argument("--clicks", type=int, default=20, metavar="N", help="how many count (default: 20)")
    parser.add_argument("--out", type=Path, default=RESULTS / "studio_latency.json", metavar="FILE", help="JSON file")
    arguments = parser.parse_args()
    if chromium() is None:
        print("no Chromium on the path: make browser installs one", file=sys.stderr)
        return 2
    load, studio = os.getloadavg(), Studio(arguments.model or "--pretrained")
    try:
        seconds = measure(studio.wait().url, arguments.bars, arguments.clicks)
    finally:
        studio.close()
    facts = {
        "claim": "seconds from a click to sound, median",
        "goal": GOAL,
        "model": arguments.model or "the model of the package",
        "bars": arguments.bars,
        "clicks": len(seconds),
        "median_seconds": round(statistics.median(seconds), 3),
        "worst_seconds": round(max(seconds), 3),
        "machine": machine(),
        "load": {"before": round(load[0], 1), "after": round(os.getloadavg()[0], 1)},
    }
    write_text(arguments.out, json.dumps(facts, indent=1) + "\n")
    print(f"{facts['clicks']} clicks, {facts['bars']} bars: median {facts['median_seconds']} s, goal at most {GOAL:g}; "
          f"worst {facts['worst_seconds']} s; load {load[0]:.1f}; written to {arguments.out}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
