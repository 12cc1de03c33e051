"""Families of metrics that look at what a model plays: reconstructions, samples, transfers, interpolations."""

from typing import Any

import numpy as np

from musae_tf.evaluation import generation_statistics as generated
from musae_tf.evaluation.bootstrap import Interval
from musae_tf.evaluation.interpolation import PathMeasures, cross_fade, measure_paths
from musae_tf.evaluation.ledger import ALL
from musae_tf.evaluation.originality import COPIED, nearest
from musae_tf.evaluation.reconstruction import MODEL, by_genre, phrase_sums, predictions, reconstruction_ratios
from musae_tf.evaluation.similarity import chroma_similarity, rhythm_similarity
from musae_tf.evaluation.statistics import STATISTICS, phrase_statistics, share_within
from musae_tf.evaluation.subject import SAMPLES, SEED, Subject
from musae_tf.evaluation.surprise import Surprise
from musae_tf.music.pieces import walk

# Streams of random numbers.
_TRANSFERRED, _PAIRS, _NEAREST, _WALK, _WALK_OTHER = 40, 41, 42, 1000, 2000

_TRANSFERRED_PHRASES = 60
STRENGTHS = (0.5, 1.0, 1.5)
_PATHS, _POINTS = 240, 9
_SHOWN_POINTS = 7
_WALK_PHRASES = 4
_SEARCHED = 50_000


def measure_reconstruction(subject: Subject) -> dict[str, Any]:
    """Reconstruction beside trivial predictions, in all and by genre; with intervals, of the model's."""
    held_out = subject.held_out
    result: dict[str, Any] = {"reconstruction": {}, "reconstruction_by_genre": {}}
    for name, predicted in predictions(subject.rebuilt, held_out, subject.train.tokens).items():
        table = reconstruction_ratios(predicted, held_out)
        genres = by_genre(table, held_out)
        result["reconstruction"][name] = _values(table)
        for genre, part in genres.items():
            result["reconstruction_by_genre"].setdefault(genre, {})[name] = _values(part)
        if name == MODEL:
            rows = np.arange(len(predicted))
            for metric, tracks in table.items():
                for track, ratio in tracks.items():
                    subject.enter(metric, track, rows, ratio.parts, ratio.wholes)
            result["reconstruction_intervals"] = _limits(table)
            result["reconstruction_by_genre_intervals"] = {genre: _limits(part) for genre, part in genres.items()}
    _show_reconstructions(subject)
    return result


def _show_reconstructions(subject: Subject) -> None:
    for number, genre in enumerate(subject.genres):
        for row in subject.held_out.of_genre(number)[:1]:
            music = (subject.held_out.tokens[row], subject.rebuilt[row])
            titles = (f"{genre}, source", "reconstructed")
            subject.show("reconstruction", *(subject.clip(t, m, genre) for t, m in zip(titles, music, strict=True)))


def _values(table: dict) -> dict[str, dict[str, float]]:
    return {metric: {track: ratio.value() for track, ratio in tracks.items()} for metric, tracks in table.items()}


def _limits(table: dict) -> dict[str, dict[str, list[float]]]:
    def pair(interval: Interval) -> list[float]:
        return [interval.low, interval.high]

    return {
        metric: {track: pair(ratio.interval()) for track, ratio in tracks.items()} for metric, tracks in table.items()
    }


def measure_samples(subject: Subject) -> dict[str, Any]:
    """Where samples of each genre lie among real phrases, by density, silence and range."""
    within = {}
    for number, genre in enumerate(subject.genres):
        real = subject.held_out.tokens[subject.held_out.of_genre(number)]
        if len(real):  # a genre without test songs has nothing to be compared with
            samples = subject.samples(number)
            within[genre] = share_within(*(phrase_statistics(tokens, subject.layout) for tokens in (samples, real)))
    return {"count": SAMPLES, "statistics": STATISTICS, "within_5_95": within}


