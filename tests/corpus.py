"""Songs and broken files made in code, for all tests."""

import struct

import numpy as np

from musae_tf.music import KIT, NOTE, VELOCITY, Layout, Metre, Song, Tempo, Track

BAR = 1920  # ticks of 4/4 at 480 a quarter
END_OF_TRACK = b"\x00\xff\x2f\x00"


# --- songs ------------------------------------------------------------------------------------------------------------


def notes(*rows: tuple[int, int, int] | tuple[int, int, int, int]) -> np.ndarray:
    """Notes of (start, duration, pitch[, velocity]) in ticks."""
    return np.array([(*row, 90)[:4] for row in rows], NOTE)


def melody(rng: np.random.Generator, bars: int, low: int, high: int, quarter: int = 480) -> np.ndarray:
    """A line on the sixteenth grid of steps, leaps, repeated notes and rests."""
    rows, at, pitch = [], 0, (low + high) // 2
    while at < bars * 16:
        length = min(int(rng.choice([1, 2, 2, 4, 4, 8])), bars * 16 - at)
        pitch = int(np.clip(pitch + rng.integers(-4, 5), low, high))
        if rng.random() < 0.9:
            rows.append((at * quarter // 4, length * quarter // 4, pitch, int(rng.integers(60, 110))))
        at += length
    return notes(*rows)


def beat(bars: int, quarter: int = 480) -> np.ndarray:
    """A rock beat: kick, snare, closed hi-hat, a crash at the start."""
    rows = [(0, quarter // 4, 49)]
    for bar in range(bars):
        start = bar * 4 * quarter
        rows += [(start + eighth * quarter // 2, quarter // 4, 42) for eighth in range(8)]
        rows += [(start + at * quarter, quarter // 4, 36) for at in (0, 2)]
        rows += [(start + at * quarter, quarter // 4, 38) for at in (1, 3)]
    return notes(*rows)


def four_voice_song(bars: int = 8, seed: int = 0) -> Song:
    """Four sung parts in 4/4 with the names of the layout `voices`."""
    rng = np.random.default_rng(seed)
    ranges = {"Soprano": (64, 79), "Alto": (57, 71), "Tenor": (50, 65), "Bass": (42, 57)}
    tracks = [Track(name, 52, False, melody(rng, bars, *span)) for name, span in ranges.items()]
    return Song(480, tracks, [Tempo(0, 96.0)], [Metre(0, 4, 4)], bars * BAR, f"chorale {seed}")


def band_song(bars: int = 8, seed: int = 0, quarter: int = 480) -> Song:
    """A band whose tracks only programs tell apart: drums, finger bass, two guitars, piano, strings, flute."""
    rng = np.random.default_rng(seed)
    parts = (
        ("lead", 29, 55, 80),
        ("chords", 25, 45, 64),
        ("keys", 0, 55, 76),
        ("pad", 48, 55, 79),
        ("air", 73, 67, 88),
    )
    tracks = [Track("kit", 0, True, beat(bars, quarter)), Track("low", 33, False, melody(rng, bars, 28, 45, quarter))]
    tracks += [Track(name, program, False, melody(rng, bars, a, b, quarter)) for name, program, a, b in parts]
    return Song(quarter, tracks, [Tempo(0, 120.0)], [Metre(0, 4, 4)], bars * 4 * quarter, f"band {seed}")


def drum_song(bars: int = 4) -> Song:
    """Drums alone."""
    return Song(480, [Track("groove", 0, True, beat(bars))], [Tempo(0, 97.3)], [Metre(0, 4, 4)], bars * BAR, "groove")


def piano_song(bars: int = 4, seed: int = 0) -> Song:
    """One polyphonic track: a melody over chords of three notes."""
    rng = np.random.default_rng(seed)
    chords = [(at * 960, 960, pitch) for at in range(2 * bars) for pitch in (48, 55, 60)]
    lines = np.concatenate([melody(rng, bars, 67, 84), notes(*chords)])
    return Song(480, [Track("Piano", 0, False, lines)], [Tempo(0, 110.0)], [Metre(0, 4, 4)], bars * BAR, "piano")


def waltz(bars: int = 6, seed: int = 0) -> Song:
    """A four-voice piece in 3/4: no bar of it fits the grid."""
    song = four_voice_song(bars, seed)
    return Song(480, song.tracks, song.tempos, [Metre(0, 3, 4)], bars * BAR, "waltz")


def changing_metre_song(seed: int = 0) -> Song:
    """A pick-up quarter, two bars of 4/4, one of 3/4, three of 2/2, one of 6/8, one of 4/4."""
    song = four_voice_song(8, seed)
    at = np.cumsum([0, 480, 2 * BAR, 1440, 3 * BAR, 1440])
    metres = [Metre(int(t), *m) for t, m in zip(at, ((1, 4), (4, 4), (3, 4), (2, 2), (6, 8), (4, 4)), strict=True)]
    end = int(at[-1]) + BAR
    inside = [track.notes["start"] + track.notes["duration"] <= end for track in song.tracks]
    tracks = [Track(t.name, t.program, False, t.notes[mask]) for t, mask in zip(song.tracks, inside, strict=True)]
    return Song(480, tracks, song.tempos, metres, end, "changing metre")


def changing_tempo_song(seed: int = 0) -> Song:
    """Four voices with three tempos."""
    song = four_voice_song(8, seed)
    tempos = [Tempo(0, 97.3), Tempo(2 * BAR, 60.0), Tempo(5 * BAR + 480, 143.21)]
    return Song(480, song.tracks, tempos, song.metres, song.end, "changing tempo")


def songs() -> dict[str, Song]:
    """Every kind of song above, and a few with something missing, by name."""
    chorale = four_voice_song()
    return {
        "four voices": chorale,
        "band": band_song(),
        "fine resolution": band_song(quarter=960),
        "drums": drum_song(),
        "piano": piano_song(),
        "waltz": waltz(),
        "changing metre": changing_metre_song(),
        "changing tempo": changing_tempo_song(),
        "no metre": Song(480, chorale.tracks, chorale.tempos, [], chorale.end, "no metre"),
        "no tempo": Song(480, chorale.tracks, [], chorale.metres, chorale.end, "no tempo"),
        "empty track": Song(480, [*chorale.tracks[:3], Track("Bass", 43)], end=chorale.end, name="empty track"),
        "silent end": Song(480, chorale.tracks, end=chorale.end + 3 * BAR, name="silent end"),
    }


# --- tokens -----------------------------------------------------------------------------------------------------------


def random_tokens(rng: np.random.Generator, layout: Layout, bars: int) -> np.ndarray:
    """uint16 [bars * S, C]: onsets of all pitches, rests, holds (after rests as well) and velocities in any order."""
    columns, steps = [], bars * layout.bar_steps
    for column in layout.columns:
        if column.vocabulary == KIT:
            columns.append(rng.integers(0, KIT.size, steps) * (rng.random(steps) < 0.5))
        elif column.vocabulary == VELOCITY:
            columns.append(np.where(rng.random(steps) < 0.5, VELOCITY.rest, rng.integers(0, 8, steps)))
        else:
            kinds = rng.random(steps)
            pitches = rng.integers(0, 128, steps)
            columns.append(np.where(kinds < 0.3, pitches, np.where(kinds < 0.45, 128, 129)))
    return np.stack(columns, axis=1).astype(np.uint16)


# --- MIDI files by hand -----------------------------------------------------------------------------------------------


def variable_length(value: int) -> bytes:
    """A MIDI variable-length quantity."""
    out = [value & 127]
    while value := value >> 7:
        out.append(128 | value & 127)
    return bytes(reversed(out))


def midi_file(kind: int, division: int, *tracks: bytes) -> bytes:
    """A standard MIDI file of raw track contents."""
    header = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    return header + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def events(*rows: tuple[int, bytes]) -> bytes:
    """Track contents of (tick, message) in order of ticks, with the end-of-track event."""
    out, now = b"", 0
    for tick, message in rows:
        out += variable_length(tick - now) + message
        now = tick
    return out + END_OF_TRACK


def text_event(kind: int, text: str) -> bytes:
    """A meta event of text: kind 3 is a track name."""
    data = text.encode()
    return bytes([0xFF, kind]) + variable_length(len(data)) + data


def tempo_event(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def metre_event(numerator: int, power: int) -> bytes:
    return bytes([0xFF, 0x58, 4, numerator, power, 24, 8])


def type0_file() -> bytes:
    """Type 0, 96 ticks a quarter: piano, finger bass and drums on channels of one track named "Piano", two bars."""
    rows = [(0, text_event(3, "Piano")), (0, tempo_event(500_000)), (0, metre_event(4, 2))]
    rows += [(0, b"\xc0\x00"), (0, b"\xc1\x21"), (0, b"\xc9\x00")]
    for beat_number in range(8):
        on, off = beat_number * 96, (beat_number + 1) * 96
        for channel, pitch in ((0, 72 + beat_number), (1, 36), (9, 36 if beat_number % 2 == 0 else 38)):
            rows += [(on, bytes([0x90 | channel, pitch, 80])), (off, bytes([0x90 | channel, pitch, 0]))]
    # Stable: at one tick, note-offs of the beat before come after note-ons only of other pitches.
    return midi_file(0, 96, events(*sorted(rows, key=lambda row: (row[0], row[1][-1] != 0 or row[1][0] >= 0xC0))))


def type1_file_without_metre() -> bytes:
    """Type 1 with running status, no time signature, no tempo, two melodic tracks of one bar."""
    high = events(
        (0, text_event(3, "high")), (0, b"\x90\x48\x50"), (480, b"\x48\x00"), (480, b"\x4a\x50"), (1920, b"\x4a\x00")
    )
    low = events((0, b"\x91\x30\x50"), (1920, b"\x81\x30\x40"))
    return midi_file(1, 480, events((0, text_event(3, "conductor"))), high, low)


def broken_files() -> dict[str, bytes]:
    """Files that are no usable MIDI, by what is wrong with them. A reader refuses or reads each, never falls over."""
    note = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00"
    whole = band_song(2).to_bytes()
    far = variable_length(2**28 - 1)
    files = {
        "empty": b"",
        "one byte": b"M",
        "zeros": bytes(1000),
        "text": b"Dear reader, this is no MIDI file. " * 40,
        "header alone": whole[:14],
        "no tracks": midi_file(1, 480),
        "no notes": midi_file(0, 480, END_OF_TRACK),
        "type 9": midi_file(9, 480, note + END_OF_TRACK),
        "resolution 0": midi_file(0, 0, note + END_OF_TRACK),
        "SMPTE time": midi_file(0, 0xE728, note + END_OF_TRACK),
        "tempo 0": midi_file(0, 480, b"\x00" + tempo_event(0) + note + END_OF_TRACK),
        "metre 0/4": midi_file(0, 480, b"\x00" + metre_event(0, 2) + note + END_OF_TRACK),
        "metre denominator 2^255": midi_file(0, 480, b"\x00" + metre_event(4, 255) + note + END_OF_TRACK),
        "absurd chunk length": whole[:18] + b"\xff\xff\xff\xff" + whole[22:],
        "absurd header length": b"MThd\xff\xff\xff\xff" + whole[8:],
        "absurd text length": midi_file(0, 480, b"\x00\xff\x01\xff\xff\xff\x7fabc" + END_OF_TRACK),
        "absurd sysex length": midi_file(0, 480, b"\x00\xf0\xff\xff\xff\x7fabc" + END_OF_TRACK),
        "delta time without end": midi_file(0, 480, b"\xff" * 40),
        "running status of nothing": midi_file(0, 480, b"\x00\x3c\x40" + END_OF_TRACK),
        "pitch above 127": midi_file(0, 480, b"\x00\x90\xbc\x40\x10\x80\xbc\x40" + END_OF_TRACK),
        "note without end": midi_file(0, 480, b"\x00\x90\x3c\x40" + END_OF_TRACK),
        "65535 tracks announced": whole[:10] + b"\xff\xff" + whole[12:],
        "note after 10^9 ticks": midi_file(
            0, 480, far + b"\x91\x3c\x40" + note + (far + b"\x91\x3d\x00") * 4 + END_OF_TRACK
        ),
        "ticks beyond 2^31": midi_file(0, 480, (far + b"\x90\x3c\x40" + far + b"\x80\x3c\x00") * 8 + END_OF_TRACK),
        "bars without number": midi_file(
            0, 1, b"\x00" + metre_event(1, 7) + note + (far + b"\x91\x3d\x00") * 4 + END_OF_TRACK
        ),
    }
    files |= {f"cut at byte {size}": whole[:size] for size in range(0, len(whole), 10)}
    return files
