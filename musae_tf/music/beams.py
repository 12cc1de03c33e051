"""Beams: which notes of a voice stand under one, by the beats of their bar."""

from bisect import bisect_right

from musae_tf.music.notation import KINDS, Event, WrittenBar, beats


def join_flags(bar: WrittenBar, events: list[Event]) -> list[list[str]]:
    """For each sign of a voice what its beams do, the one nearest to the heads last; a beam joins notes of one beat."""
    edges = beats(bar)
    flags = [KINDS.index(event.kind) - KINDS.index("quarter") if event.heads and event.kind else 0 for event in events]
    homes = [
        (beat, max(flag, 0)) if event.onset + event.duration <= edges[beat + 1] else (beat, 0)
        for event, flag in zip(events, flags, strict=True)
        for beat in [bisect_right(edges, event.onset) - 1]
    ]
    found = []
    for place, (beat, count) in enumerate(homes):
        before, after = (
            homes[other][1] if 0 <= other < len(homes) and homes[other][0] == beat else 0
            for other in (place - 1, place + 1)
        )
        kinds = []
        for level in range(1, count + 1 if before or after else 1):
            kind = {(False, True): "begin", (True, True): "continue", (True, False): "end"}
            alone = "backward hook" if before else "forward hook"
            kinds.append(kind.get((before >= level, after >= level), alone))
        found.append(kinds)
    return found
