import gc
import pickle
import subprocess
import sys

import pytest

from musae_tf.data import CorpusSource
from musae_tf.data import corpus as module
from musae_tf.errors import DatasetError, MusicError
from tests.data.documents import attributes, kern, line, mxl, quartet

MASS = kern(
    "!!!OPR: Missa Brevis",
    "!!!OTL: Kyrie",
    "**kern **kern **kern **kern",
    "*G:dor *G:dor *G:dor *G:dor",
    "*M4/2 *M4/2 *M4/2 *M4/2",
    "0G 0d 0g 0b-",
    "=1 =1 =1 =1",
    "0C 0e 0g 0cc",
    "*- *- *- *-",
)
FIVE = kern("**kern **kern **kern **kern **kern", "0G 0G 0d 0g 0b-")
MINOR = "<key><fifths>3</fifths><mode>minor</mode></key>"


@pytest.fixture
def folder(tmp_path):
    score = quartet(attributes(extra=MINOR) + line("C4 D4 E4 F4"))
    files = {
        "bach/bwv66.6.mxl": mxl({"score.xml": score}, "score.xml"),
        "bach/bwv67.4.xml": score,
        "bach/bwv277.krn": MASS,
        "bach/broken.mxl": mxl({"score.xml": score})[:-40],
        "haydn/opus74no1/movement4.mxl": mxl({"score.xml": score}),
        "schumann_robert/song.mxl": mxl({"score.xml": quartet(line("C4"), names="Voice Piano")}),
        "palestrina/Kyrie_00.krn": MASS,
        "palestrina/Kyrie_01.krn": FIVE,
        "monteverdi/madrigal.4.20.mxl": mxl({"score.xml": score}),
        "joplin/maple_leaf.mxl": mxl({"score.xml": score}),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def test_items_are_sorted_small_and_the_same_each_time(folder):
    items = CorpusSource(folder).items()
    assert [(item.label, item.path) for item in items] == [
        ("bach", "bach/broken.mxl"),
        ("bach", "bach/bwv66.6.mxl"),
        ("bach", "bach/bwv67.4.xml"),
        ("monteverdi", "monteverdi/madrigal.4.20.mxl"),
        ("palestrina", "palestrina/Kyrie_00.krn"),
        ("quartet", "haydn/opus74no1/movement4.mxl"),
        ("quartet", "schumann_robert/song.mxl"),
    ]
    assert all(item.size == (folder / item.path).stat().st_size for item in items)
    assert items == CorpusSource(folder).items()
    assert pickle.loads(pickle.dumps(items)) == items


def test_masses_of_other_than_four_voices_are_reported(folder):
    source = CorpusSource(folder)
    source.items()
    source.items()
    (rejection,) = source.rejected()
    assert rejection.source == "palestrina/Kyrie_01.krn"
    assert "5 voices" in rejection.reason
    assert rejection.kind == "not in four voices"


def load(source: CorpusSource, path: str):
    return source.load(next(item for item in source.items() if item.path == path))


def test_pieces_know_their_class_key_title_and_mass(folder):
    source = pickle.loads(pickle.dumps(CorpusSource(folder)))
    bach = load(source, "bach/bwv66.6.mxl")
    assert (bach.id, bach.source, bach.labels, bach.hints) == ("bach/bwv66.6.mxl", "bach/bwv66.6.mxl", ("bach",), ())
    assert (bach.key, bach.title, bach.song.name) == ("F# minor", "Bach: BWV 66.6", "Bach: BWV 66.6")
    mass = load(source, "palestrina/Kyrie_00.krn")
    assert (mass.labels, mass.hints) == (("palestrina",), ("palestrina mass Missa Brevis",))
    assert (mass.key, mass.title) == ("G dorian", "Palestrina: Missa Brevis, Kyrie")
    assert mass.song.metres == [(0, 4, 4)]
    haydn = load(source, "haydn/opus74no1/movement4.mxl")
    # The mode in these files is what the exporter writes when nobody told it.
    assert (haydn.labels, haydn.key, haydn.title) == (("quartet",), None, "Haydn: op. 74 no. 1, movement 4")
    assert load(source, "monteverdi/madrigal.4.20.mxl").title == "Monteverdi: madrigal 4.20"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("bach/broken.mxl", "damaged"),
        ("schumann_robert/song.mxl", "four sounding parts are needed, found 2"),
    ],
)
def test_errors_name_the_score_once(folder, path, reason):
    assert gc.isenabled()
    with pytest.raises(MusicError, match=reason) as caught:
        load(CorpusSource(folder), path)
    assert str(caught.value).count(path) == 1
    assert gc.isenabled()


def test_a_score_that_has_gone_is_a_music_error(folder):
    source = CorpusSource(folder)
    items = source.items()
    (folder / "bach/bwv66.6.mxl").unlink()
    with pytest.raises(MusicError, match=r"cannot read .*bwv66\.6\.mxl"):
        source.load(items[1])


def test_without_music21_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"pip install 'musae-tf\[corpus\]'"):
        CorpusSource().items()


def test_a_folder_without_scores_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no scores in"):
        CorpusSource(tmp_path).items()


def test_the_source_is_known_by_name(folder):
    source = CorpusSource(folder=folder)
    assert (source.name, source.layout) == ("corpus", "voices")
    assert "music21" in source.licence


def test_music21_is_never_imported(folder):
    program = (
        "import sys; from musae_tf.data.corpus import CorpusSource; source = CorpusSource(sys.argv[1]);"
        "source.load(source.items()[1]); assert not {'music21', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)
