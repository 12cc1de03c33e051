"""The seed corpus, made by the project's own code: `python -m tests.fuzz.seeds` writes it anew."""

from pathlib import Path

from tests import corpus
from tests.data.msd import TRACKS, write_npz, write_song_file

SEEDS = Path(__file__).parent / "seeds"


def write_seeds(root: Path = SEEDS) -> None:
    """Small files of every format: MIDI, pianorolls, MSD song files, label tables, beats."""
    root.mkdir(parents=True, exist_ok=True)
    for name, song in {**corpus.songs(), "short band": corpus.band_song(2)}.items():
        song.write(root / f"{name.replace(' ', '_')}.mid")
    (root / "type_0.mid").write_bytes(corpus.type0_file())
    (root / "running_status.mid").write_bytes(corpus.type1_file_without_metre())
    for name, song in (("band", corpus.band_song(2)), ("drums", corpus.drum_song(2))):
        write_npz(root, TRACKS[0], "made", song).rename(root / f"{name}.npz")
    write_song_file(root, TRACKS[0], ["rock", "blues"], "AR1", "Ann", "One").rename(root / "song.h5")
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    (root / "genres.cls").write_text("# a comment\n" + "".join(f"{track}\tRock\tPop\n" for track in TRACKS))
    (root / "id_list_Rock.txt").write_text("".join(f"{track}\n" for track in TRACKS))
    (root / "labels.csv").write_text("path,labels,group\na.mid,rock;pop,one\nb/c.mid,jazz|live,\n")
    beats = "".join(f"{0.1 + beat * 0.48:.3f} {int(beat % 4 == 1)}\n" for beat in range(20))
    (root / "song.beats.txt").write_text(f"# seconds, down-beat\n{beats}")


if __name__ == "__main__":
    write_seeds()
