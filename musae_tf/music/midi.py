"""Standard MIDI files to songs and back, through symusic.

What symusic leaves out is put into two text events, which every reader of MIDI ignores: a marker where the piece ends
(when it ends after its last note), and in a track without notes a lyric with its program (symusic drops tracks that
hold neither).
"""

import re
from collections import Counter

import numpy as np
import symusic

from musae_tf.errors import MusicError
from musae_tf.music.midi_repair import (
    ENDLESS,
    chunks,
    has_names_elsewhere,
    has_programs_elsewhere,
    joined,
    repair,
    with_all_notes_off,
)
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track, make_tracks

END_MARKER = "end of piece"
_DRUMS = re.compile(r"(?<!steel )\bdrums?\b|percussion|drum ?(kit|set)|schlagzeug|batterie|bater[ií]a", re.IGNORECASE)
_SILENT = re.compile(r"silent (drums|track), program (\d+)")
_MICROSECONDS = 60_000_000  # in a minute
_LAST_TICK = 2**28 - 1  # the longest gap that the file format can express


def from_bytes(data: bytes, source: str = "MIDI data", tune: int = 1) -> Song:
    """Read a standard MIDI file; `source` names it in errors. Of a file of type 2 the song with this number.

    Raises:
        MusicError: Not MIDI, damaged, SMPTE time, or impossible metre, tempo or resolution.
    """
    data = _unwrapped(data)
    songs = _of_type_2(data)
    if songs:
        data = songs[tune - 1]
    score, warnings = _scored(data, source)
    song = from_score(score, source)
    song.warnings |= dict(+warnings)
    return song


def count_songs(data: bytes) -> int:
    """Songs in a MIDI file: those of a file of type 2 are its tracks with notes, every other file is one."""
    return max(len(_of_type_2(_unwrapped(data))), 1)


def _of_type_2(data: bytes) -> list[bytes]:
    """The songs of a file of type 2, each a file of type 0; none of any other file."""
    if data[:4] != b"MThd" or data[8:10] != b"\0\2":
        return []
    header, tracks = chunks(data)
    header = header[:8] + b"\0\0\0\1" + header[12:]
    return [joined(header, [track]) for track in tracks if any(0x90 | channel in track for channel in range(16))]


def _scored(data: bytes, source: str) -> tuple[symusic.types.Score, Counter[str]]:
    """A MIDI file as symusic has it, mended where it needs to be, and counts of what was mended or is not used."""
    header, tracks = chunks(data)
    warnings = Counter[str]()
    score = _with_endless_notes(header, tracks)
    if score is None or has_names_elsewhere(tracks) or has_programs_elsewhere(tracks, _defaults(score)):
        mended, warnings = repair(data)
        score = _with_endless_notes(*chunks(mended))
    if score is None:
        try:
            score, warnings = symusic.Score.from_midi(data), Counter()
        except (RuntimeError, ValueError) as cause:
            raise MusicError(f"{source} is not a readable MIDI file: {_reason(cause)}") from cause
    warnings["pedals_ignored"] = sum(len(track.pedals) for track in score.tracks)
    return score, warnings


def _defaults(score: symusic.types.Score) -> int:
    """How many parts have the program of those that set none."""
    return sum(track.program == 0 and not track.is_drum for track in score.tracks)


def _with_endless_notes(header: bytes, tracks: list[bytes]) -> symusic.types.Score | None:
    """A file as symusic has it, with notes without an end, which last `ENDLESS` ticks or longer; None if it fails."""
    score = _parsed(joined(header, with_all_notes_off(tracks))) if tracks else None
    if score is None or not (found := _endless(score)):
        return score
    times = 1
    while max(found.values()) >= times:  # as many as ends were there to take: there may be more
        times *= 16
        score = symusic.Score.from_midi(joined(header, with_all_notes_off(tracks, sorted(found), times)))
        found = _endless(score)
    return score


def _endless(score: symusic.types.Score) -> Counter[int]:
    """Pitches of notes without an end, and how many the track has that has most of them."""
    most: Counter[int] = Counter()
    if score.end() < ENDLESS:
        return most
    for track in score.tracks:
        if track.end() >= ENDLESS:
            notes = track.notes.numpy()
            most |= Counter(notes["pitch"][notes["duration"] >= ENDLESS].tolist())
    return most


