from collections import Counter

from musae_tf.data.band.genres import HARMONY
from musae_tf.data.band.plan import MERGED, TEMPO, groove_files


def every():
    return [file for files in groove_files().values() for file in files]


def test_fourteen_genres_merge_to_eight():
    assert len(MERGED) == 14
    assert len(set(MERGED.values())) == 8
    assert set(groove_files()) == set(MERGED) == set(HARMONY) == set(TEMPO)


def test_a_file_has_one_genre_and_grooves():
    files = every()
    assert max(Counter(file.path for file in files).values()) == 1
    for file in files:
        assert file.main
        assert all(name.startswith(f"{file.path}:") for name in file.main)
        assert all(1 <= groove.bars <= 4 for groove in (*file.intro, *file.end))
        assert all(1 <= groove.bars <= 2 for groove in file.fill)


def test_families_share_no_drum_pattern():
    """Songs of two families may be in two parts of the split."""
    owner = {}
    for file in every():
        for pattern in file.drums:
            assert owner.setdefault(pattern, file.family) == file.family


def test_twins_are_one_family_even_across_genres():
    family = {file.path: file.family for file in every()}
    assert family["stdlib/blues128"] == family["stdlib/ballad128"]
    assert family["pflib/metal1"] == family["pflib/highfive"] != family["pflib/8beat1"]
    assert len(set(family.values())) >= 150


def test_a_genre_can_be_split_by_family():
    for genre, files in groove_files().items():
        assert len({file.family for file in files}) >= 4, genre
