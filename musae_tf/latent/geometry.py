"""Ways through the latent space: lines, arcs and sweeps. Arrays in, arrays out."""

import numpy as np

_PARALLEL = 1e-6


def line(start: np.ndarray, end: np.ndarray, points: int) -> np.ndarray:
    """Points on straight lines, both ends included.

    Args:
        start: float [N, D].
        end: float [N, D].
        points: 2 or more.

    Returns:
        float32 [N, points, D].

    Raises:
        ValueError: fewer than 2 points.
    """
    return _weighted(start, end, _positions(points), 1 - _positions(points))


def arc(start: np.ndarray, end: np.ndarray, points: int) -> np.ndarray:
    """Points on great arcs (spherical interpolation), both ends included.

    sin((1 - a) w) / sin(w) start + sin(a w) / sin(w) end with w the angle between them (Shoemake 1985). Between draws
    of a Gaussian the points keep the usual distance from the origin, which those of a line do not. Codes that point
    the same way or opposite ways lie on a line.

    Args:
        start: float [N, D].
        end: float [N, D].
        points: 2 or more.

    Returns:
        float32 [N, points, D].

    Raises:
        ValueError: fewer than 2 points.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    positions = _positions(points)
    lengths = np.maximum(np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1), np.finfo(np.float64).tiny)
    angle = np.arccos(np.clip((start * end).sum(axis=-1) / lengths, -1.0, 1.0))[:, np.newaxis]
    straight = np.sin(angle) < _PARALLEL
    safe = np.where(straight, np.pi / 2, angle)
    ahead = np.where(straight, positions, np.sin(positions * safe) / np.sin(safe))
    behind = np.where(straight, 1 - positions, np.sin((1 - positions) * safe) / np.sin(safe))
    return _weighted(start, end, ahead, behind)


def sweep(codes: np.ndarray, axis: int, values: np.ndarray) -> np.ndarray:
    """Copies of codes in which one axis takes each of some values.

    Args:
        codes: float [N, D].
        axis: which axis.
        values: float [V].

    Returns:
        float32 [N, V, D].
    """
    swept = np.repeat(np.asarray(codes, np.float32)[:, np.newaxis], len(values), axis=1)
    swept[:, :, axis] = values
    return swept


def _positions(points: int) -> np.ndarray:
    if points < 2:
        raise ValueError(f"points is {points}, must be 2 or more")
    return np.linspace(0.0, 1.0, points)


def _weighted(start: np.ndarray, end: np.ndarray, ahead: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Of weights [points] or [N, points]."""
    start, end = np.asarray(start), np.asarray(end)
    return (behind[..., np.newaxis] * start[:, np.newaxis] + ahead[..., np.newaxis] * end[:, np.newaxis]).astype(
        np.float32
    )
