"""READMEs and the like of the project as pages of the site, so that nothing is written twice and all links are checked.

Pages link to them as files of the repository (../README.md), which works where the repository is read; the site's own
names replace that.
"""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "overview.md",
    "serving/README.md": "serving.md",
    "results/README.md": "results.md",
    "studies/jsb/README.md": "jsb.md",
    "benchmarks/README.md": "benchmarks.md",
    "results/bench.md": "speed.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(r"(\]\()([^)\s#]+)")

_HEADLINES = {
    "onset_f1": "onset F1 of reconstructions",
    "step_accuracy": "per-step accuracy",
    "two_sample_auc": "codes told from draws of the prior, AUC",
    "genre_probe": "genre read from the code",
    "samples_as_asked": "samples classified as asked",
    "transfer_success": "transfers classified as the target",
    "transfer_onset_f1": "onset F1 of transfers with the source: what they keep",
}


def on_files(files, config):
    """Add these pages, and the files of the repository that they show or link to."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        for target in _targets(text, source):
            elsewhere = not target.startswith("docs/") and target not in PAGES and (ROOT / target).is_file()
            if elsewhere and files.get_file_from_path(target) is None:
                files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links between files of the repository into links between pages."""
    sources = {page: source for source, page in PAGES.items()}
    uri = page.file.src_uri
    source = sources.get(uri, f"docs/{uri}")

    def turned(match):
        target = match[2]
        if re.match(r"[a-z]+:", target):
            return match[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        there = PAGES.get(there, there.removeprefix("docs/"))
        return match[1] + posixpath.relpath(there, posixpath.dirname(uri) or ".")

    return _LINK.sub(turned, markdown).replace("<!-- headlines -->", _headlines())


def _headlines() -> str:
    """A table of what the default preset gave."""
    found = json.loads((ROOT / "results/voices/evaluation.json").read_text(encoding="utf-8"))
    rows = ["| | value | interval | beside it |", "|---|---|---|---|"]
    for key, title in _HEADLINES.items():
        cell, beside = found["headlines"][key], found["references"].get(key, {})
        interval = f"{cell['low']:.3f} to {cell['high']:.3f}" if "low" in cell else ""
        words = ", ".join(f"{name} {value:.3f}" for name, value in beside.items())
        rows.append(f"| {title} | {cell['value']:.3f} | {interval} | {words} |")
    return "\n".join(rows)


def _targets(text: str, source: str) -> list[str]:
    found = [match[2] for match in _LINK.finditer(text) if not re.match(r"[a-z]+:", match[2])]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(source), target)) for target in found]
