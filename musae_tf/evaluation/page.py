"""The page of `musae evaluate`: one file with tables, maps, pianorolls and sound that opens without a network.

What it says stands in templates/; here is what they are filled with.
"""

import base64
import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from musae_tf.evaluation import figures
from musae_tf.evaluation.clips import draw_strip
from musae_tf.evaluation.compare import FOLDER, Comparison
from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.grammar import AMOUNTS, TITLES
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.evaluation.latent_order import STRENGTHS
from musae_tf.evaluation.per_song import ALL
from musae_tf.evaluation.realism import KINDS
from musae_tf.music.properties import PROPERTIES

# Anchors and titles of the sections, and the key of the result without which there is none.
_SECTIONS = (
    ("realism", "Does it sound like music?", "realism"),
    ("reconstruction", "Reconstruction", "reconstruction"),
    ("prior", "Match of prior and posterior", "prior_match"),
    ("genre", "Genre: in the code, in samples", "genre_probe"),
    ("transfer", "Transfer to another genre", "transfer"),
    ("interpolation", "Interpolation", "interpolation"),
    ("order", "Order in the latent space", "latent_order"),
    ("attributes", "Attribute vectors", "attributes"),
    ("statistics", "Samples beside real music", "generation"),
    ("originality", "Composed or copied?", "originality"),
    ("training", "Training", "command"),
)
_METRICS = {
    "onset_f1": "onset F1 (pitch and step exact)",
    "accuracy_off_hold_rest": "accuracy at onsets (off holds and rests)",
    "step_accuracy": "per-step accuracy (holds rule it)",
}
_DRAWS = 13


def evaluation_page(context: EvaluationContext, result: dict[str, Any], comparison: Comparison) -> str:
    """HTML of one evaluation.

    Args:
        context: what was measured.
        result: what evaluation.json holds.
        comparison: of this run, which comes first, with others; or of this run alone.
    """
    held_out = context.held_out

    def interval(metric: str, part: str = ALL) -> dict[str, float] | None:
        found = context.per_song.interval(metric, part)
        return None if found is None else found._asdict()

    def latent_map() -> bytes:
        draws = context.draw_prior(held_out.genre, _DRAWS)
        return figures.latent_map(context.codes, draws, held_out.genre, held_out.tokens, context.layout, context.genres)

    return _environment(context).get_template("page.html").render(
        name=context.run.path.name,
        result=result,
        comparison=comparison,
        sections={anchor: title for anchor, title, key in _SECTIONS if key in result},
        headlines=HEADLINES,
        metrics=_METRICS,
        measures=TITLES,
        amounts=AMOUNTS,
        kinds=KINDS,
        properties=PROPERTIES,
        strengths=STRENGTHS,
        genres=context.genres,
        layout=context.layout,
        clips=context.clips,
        interval=interval,
        latent_map=latent_map,
        interpolation_curves=lambda: figures.interpolation_curves(result["interpolation"]),
        curves=(context.run.path / FOLDER / "curves.png").read_bytes,
    )  # fmt: skip


def _environment(context: EvaluationContext) -> Environment:
    """Templates that escape all text, stop at a name that is not there, and know our filters."""
    environment = Environment(
        loader=PackageLoader("musae_tf.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "bounded": lambda value, bounds: {"value": value, "low": bounds[0], "high": bounds[1]},
        "drawn": lambda clips: draw_strip(clips, context.layout),
        "number": _number,
        "percent": lambda share: 0 if share is None else round(100 * min(max(share, 0.0), 1.0)),
    }
    environment.tests["known"] = lambda value: isinstance(value, float | int) and not math.isnan(value)
    return environment


def _number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return Markup("&ndash;") if value is None or math.isnan(value) else f"{value:.{digits}f}"
