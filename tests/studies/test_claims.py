"""The study of the paper's claims: its cells, one of them for real, and the page."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from musae_tf.config import config_hash, load_config
from musae_tf.data import TrainingBatches
from musae_tf.evaluation import report
from studies.claims import page, run
from studies.claims.cells import FRONTIER, PRESET, SEEDS, SYSTEMS, Cell, cells
from studies.claims.labels import LABELS, OneLabel, ShuffledLabels

TINY = [
    "model.latent=16", "model.embedding=4", "model.encoder_units=8", "model.decoder_units=8", "data.sounding=any",
    "training.steps=4", "training.batch_size=16", "training.log_every=2", "training.evaluate_phrases=64",
    "prior.axes=2",
]  # fmt: skip


def test_every_system_has_its_seeds_and_the_frontier_its_weights():
    names = [cell.name for cell in cells()]
    assert len(names) == len(set(names)) == len(SYSTEMS) * len(SEEDS) + sum(len(f) - 1 for f in FRONTIER.values())
    assert all(len(factors) >= 3 and 1.0 in factors for factors in FRONTIER.values())
    kinds = {Cell(system, 1).config().model.kind for system in SYSTEMS}
    assert kinds == {"musae_gm", "musae", "vae", "cvae", "autoencoder"}


def test_all_systems_have_the_same_budget_data_and_sizes():
    shared = [
        (c.music, c.data, c.training, c.model.latent, c.model.encoder_units, c.model.decoder_units)
        for c in (Cell(system, 1).config() for system in SYSTEMS)
    ]
    assert all(one == shared[0] for one in shared)
    assert shared[0][2].deterministic
    assert not shared[0][2].minutes, "a limit in minutes would depend on the machine"


def test_the_schedule_is_at_the_same_shares_of_any_training():
    preset = load_config(PRESET)
    for steps in (3000, 1000, 10):
        share = steps / preset.training.steps
        expected = [(round(step * share), weight) for step, weight in preset.regularisation.weight_schedule]
        assert list(Cell("musae", 1).config((f"training.steps={steps}",)).regularisation.weight_schedule) == expected
    assert Cell("vae", 1).config().regularisation.weight_schedule == ((0, 0.0), (600, 0.2))
    assert Cell("vae", 1).config(("training.steps=300",)).regularisation.weight_schedule == ((0, 0.0), (120, 0.2))
    weights = [weight for _, weight in Cell("vae", 1, 2.5).config(("training.steps=2",)).regularisation.weight_schedule]
    assert weights == [0.0, 0.5]


def test_what_is_drawn_from_is_what_the_system_is_named_for():
    fitted = {system: Cell(system, 1).config().prior.fitted for system in SYSTEMS}
    assert not any(fitted[system] for system in ("musae_gm_paper", "musae_gm_step", "cvae"))


def test_the_hash_tells_configurations_apart_but_not_where_the_data_lies():
    one = config_hash(Cell("vae", 1).config())
    assert one == config_hash(Cell("vae", 1).config(("data.path=elsewhere",)))
    others = {config_hash(c.config()) for c in cells()}
    assert len(others) == len(cells())
    assert one in others


def test_other_labels_are_told_and_the_phrases_stay(tiny_dataset):
    index = tiny_dataset.phrases("train", 2, sounding="any")
    true, shuffled, one = (made(index, 32, 7) for made in (TrainingBatches, ShuffledLabels, OneLabel))
    differ = 0
    for step in range(20):
        tokens, genre = true.batch(step)
        for other in (shuffled, one):
            np.testing.assert_array_equal(other.batch(step)[0], tokens)
        assert not one.batch(step)[1].any()
        differ += (shuffled.batch(step)[1] != genre).sum()
    assert differ
    # A song has one label, whatever phrase of it is asked for.
    told = shuffled.told(np.arange(len(index)), index.labels.argmax(axis=1))
    assert len({(song, label) for song, label in zip(index.songs, told, strict=True)}) == len(np.unique(index.songs))
    assert set(LABELS) < set(SYSTEMS)


@pytest.fixture(scope="module")
def results(tiny_dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    changes = [part for change in TINY for part in ("--set", change)]
    paths = ["--dataset", str(tiny_dataset.path), "--results", str(folder), "--runs", str(folder / "runs")]
    command = ["--cells", "vae-seed-1", *changes, *paths]
    with pytest.MonkeyPatch.context() as patch:
        # What a full evaluation measures is tests/evaluation's matter.
        patch.setattr(report, "_FULL", tuple(row for row in report._FULL if row[0] == "genre_classifier"))
        assert run.main(command) == 0
    file = folder / "cells" / "vae-seed-1.json"
    written = file.read_bytes()
    assert run.main(command) == 0  # nothing to do
    assert file.read_bytes() == written
    return folder


def test_a_cell_carries_what_made_it(results, tiny_dataset):
    cell = json.loads((results / "cells" / "vae-seed-1.json").read_text())
    assert (cell["system"], cell["seed"], cell["factor"], cell["steps"]) == ("vae", 1, 1.0, 4)
    assert cell["dataset_hash"] == tiny_dataset.hash
    assert cell["config_hash"] == config_hash(Cell("vae", 1).config(tuple(TINY)))
    assert "--cells vae-seed-1 --set model.latent=16" in cell["command"]
    assert {"tensorflow", "keras", "python"} <= set(cell["versions"])
    assert cell["weights"] > 0
    assert 0 <= cell["evaluation"]["reconstruction"]["model"]["onset_f1"]["all"] <= 1


def with_seeds(results: Path, folder: Path, shifts: dict[str, list[float]]) -> Path:
    """Cells made of the real one, with other names, seeds and onset F1."""
    cell = json.loads((results / "cells" / "vae-seed-1.json").read_text())
    (folder / "cells").mkdir()
    for system, values in shifts.items():
        for seed, value in enumerate(values, 1):
            cell["evaluation"]["headlines"] = {"onset_f1": {"value": value}}
            cell |= {"cell": f"{system}-seed-{seed}", "system": system, "seed": seed, "factor": 1.0}
            (folder / "cells" / f"{cell['cell']}.json").write_text(json.dumps(cell))
    return folder


def test_the_page_marks_the_best_and_what_cannot_be_told_from_it(results, tmp_path):
    folder = with_seeds(
        results,
        tmp_path,
        {"musae_gm": [0.80, 0.82, 0.84], "vae": [0.81, 0.79, 0.83], "autoencoder": [0.5, 0.51, 0.52]},
    )
    assert page.main(["--results", str(folder)]) == 0
    written = json.loads((folder / "claims.json").read_text())
    assert written["cells"]["vae-seed-2"]["command"].startswith("python studies/claims/run.py")
    table = written["table"]
    best, close, far = (table[system]["onset_f1"] for system in ("musae_gm", "vae", "autoencoder"))
    assert (best["best"], best["as_good"], best["values"]) == (True, False, [0.80, 0.82, 0.84])
    assert (close["best"], close["as_good"]) == (False, True)
    assert (far["best"], far["as_good"]) == (False, False)
    lines = list(csv.DictReader((folder / "claims.csv").open()))
    assert len(lines) == 9
    assert {line["onset_f1"] for line in lines if line["system"] == "autoencoder"} == {"0.5", "0.51", "0.52"}
    first = written["bars"][0]
    assert (first["text"], first["met"]) == ("onset F1 above that of the VAE", False)
    assert first["value"] == pytest.approx(0.82 - 0.81)
    text = (folder / "index.html").read_text()
    assert "<td>0.010</td><td>0.05</td><td>missed</td>" in text
    assert '<td class="best">0.820 ± 0.020</td>' in text
    assert "http" not in text.replace("data:image/png;base64,", ""), "the page needs no other"


def test_mistakes_are_a_sentence(results, tmp_path, capsys):
    assert page.main(["--results", str(tmp_path)]) == 2
    assert "no cell in" in capsys.readouterr().err
    assert run.main(["--cells", "vea-*"]) == 2
    assert "no cell is called vea-*" in capsys.readouterr().err
    assert run.main(["--dataset", str(tmp_path / "none")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_cells_that_were_measured_are_known_again_after_keys_were_renamed():
    for cell in cells():
        stored = run.RESULTS / "cells" / f"{cell.name}.json"
        if stored.exists():
            assert json.loads(stored.read_text())["config_hash"] == config_hash(cell.config()), cell.name
