"""Which grid and which layout suit songs, in words and tables, see `musae_tf.data.suitability`."""

from collections.abc import Sequence

from musae_tf.data.info import table
from musae_tf.data.reader import WITHOUT_BEAT
from musae_tf.data.store import printable
from musae_tf.data.suitability import REASONS, WITHIN, Retention, Sample, recommended
from musae_tf.music.survey import Survey, grids_of

MANY = 0.1
"""Share of bars that do not fit a grid, above which a build says so before it begins."""

_FEW = 5
_WORTH_SAYING = 0.01


def describe_sample(found: Sample, root: object) -> str:
    """How many files were looked at, and what was refused or warned of."""
    every = f", {len(found.items):,} of them read, evenly spaced" if len(found.items) < found.files else ""
    lines = [f"{root}: {found.files:,} songs{every}"]
    if found.refused:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.refused.items()))
        lines.append(f"not used: {kinds}")
    if found.another_beat:
        lines.append(f"with another beat than their tempo track, so that no grid suits them: {found.another_beat:,}")
    if found.another_beat or found.refused[WITHOUT_BEAT]:
        lines.append("a file of its beats beside a song, song.beats.txt, puts it on them")
    return printable("\n".join(lines) + "\n")


def describe_survey(survey: Survey) -> str:
    """Bars by metre and which fit the best grid, notes off each grid, and the grid that would be taken."""
    other, every = survey.other_bars(survey.best), sum(survey.bars.values())
    bars: list[Sequence[str]] = [
        (name, f"{count:,}", f"{count / every:.1%}", "no" if name in other else "yes")
        for name, count in survey.bars.most_common()
    ]
    notes = sum(survey.notes.values())
    off: list[Sequence[str]] = [
        (grid, f"{survey.share_off(grid):.1%}")
        for grid in survey.grids
        if survey.taken[grid.partition("x")[0]] >= _WORTH_SAYING * notes
    ]
    metres = table(("metre", "bars", "share", f"on {survey.best}"), bars)
    grids = f"{table(('grid', 'notes of its metre off it'), off)}\n\n" if off else ""
    return f"{metres}\n\n{grids}grid: {survey.best} (as --grid auto takes it)\n"


def describe_layouts(found: Sequence[Retention]) -> str:
    """What each layout keeps, why the rest is lost, and which one is recommended."""
    rows: list[Sequence[str]] = [
        (
            retention.layout.name,
            f"{retention.kept:.1%}",
            *(f"{retention.lost[reason] / max(retention.notes, 1):.1%}" for reason in REASONS),
            f"{len(retention.layout.columns)}",
        )
        for retention in found
    ]
    header = ("layout", "notes kept", "outside it", "other metre", "beyond its voices", "same step", "columns")
    layout = recommended(found)
    near = f" (the fewest columns of those that keep within {100 * WITHIN:.0f} points of the most)"
    columns, steps = len(layout.columns), layout.bar_steps
    return (
        f"{table(header, rows)}\n\nlayout: {layout.name}{near if len(found) > 1 else ''}\n"
        f"a bar has {columns} x {steps} = {columns * steps:,} symbols, which training time grows with; four voices in "
        f"sixteenths have 64\n"
    )


def in_a_line(found: Sample) -> str:
    """The grid that suits songs best and why."""
    survey = found.survey
    every = sum(survey.bars.values())
    bars = ", ".join(f"{count / every:.0%} {name}" for name, count in survey.bars.most_common(_FEW))
    metre = survey.best.partition("x")[0]
    off = ", ".join(f"{survey.share_off(grid.name):.0%} of {grid.name}" for grid in grids_of(metre))
    notes = f"notes off the grid {off}" if survey.taken else "no song follows the beat of its bars"
    return f"grid {survey.best}, by {len(found.items):,} of {found.files:,} songs: bars {bars or 'none'}; {notes}"


def misfits_in_a_line(found: Sample, grid: str) -> str:
    """Which bars a grid cannot hold; empty where they are few."""
    bars, every = found.survey.other_bars(grid), sum(found.survey.bars.values())
    if sum(bars.values()) <= MANY * every:
        return ""
    most = ", ".join(f"{count / every:.0%} in {name}" for name, count in list(bars.items())[:_FEW])
    best = found.survey.best
    better = f"; --grid auto would take {best}" if best != grid else ""
    songs = f"by {len(found.items):,} of {found.files:,} songs"
    return f"{sum(bars.values()) / every:.0%} of the bars do not fit the grid {grid}: {most}{better} ({songs})"