def _end_notes(tracks: list[Track]) -> int:
    """End notes without an end, in place, with the next one of their pitch or with their track: how many they were.

    symusic gives an end to the first note of its pitch that lacks one. Of pitches that lack one, each end is given to
    the note that sounds when it comes.
    """
    count = 0
    for track in tracks:
        start, duration = track.notes["start"], track.notes["duration"]
        endless = duration >= ENDLESS
        if not endless.any():
            continue
        count += int(endless.sum())
        last = int((start + duration)[endless].max()) - ENDLESS
        for pitch in np.unique(track.notes["pitch"][endless]).tolist():
            own = np.flatnonzero(track.notes["pitch"] == pitch)
            begin = start[own]
            ends = np.append(np.sort((begin + duration[own])[~endless[own]]), last)
            following = np.append(begin[1:], last)
            until = np.minimum(following, ends[np.minimum(np.searchsorted(ends, begin, "right"), len(ends) - 1)])
            duration[own] = np.maximum(until - begin, 0)
    return count


def _parsed(data: bytes) -> symusic.types.Score | None:
    try:
        return symusic.Score.from_midi(data)
    except (RuntimeError, ValueError):
        return None


def from_abc(text: str, source: str = "ABC music") -> Song:
    """Read one tune in ABC notation, all its voices; `source` names it in errors.

    Raises:
        MusicError: Not ABC, impossible metre or tempo, or it includes another file: whoever sent the text must not
            have files of this machine read.
    """
    if re.search("abc-include", text, re.IGNORECASE):
        raise MusicError(f"{source} includes another file (abc-include); a tune must stand by itself")
    try:
        score = symusic.Score.from_abc(text)
    except (RuntimeError, ValueError) as cause:
        raise MusicError(f"{source} is not readable ABC: {_reason(cause)}") from cause
    if not any(len(track.notes) for track in score.tracks):
        raise MusicError(f"{source} is not readable ABC: no notes found")
    song = from_score(score, source)
    for track in song.tracks:  # abc2midi parts notes by a tick at their beginning
        early = np.minimum(track.notes["start"], 1)
        track.notes["start"] -= early
        track.notes["duration"] += early
    return song


