"""Which versions to want, and in which order to load and unload: pure functions."""

import enum
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import Message

_LARGEST = 2**63 - 1


class Phase(enum.Enum):
    """Where a version stands inside the manager."""

    NEW = enum.auto()
    LOADING = enum.auto()
    READY = enum.auto()
    UNLOADING = enum.auto()
    UNLOADED = enum.auto()
    FAILED = enum.auto()


class Standing(NamedTuple):
    """A version as the policy sees it."""

    version: int
    wanted: bool
    phase: Phase


class Action(NamedTuple):
    """What to do next with a model: load a version, or unload it."""

    version: int
    load: bool


def next_action(versions: Iterable[Standing]) -> Action | None:
    """The next step that keeps the model available all the time.

    An old version goes only when a wanted one is ready, or nothing is wanted, or another old one is left; the new
    version is loaded beside it before that.
    """
    versions = list(versions)
    wanted = [entry for entry in versions if entry.wanted]
    left_over = [entry.version for entry in versions if not entry.wanted and entry.phase is Phase.READY]
    served = any(entry.phase is Phase.READY for entry in wanted)
    if left_over and (not wanted or served or len(left_over) > 1):
        return Action(min(left_over), load=False)
    new = [entry.version for entry in wanted if entry.phase is Phase.NEW]
    return Action(max(new), load=True) if new else None


def version_folders(base: Path) -> dict[int, Path]:
    """The children of a base path whose whole name is a number, by that number.

    Raises:
        OSError: the base path is missing or cannot be read.
    """
    found = {}
    for child in sorted(base.iterdir()):
        if re.fullmatch("[0-9]+", child.name) and int(child.name) <= _LARGEST:
            found[int(child.name)] = child
    return found


def choose(versions: dict[int, Path], policy: Message) -> dict[int, Path]:
    """The versions that a ServableVersionPolicy wants of those that are there; without a policy, the latest."""
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return versions
    if kind == "specific":
        return {number: versions[number] for number in policy.specific.versions if number in versions}
    count = policy.latest.num_versions or 1
    return {number: versions[number] for number in sorted(versions)[-count:]}
