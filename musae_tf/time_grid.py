"""How bars are cut into steps: a metre, and the steps of one of its beats."""

import re
from dataclasses import dataclass
from functools import cached_property

from musae_tf.errors import MusicError

TICKS_PER_QUARTER = 480
"""Of songs made from tokens."""

MOST_STEPS = 96
"""Of a bar."""

_NAME = re.compile(r"(\d{1,3})/(\d{1,2})x(\d{1,2})")


@dataclass(frozen=True)
class TimeGrid:
    """The steps of a bar.

    Attributes:
        numerator: Of the metre.
        denominator: Of the metre, a power of two up to 16.
        steps_per_beat: Steps of equal length from one beat to the next.
    """

    numerator: int = 4
    denominator: int = 4
    steps_per_beat: int = 4

    def __post_init__(self) -> None:
        if self.denominator not in (1, 2, 4, 8, 16) or self.numerator < 1 or self.steps_per_beat < 1:
            raise MusicError(f"grid is {self.name!r}: {_ALLOWED}")
        if self.steps > MOST_STEPS:
            raise MusicError(f"grid is {self.name!r}: its bar has {self.steps} steps, {MOST_STEPS} are the most")
        if 4 * TICKS_PER_QUARTER * self.numerator % (self.denominator * self.steps):
            raise MusicError(f"grid is {self.name!r}: a step must be a whole number of ticks of 1/{TICKS_PER_QUARTER}")

    @classmethod
    def parse(cls, name: str) -> "TimeGrid":
        """The grid of a name: "4/4x4" is 4/4 with four steps a beat, "6/8x6" two beats of six.

        Raises:
            MusicError: It is no such name, or nothing that a grid can be.
        """
        found = _NAME.fullmatch(str(name))
        if found is None:
            raise MusicError(f"grid is {name!r}: {_ALLOWED}")
        return cls(*map(int, found.groups()))

    @property
    def name(self) -> str:
        """As `parse` takes it."""
        return f"{self.numerator}/{self.denominator}x{self.steps_per_beat}"

    @property
    def is_compound(self) -> bool:
        """Whether a beat is three of the metre's units, as in 6/8, 9/8 and 12/8."""
        return compound(self.numerator, self.denominator)

    @property
    def beats(self) -> int:
        """Beats of a bar."""
        return self.numerator // 3 if self.is_compound else self.numerator

    @property
    def steps(self) -> int:
        """Steps of a bar."""
        return self.beats * self.steps_per_beat

    @cached_property
    def ticks_per_step(self) -> int:
        """Of songs made from tokens."""
        return 4 * TICKS_PER_QUARTER * self.numerator // (self.denominator * self.steps)

    @property
    def quarters(self) -> float:
        """Length of a bar in quarter notes."""
        return 4 * self.numerator / self.denominator


def steps_of_eighth(time: TimeGrid) -> int:
    """Steps of an eighth, at least 1; where there is no such number, the next smaller one."""
    return max(1, int(time.steps / time.quarters / 2))


def compound(numerator: int, denominator: int) -> bool:
    """Whether the beats of a metre have three of its units each; 3/8 is one such beat."""
    return denominator >= 8 and numerator % 3 == 0


_ALLOWED = (
    "allowed is a metre and the steps of a beat, such as 4/4x4, 3/4x4, 4/4x6 (triplets) or 6/8x6 (two beats of six), "
    "the metre over 1, 2, 4, 8 or 16"
)

SIXTEENTHS = TimeGrid()
"""4/4 in sixteenths."""
