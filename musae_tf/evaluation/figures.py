"""Plots: curves of training, and those of the page.

Grounds of the page's are clear and letters grey, so that they are read on a light page and on a dark one.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.errors import RunError
from musae_tf.evaluation.grammar import BARS, TITLES
from musae_tf.files import atomic_path
from musae_tf.music import Layout
from musae_tf.music.properties import ATTRIBUTES, attribute_values, phrase_properties
from musae_tf.training import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, those that are seen on white and on black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_GREY = "#7f858c"
_DPI = 100

_PANELS = (
    ("train", ("reconstruction",), "reconstruction loss (nats a step, all tracks)"),
    ("evaluation", ("onset_f1",), "onset F1, validation songs"),
    ("evaluation", ("token_auc",), "samples or real music? AUC (0.5 is chance)"),
    ("evaluation", tuple(f"grammar_{key}" for key in BARS), "samples from shuffled (0) to real music (1)"),
    ("train", ("wasserstein",), "critic's Wasserstein estimate"),
    ("evaluation", ("two_sample_accuracy",), "posterior or prior? (0.5 is chance)"),
    ("train", ("weight",), "weight of the adversarial term"),
    ("train", ("learning_rate",), "learning rate"),
)


def write_curves(run: Path, path: Path) -> None:
    """Draw the curves of RUN/log.jsonl into a PNG file.

    Raises:
        RunError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    log = read_log(run)
    figure = Figure(figsize=(15, 6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (kind, keys, title) in zip(figure.subplots(2, 4).ravel(), _PANELS, strict=True):
        for key in keys:
            points = [(line["step"], line[key]) for line in log if line["kind"] == kind and key in line]
            label = TITLES.get(key.removeprefix("grammar_"))
            marker = "." if len(points) < 40 else None
            axes.plot(*zip(*points, strict=True) if points else ((), ()), marker=marker, label=label)
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        if kind == "evaluation":
            axes.set_ylim(0, 1)
        if len(keys) > 1:
            axes.legend(fontsize=7)
    figure.supxlabel("step")
    with atomic_path(path, RunError) as temporary:
        figure.savefig(temporary, dpi=110)


def latent_map(
    codes: np.ndarray,
    draws: np.ndarray,
    genre: np.ndarray,
    tokens: np.ndarray,
    layout: Layout,
    genres: tuple[str, ...],
) -> bytes:
    """Codes of held-out phrases on a plane, coloured by genre and by properties. PNG.

    Args:
        codes: float [N, D].
        draws: float [N, D], a draw of the prior for each code.
        genre: int [N].
        tokens: int [N, T, K].
        layout: what the tracks are.
        genres: names.
    """
    notes, register, length = attribute_values(tokens, layout)[:, : len(ATTRIBUTES)].T
    rests = np.nansum(phrase_properties(tokens, layout)[..., 1], axis=1)
    plane, by_mean = principal_plane(codes, codes), genre_plane(codes, genre)
    figure = _figure(10, 6.4)
    panels = figure.subplots(2, 3).ravel()
    centred = codes - codes.mean(axis=0)
    _by_genre(panels[0], centred @ plane, genre, genres, "principal plane, by genre")
    panels[1].scatter(*((draws - codes.mean(axis=0)) @ by_mean).T, s=3, color=_GREY, alpha=0.35, linewidths=0)
    _by_genre(panels[1], centred @ by_mean, genre, genres, "plane of the genres' means; grey: prior")
    shown = (("notes a bar", notes), ("mean pitch", register), ("steps a note", length), ("silent steps", rests))
    for axes, (name, values) in zip(panels[2:], shown, strict=True):
        points = axes.scatter(*(centred @ plane).T, s=5, c=values, cmap="viridis", linewidths=0)
        bar = figure.colorbar(points, ax=axes, shrink=0.8)
        bar.ax.tick_params(colors=_GREY, labelsize=7)
        bar.outline.set_edgecolor(_GREY)
        _style(axes, f"principal plane, by {name}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, labelcolor=_GREY, fontsize=9)
    return _png(figure)


def principal_plane(values: np.ndarray, fitted_to: np.ndarray) -> np.ndarray:
    """The two directions, float [D, 2], in which `fitted_to` [N, D] spreads most; zeros where D or N has fewer."""
    centred = fitted_to - fitted_to.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return np.pad(directions, ((0, 0), (0, 2 - directions.shape[1])))


def genre_plane(codes: np.ndarray, genre: np.ndarray) -> np.ndarray:
    """The two directions, float [D, 2], in which the genres' mean codes spread most."""
    means = np.stack([codes[genre == number].mean(axis=0) for number in np.unique(genre)])
    return principal_plane(codes, means)


def interpolation_curves(result: dict[str, Any]) -> bytes:
    """Distances to both ends and negative log-likelihood along the way, of the model and of cross-fading. PNG."""
    figure = _figure(9, 3.2)
    left, right = figure.subplots(1, 2)
    position = np.linspace(0, 1, result["points"])
    for name, line, colour in (("model", "-", COLOURS[0]), ("cross-fade", "--", COLOURS[1])):
        left.plot(position, result[name]["to_start"], line, color=colour, label=f"{name}, to the start")
        left.plot(position, result[name]["to_end"], line, color=colour, alpha=0.55, label=f"{name}, to the end")
        right.plot(position, result[name]["nll"], line, color=colour, label=name)
    right.axhline(result["real_nll"], color=_GREY, linestyle=":", label="real music")
    for axes, title in ((left, "share of cells that differ"), (right, "negative log-likelihood, nats a step")):
        _style(axes, title, ticks=True)
        axes.legend(frameon=False, fontsize=8, labelcolor=_GREY)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("way gone", color=_GREY, fontsize=9)
    return _png(figure)


def _by_genre(axes: "Axes", points: np.ndarray, genre: np.ndarray, genres: tuple[str, ...], title: str) -> None:
    for number, name in enumerate(genres):
        mine = points[genre == number]
        axes.scatter(mine[:, 0], mine[:, 1], s=5, color=COLOURS[number % len(COLOURS)], label=name, linewidths=0)
    _style(axes, title)


def _style(axes: "Axes", title: str, ticks: bool = False) -> None:
    axes.set_title(title, fontsize=10, color=_GREY)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    axes.tick_params(colors=_GREY, labelsize=8)
    if not ticks:
        axes.set_xticks([])
        axes.set_yticks([])


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=_DPI, layout="constrained")
    figure.patch.set_alpha(0)
    FigureCanvasAgg(figure)
    return figure


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
