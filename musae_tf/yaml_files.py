"""YAML in which a key stands once: the YAML reader by itself takes the last of several values without a word."""

from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


class RepeatedKeyError(yaml.MarkedYAMLError):
    """A key stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """As `yaml.SafeLoader`, but a key that stands twice in one mapping is an error."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Before anything is merged in: that may have keys that stand here, too.
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if (key.tag, key.value) in lines:
                before = lines[key.tag, key.value]
                problem = f"the key {key.value!r} stands twice, the first time on line {before}"
                raise RepeatedKeyError(problem=problem, problem_mark=key.start_mark)
            lines[key.tag, key.value] = key.start_mark.line + 1
        return node


def parse_yaml(text: str) -> Any:
    """What a YAML document holds, as plain lists, dicts, numbers and texts.

    Raises:
        yaml.YAMLError: it is no YAML, or a key stands twice in one mapping; see `in_words`.
    """
    return yaml.load(text, _Loader)


def in_words(error: yaml.YAMLError) -> str:
    """What is wrong, and on which line; to stand behind the name of the file."""
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", None) or "it has a character that no text has"
    return f"{line}: {problem if isinstance(error, RepeatedKeyError) else f'not YAML: {problem}'}"
