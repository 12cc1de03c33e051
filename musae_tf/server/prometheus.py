"""Counters and histograms under the container's names, in Prometheus' text format.

Not by prometheus-client: it puts `_total` behind the names of counters, which the container does not, and takes about
10 us for an observation, of which every request makes four.
"""

import bisect
import threading
from collections.abc import Iterator, Sequence

_MOST_CELLS = 1000
_REST = "(other)"


def _exponential(scale: float, factor: float, count: int) -> list[float]:
    return [scale * factor**power for power in range(count)]


class Metric:
    """One metric with a value for every combination of labels."""

    kind = ""

    def __init__(self, name: str, labels: Sequence[str] = ()):
        self.name, self._labels = name, tuple(labels)
        self._cells: dict[tuple[str, ...], list[float]] = {}
        self._lock = threading.Lock()

    @property
    def exported(self) -> str:
        """The name as Prometheus sees it."""
        return self.name.replace("/", ":")

    def first(self) -> int:
        """The value of the first cell, a histogram's count; 0 if there is none."""
        with self._lock:
            return int(next(iter(self._cells.values()), [0])[-1])

    def _cell(self, values: tuple[str, ...], size: int) -> list[float]:
        cell = self._cells.get(values)
        if cell is not None:
            return cell
        # Labels hold names out of requests: without a bound, requests for unknown models would fill the memory.
        if len(self._cells) >= _MOST_CELLS:
            values = (_REST,) * len(values)
        return self._cells.setdefault(values, [0] * size)

    def _series(self, suffix: str, values: tuple[str, ...], number: float, **more: str) -> str:
        labels = {**dict(zip(self._labels, values, strict=True)), **more}
        inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
        return f"{self.exported}{suffix}{{{inside}}} {number:g}" if inside else f"{self.exported}{suffix} {number:g}"


class Counter(Metric):
    """A number that only grows."""

    kind = "counter"

    def add(self, *labels: str, by: int = 1) -> None:
        """Count one more."""
        with self._lock:
            self._cell(labels, 1)[0] += by

    def lines(self) -> Iterator[str]:
        """The metric in the text format."""
        with self._lock:
            for values, (number,) in self._cells.items():
                yield self._series("", values, number)


class Histogram(Metric):
    """How often values fell below each bound."""

    kind = "histogram"

    def __init__(self, name: str, labels: Sequence[str] = (), bounds: Sequence[float] = ()):
        super().__init__(name, labels)
        self._bounds = bounds or _exponential(10, 1.8, 33)  # microseconds, up to about 20 minutes

    def observe(self, value: float, *labels: str) -> None:
        """Add a value."""
        place = bisect.bisect_left(self._bounds, value)
        with self._lock:
            cell = self._cell(labels, len(self._bounds) + 3)  # buckets, the rest, sum, count
            cell[place] += 1
            cell[-2] += value
            cell[-1] += 1

    def totals(self) -> tuple[float, int]:
        """The sum of all values, and how many there were."""
        with self._lock:
            return sum(cell[-2] for cell in self._cells.values()), int(sum(cell[-1] for cell in self._cells.values()))

    def lines(self) -> Iterator[str]:
        """The metric in the text format."""
        with self._lock:
            for values, cell in self._cells.items():
                below = 0.0
                for bound, count in zip(self._bounds, cell, strict=False):
                    below += count
                    yield self._series("_bucket", values, below, le=f"{bound:g}")
                yield self._series("_bucket", values, cell[-1], le="+Inf")
                yield self._series("_sum", values, cell[-2])
                yield self._series("_count", values, cell[-1])


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        serving, batching = "/tensorflow/serving", "/tensorflow/serving/batching_session"
        rows = _exponential(1, 2, 15)
        self.request_count = Counter(f"{serving}/request_count", ("model_name", "status"))
        self.request_latency = Histogram(f"{serving}/request_latency", ("model_name", "API", "entrypoint"))
        self.runtime_latency = Histogram(f"{serving}/runtime_latency", ("model_name", "API", "runtime"))
        self.warmup_latency = Histogram(f"{serving}/model_warmup_latency", ("model_path", "status"))
        self.warmup_records = Counter(f"{serving}/model_warmup_records_read", ("model_path", "status"))
        self.load_attempts = Counter("/tensorflow/cc/saved_model/load_attempt_count", ("model_path", "status"))
        self.load_latency = Counter("/tensorflow/cc/saved_model/load_latency", ("model_path",))
        self.queuing_latency = Histogram(
            f"{batching}/queuing_latency", ("thread_pool_name",), _exponential(100, 1.2, 52)
        )
        self.wrapped_run_count = Counter(f"{batching}/wrapped_run_count")
        self.padding_size = Histogram(f"{batching}/padding_size", ("execution_batch_size",), rows)
        self.input_batch_size = Histogram(f"{batching}/input_batch_size", (), rows)
        self.processed_batch_size = Histogram(f"{batching}/processed_batch_size", (), rows)

    def __iter__(self) -> Iterator[Counter | Histogram]:
        return iter(vars(self).values())

    def first(self, name: str) -> int:
        """The first point of the metric of this name (`/tensorflow/serving/request_count`); 0 if there is none."""
        return next((metric.first() for metric in self if metric.name == name), 0)

    def text(self) -> str:
        """All metrics in Prometheus' text format."""
        parts = []
        for metric in self:
            parts.append(f"# TYPE {metric.exported} {metric.kind}")
            parts.extend(metric.lines())
        return "\n".join(parts) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
