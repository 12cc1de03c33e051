"""What the documentation asks people to type: its code blocks and shell lines."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
READMES = [ROOT / "README.md", *(ROOT / name / "README.md" for name in ("benchmarks", "results", "serving"))]
PAGES = sorted([*READMES, *(ROOT / "docs").rglob("*.md")])
LANGUAGES = ("sh", "python", "tree", "text")
"""What a block can be; text is for looking at."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.*\n|\n(?= {4}))+)")
_ADMONITION = re.compile(r"^!!! .*\n(?: {4}.*\n|\n(?= {4}))*", re.MULTILINE)
_COMMENT = re.compile(r"(^|\s+)#\s.*$")


class Block(NamedTuple):
    """A block of code and where it stands."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """All blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page.read_text(encoding="utf-8"), _name(page))]


def blocks_of(text: str, page: str) -> list[Block]:
    """Fenced blocks, by the language they name, and indented ones, by what they look like."""
    found = [
        Block(page, text[: match.start()].count("\n") + 1, match[1] or "text", match[2])
        for match in _FENCE.finditer(text)
    ]
    for pattern in (_FENCE, _ADMONITION):  # what is indented in them is no block
        text = pattern.sub(lambda match: "-" + "\n" * match[0].count("\n"), text)
    for match in _INDENTED.finditer(text):
        code = re.sub(r"^ {4}", "", match[1], flags=re.MULTILINE).rstrip("\n") + "\n"
        found.append(Block(page, text[: match.start()].count("\n") + 1, _language(code), code))
    return sorted(found)


def lines_of(block: Block) -> list[str]:
    """The command lines of a shell block: continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    return [line for line in (_COMMENT.sub("", line).strip() for line in joined.splitlines()) if line]


def shell_lines() -> dict[str, str]:
    """Every command line of the documentation once, and where it first stands."""
    found: dict[str, str] = {}
    for block in blocks():
        if block.language == "sh":
            for line in lines_of(block):
                found.setdefault(line, block.place)
    return found


def inline_commands() -> dict[str, str]:
    """Commands between backquotes, and where they stand; one with a gap, a choice or a shell's signs is none."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for match in re.finditer(r"`(musae [a-z][^`]*)`", text):
            if not re.search(r"\.\.\.|[][>|]| or ", match[1]):
                found.setdefault(" ".join(match[1].split()), _name(page))
    return found


def _language(code: str) -> str:
    first = code.splitlines()[0]
    if re.match(r"(from|import) ", first):
        return "python"
    return "tree" if re.fullmatch(r"\S+/", first) else "sh"


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))
