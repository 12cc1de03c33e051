import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.data import BandSource, Dataset
from musae_tf.data.band.plan import groove_files
from musae_tf.data.band.songs import find_mma
from musae_tf.errors import DatasetError, MusicError
from tests.corpus import band_song
from tests.data.band.test_mma import needs_mma, program
from tests.data.makers import content


@pytest.fixture
def fake(tmp_path):
    """Options for a program that answers every score with the same MIDI file, and a library of two files."""
    for path in ("stdlib/60srock", "casio/rock1"):
        (tmp_path / "lib" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / f"{path}.mma").touch()
    band_song(3, 0).write(tmp_path / "same.mid")
    copy = f"open('song.mid', 'wb').write(open('{tmp_path}/same.mid', 'rb').read())"
    body = f"print('21.09')\nif '-v' not in sys.argv: {copy}"
    return {"mma": program(tmp_path / "mma", body), "mma_library": str(tmp_path / "lib")}


def test_impossible_number():
    with pytest.raises(DatasetError, match="songs in a genre are 0; allowed: 1 or more"):
        BandSource(songs=0)


def test_songs_go_round_the_files_that_are_there(fake):
    source = BandSource(songs=5, seed=3, **fake)
    items = source.items()
    assert [(item.path, item.label, item.groove_file) for item in items] == [
        ("rock/0000", "rock", "stdlib/60srock"),
        ("rock/0001", "rock", "casio/rock1"),
        ("rock/0002", "rock", "stdlib/60srock"),
        ("rock/0003", "rock", "casio/rock1"),
        ("rock/0004", "rock", "stdlib/60srock"),
    ]
    assert {(item.seed, item.player) for item in items} == {(3, "mma 21.09")}
    missing = sum(map(len, groove_files().values())) - 2
    assert len(source.rejected()) == missing
    assert source.rejected()[0].kind == "groove file not there"
    assert len(source.items()) == 5
    assert len(source.rejected()) == missing


def test_no_known_file(fake, tmp_path):
    for path in Path(fake["mma_library"]).glob("*/*.mma"):
        path.unlink()
    with pytest.raises(DatasetError, match="none of the groove files"):
        BandSource(**fake).items()


def test_songs_that_come_out_badly(fake):
    source = BandSource(songs=1, **fake)
    (item,) = source.items()
    with pytest.raises(MusicError, match=r"rock/0000 over stdlib/60srock, attempt 3: mma made \d+\.\d bars of \d+"):
        source.load(item)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("after", ["sys.exit(1)", "__import__('os').remove(sys.argv[0])"])
def test_program_that_goes_away(fake, tmp_path, capsys, after, workers):
    """The build ends with a sentence: songs that nobody could play are no bad songs."""
    body = f"if '-v' in sys.argv and not __import__('os').path.exists('{tmp_path}/gone'): print('21.09')"
    mma = program(tmp_path / "leaving", f"{body}\nelse:\n    open('{tmp_path}/gone', 'w')\n    {after}")
    command = ["data", "build", "band", "--mma", mma, "--mma-library", fake["mma_library"], "--songs", "40"]
    assert main([*command, "--workers", workers, "--out", str(tmp_path / "out")]) == 2
    assert "install it with" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_another_seed_or_label_is_another_item(fake, tmp_path):
    """So that a build never goes on with parts of another one."""
    (tmp_path / "lib/pflib").mkdir()
    (tmp_path / "lib/pflib/metal1.mma").touch()

    def items(**options):
        return {item.path: item for item in BandSource(songs=2, **fake, **options).items()}

    assert not set(items(seed=1).values()) & set(items(seed=2).values())
    assert items()["hardrock/0000"].label == "rock"
    assert items(fine=True)["hardrock/0000"].label == "hardrock"


# --- with the real program --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A library of a few real files, two of them twins in different genres."""
    library = tmp_path_factory.mktemp("library")
    real = Path(find_mma().library)
    for path in ("stdlib/60srock", "stdlib/blues128", "stdlib/ballad128", "casio/blues", "casio/pop", "stdlib/swing"):
        (library / path).parent.mkdir(exist_ok=True)
        (library / f"{path}.mma").symlink_to(real / f"{path}.mma")
    (library / "zoom").symlink_to(real / "zoom")
    return str(library)


@needs_mma
def test_songs(few):
    source = BandSource(songs=1, mma_library=few)
    items = source.items()
    assert {item.label for item in items} == {"rock", "pop", "blues", "ballad", "jazz"}
    copy = pickle.loads(pickle.dumps(source))
    for item in items:
        piece = source.load(item)
        assert piece.labels == (item.label,)
        assert piece.hints[0].startswith("groove family ")
        assert [track.is_drum for track in piece.song.tracks] == [True, False, False, False]
        for track, programs in zip(piece.song.tracks[1:], (range(32, 40), range(32), range(40, 128)), strict=True):
            assert track.program in programs
    assert copy.load(items[0]).song == source.load(items[0]).song
    other = BandSource(songs=1, seed=2, mma_library=few)
    assert other.load(other.items()[0]).song != source.load(items[0]).song


@needs_mma
def test_dataset(few, tmp_path, monkeypatch, capsys):
    """The same bytes whatever the workers; four parts that sound; twins in one part of the split."""
    monkeypatch.setattr(sys.modules["musae_tf.data.build"], "CHUNK", 4)
    command = ["data", "build", "band", "--songs", "3", "--mma-library", few, "--fine", "--seed", "2"]
    for workers in ("1", "2"):
        assert main([*command, "--workers", workers, "--out", str(tmp_path / workers / "band")]) == 0
    assert content(tmp_path / "1" / "band") == content(tmp_path / "2" / "band")
    dataset = Dataset.open(tmp_path / "1" / "band", verify=True)
    assert dataset.genres == ("ballad", "blues", "jazz", "pop", "rock")
    assert dataset.layout.name == "band"
    assert "GPL" in dataset.manifest["licence"]
    assert dataset.manifest["rejected"] == {"groove file not there": sum(map(len, groove_files().values())) - 6}
    silence = np.array([0, 128, 128, 128])
    together = (dataset.tokens != silence).any(axis=1).all(axis=1)
    assert together.mean() > 0.8
    assert all(together[first : first + bars].mean() > 0.4 for _, first, bars in dataset.runs)

    family = {file.path: file.family for files in groove_files().values() for file in files}
    group = {}
    for song in dataset.songs:
        group.setdefault(family[song["title"].partition(":")[0]], set()).add((song["group"], song["split"]))
    assert all(len(one) == 1 for one in group.values())
    assert len(group) == len(set().union(*group.values())) == 5  # groups are families, and nothing else is one
    capsys.readouterr()
    assert main([*command, "--out", str(tmp_path / "1" / "band")]) == 0
    assert "is already built" in capsys.readouterr().out
