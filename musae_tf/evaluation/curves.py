"""A run's curves over training as one picture."""

from pathlib import Path

from musae_tf.errors import RunError
from musae_tf.files import atomic_path
from musae_tf.training import read_log

_PANELS = (
    ("train", "reconstruction", "reconstruction loss (nats a step, all tracks)"),
    ("evaluation", "onset_f1", "onset F1, validation songs"),
    ("evaluation", "two_sample_accuracy", "posterior or prior? (0.5 is chance)"),
    ("train", "wasserstein", "critic's Wasserstein estimate"),
    ("train", "weight", "weight of the adversarial term"),
    ("train", "learning_rate", "learning rate"),
)


def write_curves(run: Path, path: Path) -> None:
    """Draw the curves of RUN/log.jsonl into a PNG file.

    Raises:
        RunError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    log = read_log(run)
    figure = Figure(figsize=(12, 6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (kind, key, title) in zip(figure.subplots(2, 3).ravel(), _PANELS, strict=True):
        points = [(line["step"], line[key]) for line in log if line["kind"] == kind and key in line]
        axes.plot(*zip(*points, strict=True) if points else ((), ()), marker="." if len(points) < 40 else None)
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        if key in ("onset_f1", "two_sample_accuracy"):
            axes.set_ylim(0, 1)
    figure.supxlabel("step")
    with atomic_path(path, RunError) as temporary:
        figure.savefig(temporary, dpi=110)
