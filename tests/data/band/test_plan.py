import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.band.plan import TEMPO, PlannedBar, groove_files, make_plan, score

FILES = [file for files in groove_files().values() for file in files]


@given(st.sampled_from(FILES), st.integers(0, 2**32))
def test_plans(file, seed):
    plan = make_plan(file, Random(seed))
    assert plan == make_plan(file, Random(seed))
    low, high = TEMPO[file.genre]
    assert low <= plan.tempo <= high
    assert plan.main.stop <= len(plan.bars)
    assert 12 <= len(plan.main) <= 36
    main = {bar.groove for bar in plan.bars[plan.main.start : plan.main.stop]}
    assert main <= {*file.main, *(groove.name for groove in file.fill)}
    assert main & set(file.main)
    outside = [*plan.bars[: plan.main.start], *plan.bars[plan.main.stop :]]
    assert {bar.groove for bar in outside} <= {groove.name for groove in (*file.intro, *file.end)}
    assert {bar.drums for bar in plan.bars} <= {None, *file.drums}
    assert not any(bar.drums for bar in outside)
    assert plan.key.endswith("minor" if plan.minor else "major")


@given(st.sampled_from(FILES), st.integers(0, 2**32), st.booleans())
def test_scores(file, seed, drums):
    """Every bar has a line with its number, and the groove that is played is the one that was planned."""
    plan = make_plan(file, Random(seed))
    groove, bars = None, []
    for line in score(plan, drums).splitlines()[2:]:
        if line.startswith("Groove "):
            assert line.split()[1] != groove
            groove = line.split()[1]
        else:
            number, *chords = re.split(r" / | ", line)
            assert int(number) == len(bars) + 1
            bars.append((groove, len(chords)))
    assert bars == [((bar.drums if drums else None) or bar.groove, len(bar.chords)) for bar in plan.bars]


def test_all_that_may_happen_does():
    plans = [make_plan(file, Random(f"{file.path} {seed}")) for file in FILES for seed in range(3)]
    assert {len(plan.main) for plan in plans} >= {12, 16, 24, 32, 36}
    assert any(bar.drums for plan in plans for bar in plan.bars)
    assert any(plan.main.start for plan in plans)
    assert any(plan.main.stop < len(plan.bars) for plan in plans)
    assert any(len(bar.chords) == 2 for plan in plans for bar in plan.bars)
    assert len({plan.tonic for plan in plans}) == 12
    assert {plan.minor for plan in plans} == {True, False}
    assert isinstance(plans[0].bars[0], PlannedBar)
