"""What was done to a result: fills with their versions, to be undone and done again."""

from dataclasses import dataclass, field
from typing import NamedTuple

from musae_tf.studio.fills import Fill
from musae_tf.studio.service import Result


class Version(NamedTuple):
    """One draw of a fill, and what the piece is with it."""

    fill: Fill
    result: Result


@dataclass(eq=False)
class Stage:
    """A fill.

    Attributes:
        versions: one or more.
        chosen: number of the one that the piece goes on with.
    """

    versions: list[Version]
    chosen: int = field(default=0)


class History:
    """The stages of a piece.

    Args:
        start: the piece before anything was filled.
    """

    def __init__(self, start: Result):
        self.start = start
        self._stages: list[Stage] = []
        self._done = 0

    @property
    def stage(self) -> Stage | None:
        """The last fill that is not undone."""
        return self._stages[self._done - 1] if self._done else None

    @property
    def result(self) -> Result:
        """The piece as it is."""
        return self.start if self.stage is None else self.stage.versions[self.stage.chosen].result

    @property
    def fills(self) -> tuple[Fill, ...]:
        """What makes it of the start."""
        return tuple(stage.versions[stage.chosen].fill for stage in self._stages[: self._done])

    @property
    def can_redo(self) -> bool:
        """Whether something is undone."""
        return self._done < len(self._stages)

    def add(self, version: Version) -> Stage:
        """Fill something; what is undone is forgotten."""
        stage = Stage([version])
        self._stages[self._done :] = [stage]
        self._done += 1
        return stage

    def choose(self, number: int) -> None:
        """Go on with another version of the last fill; what came after the one before is forgotten."""
        stage = self.stage
        if stage is not None and stage.chosen != number and 0 <= number < len(stage.versions):
            stage.chosen = number
            del self._stages[self._done :]

    def undo(self) -> None:
        """Take the last fill back, if there is one."""
        self._done = max(0, self._done - 1)

    def redo(self) -> None:
        """Do again what was undone last, if anything was."""
        self._done = min(len(self._stages), self._done + 1)