def measure_generation(subject: Subject) -> dict[str, Any]:
    """Samples against real held-out phrases: the judge, MuseGAN's statistics, overlapped area."""
    judge, held_out, layout = subject.judge, subject.held_out, subject.layout
    result: dict[str, Any] = {"statistics": {}, "overlapped_area": {}, "overlap_features": generated.FEATURES}
    verdicts, asked = [], []
    for number, genre in enumerate(subject.genres):
        samples = subject.samples(number)
        real = held_out.tokens[held_out.of_genre(number)]
        if judge is not None:
            verdicts.append(judge.judge(samples))
            asked.append(np.full(len(samples), number))
        if len(real) > 1:
            one, other = (generated.overlap_features(tokens, layout) for tokens in (samples, real))
            result["overlapped_area"][genre] = generated.overlapped_area(one, other)
            kinds = {"samples": samples, "real": real, "shuffled": _shuffled(real)}
            result["statistics"][genre] = {
                kind: generated.generation_statistics(tokens, layout) for kind, tokens in kinds.items()
            }
        draws, others = (subject.draw(np.full(_WALK_PHRASES, number), base + number) for base in (_WALK, _WALK_OTHER))
        longer = subject.decode(walk(draws, others)).reshape(-1, len(layout.tracks))
        phrases = [subject.clip("one phrase", phrase, genre) for phrase in samples[:2]]
        subject.show("samples", subject.clip(f"{genre}, {_WALK_PHRASES} phrases", longer, genre), *phrases)
    if judge is not None:
        result["judge"] = _judge(subject, np.concatenate(verdicts), np.concatenate(asked))
    return result


def measure_originality(subject: Subject) -> dict[str, Any]:
    """The training phrase nearest to each sample, and beside it the one nearest to each real held-out phrase."""
    index = subject.dataset.phrases("train", subject.run.config.music.bars, sounding=subject.run.config.data.sounding)
    searched = np.unique(np.linspace(0, len(index) - 1, _SEARCHED).astype(np.int64))
    training = index.tokens(searched)
    result: dict[str, Any] = {"training_phrases": len(index), "searched": len(searched), "copied_from": COPIED}
    found = []
    for number, genre in enumerate(subject.genres):
        samples = subject.samples(number)
        likeness, rows = nearest(samples, training, subject.layout)
        found.append(likeness)
        if np.isfinite(likeness).any():
            most = np.nanargmax(likeness)
            song = subject.dataset.songs[index.songs[searched[rows[most]]]]["title"]
            titles = (f"{genre}, the sample nearest to training", f"{song}, onset F1 {likeness[most]:.2f}")
            music = (samples[most], training[rows[most]].astype(np.int32))
            subject.show("originality", *(subject.clip(t, m, genre) for t, m in zip(titles, music, strict=True)))
    # Samples have no songs: each stands for itself.
    names = np.array([f"sample {number}" for number in range(SAMPLES * len(found))])
    _enter_likeness(subject, "samples", names, np.repeat(subject.genres, SAMPLES), np.concatenate(found))
    rows = subject.some(SAMPLES, _NEAREST)
    likeness, _ = nearest(subject.held_out.tokens[rows], training, subject.layout)
    _enter_likeness(subject, "real", subject.song_names[rows], subject.genre_names[rows], likeness)
    return result


def _enter_likeness(subject: Subject, part: str, songs: np.ndarray, genres: np.ndarray, likeness: np.ndarray) -> None:
    copied = np.where(np.isfinite(likeness), likeness >= COPIED, np.nan)  # a phrase without notes is like none
    subject.ledger.add("nearest_training", part, songs, genres, likeness)
    subject.ledger.add("copied", part, songs, genres, copied)


def _shuffled(phrases: np.ndarray) -> np.ndarray:
    """Tracks of different phrases put together: what tonal distance is without harmony."""
    shuffled = phrases.copy()
    for track in range(1, phrases.shape[2]):
        shuffled[..., track] = np.roll(phrases[..., track], track, axis=0)
    return shuffled


