import json

import numpy as np
import pytest

from musae_tf.errors import RunError
from musae_tf.evaluation import compare_folders, comparison_csv, comparison_table
from musae_tf.evaluation.headlines import HEADLINES, properties_predicted
from musae_tf.evaluation.per_song import ALL, PerSongMetrics

RNG = np.random.default_rng(9)
SONGS = np.repeat([f"song {number}" for number in range(30)], 5)
GENRES = np.where(np.arange(150) < 90, "hymns", "dances")


def per_song(f1: float, asked: float) -> PerSongMetrics:
    book = PerSongMetrics()
    onsets = np.full(150, 20.0)
    book.add("onset_f1", ALL, SONGS, GENRES, f1 * onsets, onsets)
    book.add("samples_as_asked", ALL, SONGS, GENRES, (np.arange(150) % 10 < 10 * asked).astype(float))
    return book


def write_run(folder, f1: float, asked: float, steps: int = 100, **changes):
    book = per_song(f1, asked)
    rows = {key: book.interval(key)._asdict() for key in ("onset_f1", "samples_as_asked")}
    rows["sliced_wasserstein"] = {"value": 1 - f1}
    result = {"format": 2, "quick": False, "steps": 100, "dataset": {"hash": "a"}, "phrases": {"hymns": 90},
              "headlines": rows, **changes}  # fmt: skip
    (folder / "evaluation").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"format": 1, "steps": steps}))
    (folder / "evaluation" / "evaluation.json").write_text(json.dumps(result))
    (folder / "evaluation" / "songs.csv").write_text(book.to_csv())
    return folder


def test_per_song_metrics_come_back_from_their_file(tmp_path):
    book = per_song(0.7, 0.5)
    path = tmp_path / "songs.csv"
    path.write_text(book.to_csv())
    found = PerSongMetrics.read(path)
    assert found.keys == book.keys
    for metric in ("onset_f1", "samples_as_asked"):
        np.testing.assert_allclose(found.interval(metric), book.interval(metric))
        assert found.ratio(metric, genre="dances").value() == pytest.approx(book.ratio(metric, genre="dances").value())
    assert found.ratio("onset_f1", genre="polkas") is None
    assert found.interval("nothing") is None


def test_genres_count_alike_in_a_balanced_metric_and_by_size_in_others():
    book = PerSongMetrics()
    right = (GENRES == "hymns").astype(float)
    for metric in ("genre_probe", "step_accuracy"):
        book.add(metric, ALL, SONGS, GENRES, right)
    assert book.ratio("genre_probe").value() == 0.5
    assert book.ratio("step_accuracy").value() == pytest.approx(0.6)


def test_what_is_missing_is_left_out():
    book = PerSongMetrics()
    book.add("evenness", ALL, SONGS, GENRES, np.where(np.arange(150) % 2, 0.5, np.nan))
    assert book.ratio("evenness").value() == 0.5
    assert book.ratio("evenness").wholes.sum() == 75


@pytest.mark.parametrize("text", ["", "a,b\n", "metric,part,genre,song,above,below\na,b,c\n",
                                  "metric,part,genre,song,above,below\na,b,c,d,x,1\n"])  # fmt: skip
def test_damaged_per_song_metrics_are_said_to_be(tmp_path, text):
    path = tmp_path / "songs.csv"
    path.write_text(text)
    with pytest.raises(RunError, match="damaged"):
        PerSongMetrics.read(path)


def test_runs_side_by_side(tmp_path):
    one, other = write_run(tmp_path / "one", 0.6, 0.5), write_run(tmp_path / "other", 0.7, 0.5)
    comparison = compare_folders([one, other])
    assert comparison.runs == ("one", "other")
    found = comparison.differences["onset_f1", 1]
    assert found.value == pytest.approx(0.1)
    assert found.low > 0
    same = comparison.differences["samples_as_asked", 1]
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    shown = comparison_table(comparison).splitlines()
    assert next(line for line in shown if line.startswith("onset F1 ")).split() == [
        "onset", "F1", "0.600", "0.700", "(+0.100*)", "<"]  # fmt: skip
    wasserstein = next(line for line in shown if line.startswith("sliced"))
    assert wasserstein.endswith("0.300 <")  # the lower one, without an interval
    assert "classified as the target" not in "\n".join(shown)
    lines = comparison_csv(comparison).splitlines()
    assert lines[0].startswith("metric,run,value,low,high,better,difference")
    assert lines[2].startswith("onset_f1,other,0.7,")


def test_runs_of_one_name_are_told_apart(tmp_path):
    paths = [write_run(tmp_path / parent / "run", 0.5, 0.5) for parent in ("a", "b")]
    assert compare_folders(paths).runs == tuple(map(str, paths))


def test_names_of_earlier_versions_are_read_as_those_of_today(tmp_path):
    paths = [write_run(tmp_path / name, 0.5, 0.5) for name in ("old", "new")]
    for path, key in zip(paths, ("interpolation_surprise", "interpolation_nll"), strict=True):
        book = per_song(0.5, 0.5)
        book.add(key, "model", SONGS, GENRES, np.linspace(0, 1, 150))
        (path / "evaluation" / "songs.csv").write_text(book.to_csv())
        file = path / "evaluation" / "evaluation.json"
        result = json.loads(file.read_text())
        result["headlines"][key] = book.interval(key, "model")._asdict()
        file.write_text(json.dumps(result))
    comparison = compare_folders(paths)
    assert comparison.differences["interpolation_nll", 1].value == 0
    assert "negative log-likelihood between the ends" in comparison_table(comparison)


def test_what_cannot_be_compared_is_refused(tmp_path):
    one = write_run(tmp_path / "one", 0.6, 0.5)
    with pytest.raises(RunError, match="twice"):
        compare_folders([one, one])
    for name, changes, message in (
        ("data", {"dataset": {"hash": "b"}}, "not measured on the same phrases"),
        ("quick", {"quick": True}, "musae evaluate"),
        ("old", {"format": 1}, "musae evaluate"),
        ("further", {"steps": 50}, "trained further"),
    ):
        with pytest.raises(RunError, match=message):
            compare_folders([one, write_run(tmp_path / name, 0.6, 0.5, **changes)])
    (one / "evaluation" / "evaluation.json").unlink()
    with pytest.raises(RunError, match="was not evaluated"):
        compare_folders([one])


def test_a_property_counts_if_every_track_that_has_it_predicts_it():
    tables = {"soprano": {"holds": 0.8, "onsets": 0.9, "rests": 0.1}, "drums": {"onsets": 0.6}}
    assert properties_predicted(tables) == 1


def test_headlines_have_one_key_each():
    assert len({headline.key for headline in HEADLINES}) == len(HEADLINES)
