import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.music import HOLD, REST
from musae_tf.music.placing import lay_notes


def one_by_one(rows, steps, lowest):
    """The polyphony rule as a person would apply it, step by step."""
    line = [REST] * steps
    sounding = None  # (pitch, end)
    kept = 0
    for step in range(steps):
        if sounding and step >= sounding[1]:
            sounding = None
        starting = [(pitch, end) for start, end, pitch in rows if start == step]
        if starting:
            best = (min if lowest else max)(pitch for pitch, _ in starting)
            over = sounding and (sounding[0] < best if lowest else sounding[0] > best)
            if not over:
                sounding = (best, max(end for pitch, end in starting if pitch == best))
                line[step] = best
                kept += 1
                continue
        if sounding:
            line[step] = HOLD
    return line, kept


@settings(max_examples=300, deadline=None)
@given(
    tracks=st.lists(
        st.lists(st.tuples(st.integers(0, 31), st.integers(1, 12), st.integers(50, 56)), max_size=25),
        min_size=1,
        max_size=3,
    ),
    lowest=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_the_rule_step_by_step_gives_the_same(tracks, lowest):
    tracks = [[(start, min(start + length, 32), pitch) for start, length, pitch in rows] for rows in tracks]
    flat = np.full((len(tracks), 32), REST, np.uint16)
    rows = np.array([(role, *row) for role, track in enumerate(tracks) for row in track], np.int64).reshape(-1, 4)
    kept = lay_notes(flat, *rows.T, np.array(lowest[: len(tracks)]))
    expected = [one_by_one(track, 32, low) for track, low in zip(tracks, lowest, strict=False)]
    assert flat.tolist() == [line for line, _ in expected]
    assert kept.tolist() == [count for _, count in expected]
