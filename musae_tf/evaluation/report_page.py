"""The page of `musae evaluate`: one file with tables, maps, pianorolls and sound that opens without a network.

What it says stands in templates/; here is what they are filled with, down to pianorolls as paths of SVG, sharp on any
screen, and sound small enough to sit in a page.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from musae_tf.evaluation import figures
from musae_tf.evaluation.compare import FOLDER, Comparison
from musae_tf.evaluation.context import Clip, EvaluationContext
from musae_tf.evaluation.grammar import AMOUNTS, TITLES
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.evaluation.latent_order import STRENGTHS
from musae_tf.evaluation.per_song import ALL
from musae_tf.evaluation.realism import KINDS
from musae_tf.music import KIT_PIECES, Layout, detokenize
from musae_tf.music.audio import to_mp3
from musae_tf.music.grid import SILENT, lines_of, onsets, sounding_pitch
from musae_tf.music.properties import PROPERTIES
from musae_tf.music.vocabulary import KIT, STRUCK

# Anchors and titles of the sections, and the key of the result without which there is none. Music comes before codes.
_SECTIONS = (
    ("realism", "Does it sound like music?", "realism"),
    ("reconstruction", "Reconstruction", "reconstruction"),
    ("genre", "Genre: in the code, in samples", "genre_probe"),
    ("transfer", "Transfer to another genre", "transfer"),
    ("interpolation", "Interpolation", "interpolation"),
    ("statistics", "Samples beside real music", "generation"),
    ("originality", "Composed or copied?", "originality"),
    ("prior", "Match of prior and posterior", "prior_match"),
    ("order", "Order in the latent space", "latent_order"),
    ("attributes", "Attribute vectors", "attributes"),
    ("training", "Training", "command"),
)
_METRICS = {
    "onset_f1": "onset F1 (pitch and step exact)",
    "accuracy_off_hold_rest": "accuracy at onsets (off holds and rests)",
    "step_accuracy": "per-step accuracy (holds rule it)",
}
_DRAWS = 13
# Pixels of a step and of a semitone.
_STEP, _ROW = 6, 3


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
        "drawn": lambda clips: _draw_strip(clips, context.layout),
        "number": _number,
        "percent": lambda share: 0 if share is None else round(100 * min(max(share, 0.0), 1.0)),
    }
    environment.tests["known"] = lambda value: isinstance(value, float | int) and not math.isnan(value)
    return environment


def _number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return Markup("&ndash;") if value is None or math.isnan(value) else f"{value:.{digits}f}"


class Drawn(NamedTuple):
    """A clip as the page has it.

    Attributes:
        title: of the clip.
        width: of the picture, in pixels.
        height: of the picture.
        bars: where bars begin, but for the first.
        tracks: for each track the boxes of its notes, as the data of an SVG path.
        sound: an MP3 file.
    """

    title: str
    width: int
    height: int
    bars: list[int]
    tracks: list[str]
    sound: bytes


def _draw_strip(clips: Sequence[Clip], layout: Layout) -> list[Drawn]:
    """Clips that stand side by side: pitches have one scale in all of them, kits rows of their own below.

    Raises:
        MusicError: the synthesiser is not installed.
    """
    pitches = np.concatenate([sounding_pitch(clip.tokens, layout).ravel() for clip in clips])
    heard = pitches[pitches != SILENT]
    low, high = (int(heard.min()) - 1, int(heard.max()) + 1) if len(heard) else (60, 72)
    return [_draw(clip, layout, low, high) for clip in clips]


def _draw(clip: Clip, layout: Layout, low: int, high: int) -> Drawn:
    sound = to_mp3(detokenize(clip.tokens, layout, clip.tempo))
    tokens, layout = lines_of(clip.tokens, layout)
    kits = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary == KIT]
    floor = (high - low + 1) * _ROW
    width, height = len(tokens) * _STEP, floor + len(kits) * len(KIT_PIECES) * _ROW
    bars = [edge * _STEP for edge in range(layout.bar_steps, len(tokens), layout.bar_steps)]
    pitch, begins = sounding_pitch(tokens, layout), onsets(tokens, layout)
    tracks = []
    for track in range(tokens.shape[1]):
        if track in kits:
            boxes = _strokes(tokens[:, track], floor + kits.index(track) * len(KIT_PIECES) * _ROW)
        else:
            boxes = _notes(pitch[:, track], begins[:, track], high)
        tracks.append("".join(boxes))
    return Drawn(clip.title, width, height, bars, tracks, sound)


def _notes(pitch: np.ndarray, begins: np.ndarray, high: int) -> list[str]:
    boxes = []
    for start in np.flatnonzero(begins):
        stop = start + 1
        while stop < len(pitch) and pitch[stop] != SILENT and not begins[stop]:
            stop += 1
        boxes.append(_box(int(start) * _STEP, (high - int(pitch[start])) * _ROW, int(stop - start) * _STEP - 1))
    return boxes


def _strokes(symbols: np.ndarray, top: int) -> list[str]:
    struck = np.argwhere(STRUCK[symbols])
    return [_box(int(step) * _STEP, top + int(piece) * _ROW, _STEP - 2) for step, piece in struck]


def _box(x: int, y: int, width: int) -> str:
    return f"M{x} {y}h{width}v{_ROW - 1}h-{width}z"