def _judge(subject: Subject, verdicts: np.ndarray, asked: np.ndarray) -> dict[str, Any]:
    """Confusion of the judge on real phrases, on reconstructions and on samples: rows are what it should say."""
    held_out, genres = subject.held_out, subject.genres
    rows = np.arange(len(held_out.tokens))
    result: dict[str, Any] = {"chance": 1 / len(genres)}
    for metric, tokens in (("judge_real", held_out.tokens), ("judge_reconstructions", subject.rebuilt)):
        said = subject.judge.judge(tokens)
        subject.enter(metric, ALL, rows, (said == held_out.genre).astype(float))
        result[metric] = _confusion(held_out.genre, said, len(genres))
    # Samples have no songs: each stands for itself.
    names = np.array([f"sample {number}" for number in range(len(asked))])
    subject.ledger.add("samples_as_asked", ALL, names, np.array(genres)[asked], (verdicts == asked).astype(float))
    result["samples_as_asked"] = _confusion(asked, verdicts, len(genres))
    return result


def _confusion(truth: np.ndarray, said: np.ndarray, genres: int) -> list[list[float]]:
    counts = np.bincount(truth * genres + said, minlength=genres * genres).reshape(genres, genres)
    return (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).tolist()


def measure_transfer(subject: Subject) -> dict[str, Any] | None:
    """Held-out phrases moved to every other genre: judged as the target, and what is kept of the source.

    Beside it the reconstruction (moves nothing, keeps what the model can keep) and a random real phrase of the target
    genre (moves everything, keeps nothing). None if there is no judge.
    """
    judge, held_out, genres = subject.judge, subject.held_out, len(subject.genres)
    if judge is None:
        return None
    chosen = subject.some(_TRANSFERRED_PHRASES, _TRANSFERRED)
    rows = np.repeat(chosen, genres - 1)
    targets = np.concatenate([np.delete(np.arange(genres), genre) for genre in held_out.genre[chosen]])
    versions = {
        f"strength {strength:g}": subject.decode(
            subject.transfer(subject.codes[rows], held_out.genre[rows], targets, strength)
        )
        for strength in STRENGTHS
    }
    _show_transfers(subject, rows, targets, versions["strength 1"])
    versions["reconstruction"] = subject.rebuilt[rows]
    versions["another piece"] = _of_target(subject, targets)
    for part, music in versions.items():
        _enter_transfer(subject, part, rows, targets, music)
    pairs = {}
    success = judge.judge(versions["strength 1"]) == targets
    for source, genre in enumerate(subject.genres):
        pairs[genre] = {}
        for target, other in enumerate(subject.genres):
            here = (held_out.genre[rows] == source) & (targets == target)
            if here.any():
                pairs[genre][other] = float(success[here].mean())
    return {"versions": list(versions), "phrases": len(chosen), "success_by_pair": pairs}


def _enter_transfer(subject: Subject, part: str, rows: np.ndarray, targets: np.ndarray, music: np.ndarray) -> None:
    source, layout = subject.held_out.tokens[rows], subject.layout
    subject.enter("transfer_success", part, rows, (subject.judge.judge(music) == targets).astype(float))
    subject.enter("transfer_chroma", part, rows, chroma_similarity(music, source, layout))
    subject.enter("transfer_rhythm", part, rows, rhythm_similarity(music, source, layout))
    hits, onsets = (values.sum(axis=1) for values in phrase_sums(music, source, layout)["onset_f1"])
    subject.enter("transfer_onset_f1", part, rows, hits, onsets)


def _of_target(subject: Subject, targets: np.ndarray) -> np.ndarray:
    """A random training phrase of each target genre."""
    rng = np.random.default_rng([SEED, _TRANSFERRED])
    train = subject.train
    return train.tokens[[rng.choice(pool if len(pool := train.of_genre(t)) else len(train.tokens)) for t in targets]]