def _unwrapped(data: bytes) -> bytes:
    """The MIDI file inside a RIFF file (`.rmi`), or the data as they are."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        at = data.find(b"data", 12)
        if at >= 0:
            return data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
    return data


def from_score(score: symusic.types.Score, source: str = "the score") -> Song:
    """A symusic Score in ticks as a song; `source` names it in errors.

    Raises:
        MusicError: It has an impossible metre, tempo or resolution.
    """
    try:
        tracks = _read_tracks(score.tracks)
        endless = _end_notes(tracks) if score.end() >= ENDLESS else 0
        return Song(
            ticks_per_quarter=score.ticks_per_quarter,
            tracks=_with_drums(_joined(tracks)),
            tempos=[Tempo(tempo.time, neat_bpm(tempo.mspq)) for tempo in score.tempos],
            metres=[Metre(item.time, item.numerator, item.denominator) for item in score.time_signatures],
            end=max((marker.time for marker in score.markers if marker.text == END_MARKER), default=0),
            warnings={"notes_without_end": endless} if endless else {},
        )
    except MusicError as cause:
        raise MusicError(f"{source}: {cause}") from cause


def to_bytes(song: Song) -> bytes:
    """A standard MIDI file of type 1. Tempos are stored as whole microseconds a quarter, as the format has it."""
    return to_score(song).dumps_midi()


def to_score(song: Song) -> symusic.types.Score:
    """A song as a symusic Score in ticks, with what a MIDI file holds.

    Raises:
        MusicError: MIDI has no such metre or tempo, or the song is too long.
    """
    if song.end > _LAST_TICK:
        raise MusicError(f"the song ends at tick {song.end}; a MIDI file is written up to tick {_LAST_TICK}")
    score = symusic.Score(song.ticks_per_quarter)
    for tick, bpm in song.tempos:
        microseconds = round(_MICROSECONDS / bpm)
        if not 0 < microseconds < 2**24:
            raise MusicError(f"tempo at tick {tick} is {bpm:g}, MIDI holds 3.6 to 60,000,000 quarters a minute")
        score.tempos.append(symusic.Tempo(tick, mspq=microseconds))
    for metre in song.metres:
        if metre.numerator > 255 or metre.denominator > 128:
            raise MusicError(f"metre {metre.numerator}/{metre.denominator}: MIDI is written up to 255/128")
        score.time_signatures.append(symusic.TimeSignature(*metre))
    sounding = 0
    for track in song.tracks:
        score.tracks.append(_written_track(track))
        if len(track.notes):
            sounding = max(sounding, score.tracks[-1].end())
    if song.end > sounding:
        score.markers.append(symusic.TextMeta(song.end, END_MARKER))
    return score


def _read_tracks(tracks: symusic.types.Track) -> list[Track]:
    columns = [track.notes.numpy() for track in tracks]
    sizes = [len(column["time"]) for column in columns]
    notes = np.empty(sum(sizes), NOTE)
    if columns:
        notes["start"] = np.concatenate([column["time"] for column in columns])
        notes["duration"] = np.concatenate([column["duration"] for column in columns])
        # symusic stores 7-bit values as signed bytes; both are 0..127.
        notes["pitch"] = np.concatenate([column["pitch"] for column in columns]).view(np.uint8)
        notes["velocity"] = np.concatenate([column["velocity"] for column in columns]).view(np.uint8)
    kinds = [
        (track.name.strip("\0"), *_instrument(track, size == 0)) for track, size in zip(tracks, sizes, strict=True)
    ]
    return make_tracks(kinds, notes, sizes)


def _with_drums(tracks: list[Track]) -> list[Track]:
    """Tracks of which one that is named as drums is one, though it is not on channel 10, where no other track is.

    Its program says nothing else, and nearly all its pitches are strokes of General MIDI.
    """
    if any(track.is_drum and len(track.notes) for track in tracks):
        return tracks
    for track in tracks:
        if len(track.notes) and _DRUMS.search(track.name) and track.program in (0, *range(115, 120)):
            pitch = track.notes["pitch"]
            track.is_drum = bool(((pitch >= 27) & (pitch <= 87)).mean() >= 0.95)
    return tracks


def _joined(tracks: list[Track]) -> list[Track]:
    """Tracks with those that are one part put together again: symusic makes a track of every program that a part has.

    They follow each other, have one name and several programs, and never sound at once. The part has the program of the
    most notes. Where all melodic tracks have one name, it says nothing.
    """
    names = [track.name for track in tracks if not track.is_drum]
    if len(set(names)) in (0, 1, len(names)):
        return tracks
    joined: list[Track] = []
    last: list[Track] = []
    for track in tracks:
        if last and not _continues(last, track):
            joined.append(_one(last))
            last = []
        last.append(track)
    return [*joined, _one(last)]


def _continues(part: list[Track], track: Track) -> bool:
    if not track.name or track.name != part[0].name or track.is_drum or part[0].is_drum or not len(track.notes):
        return False
    if any(one.program == track.program or not len(one.notes) for one in part):
        return False
    every = [one.notes for one in (*part, track)]
    start, duration = (
        np.concatenate([notes[column] for notes in every]).astype(np.int64) for column in ("start", "duration")
    )
    order = np.argsort(start, kind="stable")
    owner = np.repeat(np.arange(len(every)), [len(notes) for notes in every])[order]
    until = np.maximum.accumulate((start + duration)[order])
    return not ((owner[1:] != owner[:-1]) & (start[order][1:] < until[:-1])).any()


def _one(part: list[Track]) -> Track:
    if len(part) == 1:
        return part[0]
    busiest = max(part, key=lambda track: len(track.notes))
    return Track(busiest.name, busiest.program, False, np.concatenate([track.notes for track in part]))


def _instrument(track: symusic.types.Track, silent: bool) -> tuple[int, bool]:
    """Program and kind of a track; a silent one may have them written out."""
    if silent:
        for lyric in track.lyrics:
            found = _SILENT.fullmatch(lyric.text)
            if found:
                return min(int(found[2]), 127), found[1] == "drums"
    return track.program, track.is_drum


def _written_track(track: Track) -> symusic.types.Track:
    written = symusic.Track(track.name, program=track.program, is_drum=track.is_drum)
    notes = track.notes
    if len(notes) == 0:
        kind = "drums" if track.is_drum else "track"
        written.lyrics.append(symusic.TextMeta(0, f"silent {kind}, program {track.program}"))
        return written
    # A note of no length or no velocity is a note-off to MIDI and would vanish.
    written.notes = symusic.Note.from_numpy(
        np.ascontiguousarray(notes["start"]),
        np.maximum(notes["duration"], 1),
        notes["pitch"].astype(np.int8),
        np.maximum(notes["velocity"], 1).astype(np.int8),
    )
    return written


def neat_bpm(microseconds: int) -> float:
    """Quarters a minute: the neatest number that is stored as these microseconds, so that 97.3 stays 97.3."""
    if microseconds == 0:
        return float("inf")
    exact = _MICROSECONDS / microseconds
    for digits in range(4):
        neat = round(exact, digits)
        if neat > 0 and round(_MICROSECONDS / neat) == microseconds:
            return neat
    return exact


def _reason(cause: Exception) -> str:
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if text.startswith("Process exited"):  # with the paths of this machine
        return "abc2midi gives up on it"
    return text.removeprefix("MiniMidi: ").removesuffix(": iostream error").replace("Invaild", "invalid").rstrip(".! ")
