"""The route from MIDI files to training arrays of MusAE's authors, step by step (Valenti et al., 2020).

pretty_midi to check the metre, pypianoroll at four steps a beat, merging by program, all combinations, windows that are
searched for silence from step to step, one-hot arrays X and Y with holds found from step to step, .npy files. Kinder
than the original: their .npz files between the two stages are left out, and silence becomes a symbol in one array
operation. "vectorised" is the same with array operations for all of it, as nobody has published it.
"""

import itertools
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import processor_seconds

BARS, STEPS = 16, 16


def peer_file(path: Path, out: Path, rng: np.random.Generator, vectorised: bool) -> int:
    """Phrases that the authors' route makes of one file; their arrays are written to `out`."""
    import pretty_midi
    import pypianoroll

    try:
        metres = pretty_midi.PrettyMIDI(str(path)).time_signature_changes
        if any((metre.numerator, metre.denominator) != (4, 4) for metre in metres):
            return 0
        song = pypianoroll.read(str(path), resolution=4)
    except Exception:  # as the authors do: a file that raises anything is passed over
        return 0
    parts: dict[str, list[np.ndarray]] = {"drums": [], "bass": [], "guitar": [], "strings": []}
    length = max((len(track.pianoroll) for track in song.tracks), default=0)
    for track in song.tracks:
        roll = np.zeros((length, 128), bool)
        roll[: len(track.pianoroll)] = track.pianoroll > 0
        part = "guitar" if track.program < 32 else "bass" if track.program < 40 else "strings"
        parts["drums" if track.is_drum else part].append(roll)
    if not parts["strings"]:
        return 0
    strings = np.logical_or.reduce(parts["strings"])
    sounding, one_hot = (sounding_vectorised, one_hot_vectorised) if vectorised else (sounding_by_step, one_hot_by_step)
    phrases = 0
    for guitar, bass, drums in itertools.product(parts["guitar"], parts["bass"], parts["drums"]):
        rolls = np.stack([drums, bass, guitar, strings], axis=-1)
        windows = []
        for start in range(0, length - BARS * STEPS + 1, STEPS):
            window = rolls[start : start + BARS * STEPS]
            if sounding(window):
                moved = np.roll(window, int(rng.integers(-5, 7)), axis=1)
                moved[..., 0] = window[..., 0]
                windows.append(moved)
        if windows:
            targets = one_hot(np.array(windows))
            np.save(out / f"Y{path.stem}-{phrases}.npy", targets)
            np.save(out / f"X{path.stem}-{phrases}.npy", targets * 2 - 1)
        phrases += len(windows)
    return phrases


def sounding_by_step(window: np.ndarray) -> bool:
    """Whether no track of bool [256, 128, 4] is silent for the length of a bar, wherever it begins."""
    silences = np.zeros(4, int)
    for track in range(4):
        for step in range(len(window) - STEPS + 1):
            if window[step : step + STEPS, :, track].sum() == 0:
                silences[track] += 1
    return not silences.any()


def sounding_vectorised(window: np.ndarray) -> bool:
    """The same."""
    sounds = np.concatenate([np.zeros((1, 4), int), np.cumsum(window.any(axis=1), axis=0)])
    return bool((sounds[STEPS:] > sounds[:-STEPS]).all())


def one_hot_by_step(windows: np.ndarray) -> np.ndarray:
    """float32 [n, 256, 130, 4]: one note a step, silence, and a hold wherever a step is like the one before."""
    symbols = np.where(windows.any(axis=2), windows.argmax(axis=2), 128)
    coded = np.moveaxis(np.eye(130, dtype=np.float32)[symbols], -1, 2).copy()
    for phrase in coded:
        for step in range(1, len(phrase)):
            for track in range(4):
                if np.array_equal(phrase[step, :-1, track], phrase[step - 1, :-1, track]):
                    phrase[step, -1, track] = 1
    for phrase in coded:
        for step in range(1, len(phrase)):
            for track in range(4):
                if phrase[step, -1, track] == 1:
                    phrase[step, :-1, track] = 0
    return coded


def one_hot_vectorised(windows: np.ndarray) -> np.ndarray:
    """The same."""
    symbols = np.where(windows.any(axis=2), windows.argmax(axis=2), 128)
    held = np.zeros_like(symbols, bool)
    held[:, 1:] = symbols[:, 1:] == symbols[:, :-1]
    return np.moveaxis(np.eye(130, dtype=np.float32)[np.where(held, 129, symbols)], -1, 2)


def run_peer(files: list[Path], out: Path, vectorised: bool) -> dict:
    """All files by the authors' route, one after the other; "spared" is time that is not part of it."""
    out.mkdir(parents=True)
    spared = {"seconds": 0.0, "processor_seconds": 0.0}
    rng = np.random.default_rng(0)
    phrases = size = 0
    for path in files:
        phrases += peer_file(path, out, rng, vectorised)
        began, worked = time.perf_counter(), processor_seconds()
        for written in out.iterdir():  # arrays of all files would fill the disk
            size += written.stat().st_size
            written.unlink()
        spared["seconds"] += time.perf_counter() - began
        spared["processor_seconds"] += processor_seconds() - worked
    return {"phrases": phrases, "bytes": size, "spared": spared}