def _show_transfers(subject: Subject, rows: np.ndarray, targets: np.ndarray, music: np.ndarray) -> None:
    genres = subject.genres
    for number, genre in enumerate(genres):
        of_genre = np.flatnonzero(subject.held_out.genre[rows] == number)
        if len(of_genre):
            row = rows[of_genre[0]]
            moved = [
                subject.clip(f"to {genres[targets[one]]}", music[one], genre) for one in of_genre[: len(genres) - 1]
            ]
            subject.show("transfer", subject.clip(f"{genre}, source", subject.held_out.tokens[row], genre), *moved)


def measure_interpolation(subject: Subject) -> dict[str, Any] | None:
    """Ways between pairs of held-out phrases of different songs, beside cross-fading the phrases themselves.

    None if there is only one song.
    """
    held_out = subject.held_out
    start, end = _pairs(subject)
    if not len(start):
        return None
    codes = subject.between(subject.codes[start], subject.codes[end], _POINTS)
    played = subject.decode(codes.reshape(-1, codes.shape[-1])).reshape(len(start), _POINTS, *held_out.tokens.shape[1:])
    ways = {MODEL: played, "cross-fade": cross_fade(held_out.tokens[start], held_out.tokens[end], _POINTS)}
    surprise = Surprise(subject.train.tokens, subject.layout)
    real = phrase_statistics(held_out.tokens, subject.layout)
    result: dict[str, Any] = {"pairs": len(start), "points": _POINTS}
    result["real_surprise"] = float(surprise(held_out.tokens).mean())
    for name, paths in ways.items():
        measures = measure_paths(paths)
        flat = paths.reshape(-1, *paths.shape[2:])
        costs = surprise(flat).reshape(paths.shape[:2])
        inside = [share_within(phrase_statistics(paths[:, p], subject.layout), real)["all"] for p in range(_POINTS)]
        result[name] = {
            "to_start": measures.to_start.mean(axis=0),
            "to_end": measures.to_end.mean(axis=0),
            "surprise": costs.mean(axis=0),
            "within_5_95": inside,
        }
        _enter_paths(subject, name, start, measures, costs)
    _show_paths(subject, start, end)
    return result


def _pairs(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of pairs of phrases of different songs; both ends go round the genres."""
    each = -(-_PATHS // len(subject.genres))
    start, end = (subject.some(each, _PAIRS + number) for number in (0, 1))
    rng = np.random.default_rng([SEED, _PAIRS])
    end = rng.permutation(end)
    count = min(len(start), len(end))
    start, end = start[:count], end[:count]
    apart = subject.held_out.songs[start] != subject.held_out.songs[end]
    return start[apart], end[apart]


def _enter_paths(subject: Subject, part: str, rows: np.ndarray, measures: PathMeasures, costs: np.ndarray) -> None:
    for name in ("monotone", "nearly_monotone", "rank_correlation", "evenness", "smoothness"):
        subject.enter(f"interpolation_{name}", part, rows, getattr(measures, name))
    ends = (costs[:, 0] + costs[:, -1]) / 2
    subject.enter("interpolation_surprise", part, rows, costs[:, 1:-1].mean(axis=1) - ends)


def _show_paths(subject: Subject, start: np.ndarray, end: np.ndarray) -> None:
    genre = subject.held_out.genre
    across = np.flatnonzero(genre[start] != genre[end])
    for pair in across[:: max(1, len(across) // 2)][:2]:
        codes = subject.between(subject.codes[start[[pair]]], subject.codes[end[[pair]]], _SHOWN_POINTS)[0]
        names = [subject.genre_names[rows[pair]] for rows in (start, end)]
        titles = [f"{position:.0%}" for position in np.linspace(0, 1, _SHOWN_POINTS)]
        titles[0], titles[-1] = f"{names[0]}, reconstructed", f"{names[1]}, reconstructed"
        music = subject.decode(codes)
        subject.show(
            "interpolation", *(subject.clip(title, one, names[0]) for title, one in zip(titles, music, strict=True))
        )
