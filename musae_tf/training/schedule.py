"""Where a run stands in its schedules, which end when its steps or its minutes end, whichever comes first."""

import statistics
from collections import deque

# Steps whose durations are looked at, and how many there must be: the first ones build graphs.
_STEPS, _LEAST = 100, 10


class Schedule:
    """Places in the schedules of learning rates and weights, as numbers of steps.

    As long as the steps end before the minutes, the place is the number of steps that are done. Else it runs ahead of
    them, as fast as it must to reach the last step when the time is over; if the machine gets quicker, the steps catch
    up. A run that goes on needs its last place and the time that it has had.

    Args:
        steps: of the whole run.
        minutes: of the whole run; 0 for no limit.
        place: where it stands.

    Attributes:
        place: float, 0 to `steps`; what `training.steps` would be counted on a machine that is quick enough.
    """

    def __init__(self, steps: int, minutes: float, place: float):
        self._steps, self._limit = steps, 60.0 * minutes
        self._durations: deque[float] = deque(maxlen=_STEPS)
        self._last: float | None = None
        self.place = float(place)

    def over(self, seconds: float) -> bool:
        """Whether the time is over, after so many seconds of the run."""
        return bool(self._limit) and seconds > self._limit

    def advance(self, done: int, seconds: float) -> float:
        """The place for the next step.

        Args:
            done: steps that will be done before it.
            seconds: of the run so far.
        """
        if self._last is not None:
            self._durations.append(seconds - self._last)
        self._last = seconds
        left = self._steps - done
        by_steps = self.place + (self._steps - self.place) / (left + 1) if left > 0 else float(self._steps)
        # Where nothing runs ahead this is a whole number, but for rounding.
        by_steps = float(done) if abs(by_steps - done) < 1e-6 else by_steps
        if self._limit and len(self._durations) >= _LEAST:
            possible = (self._limit - seconds) / max(statistics.median(self._durations), 1e-9)
            if possible < left:
                by_time = self.place + (self._steps - self.place) / max(possible, 1.0)
                by_steps = max(by_steps, by_time)
        self.place = min(by_steps, float(self._steps))
        return self.place
