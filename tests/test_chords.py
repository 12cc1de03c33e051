"""The whole chain on music in 3/4 with chords and dynamics: dataset, training, export, server, client, studio."""

from contextlib import closing

import grpc
import numpy as np
import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from musae_tf.client import MusaeClient
from musae_tf.config import load_config
from musae_tf.data import Dataset, FolderSource, build
from musae_tf.musae import Musae
from musae_tf.music import Metre, Song, Tempo, Track
from musae_tf.music.named_layouts import get_layout
from musae_tf.protocol.services import PREDICT
from musae_tf.studio.embedded import MODEL
from musae_tf.training import Run, train
from tests.conftest import CONFIGS
from tests.corpus import notes
from tests.server.client import predict_request
from tests.server.oracle import Oracle
from tests.studio.driver import Studio

LAYOUT = """
tracks:
  - {name: drums, program: 0, rule: drums, dynamics: true}
  - {name: piano, program: 0, rule: others, voices: 3, dynamics: true}
"""
BAR = 1440


def waltz(seed: int, bars: int = 8) -> Song:
    """A bass note and chords on the piano, louder in each bar's first beat, a kick and two hi-hats."""
    rng = np.random.default_rng(seed)
    piano, drums = [], []
    for bar in range(bars):
        start, root = bar * BAR, int(rng.integers(40, 60))
        piano.append((start, 480, root - 12, 110))
        for beat in (1, 2):
            chord = root + np.cumsum(rng.integers(2, 6, 3))
            piano += [(start + beat * 480, 240, int(pitch), int(rng.integers(30, 60))) for pitch in chord]
        drums += [(start, 120, 36, 120), *((start + beat * 480, 120, 42, 50) for beat in (1, 2))]
    tracks = [Track("kit", 0, True, notes(*drums)), Track("piano", 0, False, notes(*piano))]
    return Song(480, tracks, [Tempo(0, 150.0)], [Metre(0, 3, 4)], bars * BAR, f"waltz {seed}")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("chords")
    (folder / "own.yaml").write_text(LAYOUT)
    for number in range(12):
        path = folder / "songs" / ("vienna" if number % 2 else "paris") / f"{number}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        waltz(number).write(path)
    layout = get_layout(folder / "own.yaml", grid="3/4x4")
    build(FolderSource(folder / "songs"), folder / "dataset", layout, workers=1)
    dataset = Dataset.open(folder / "dataset", verify=True)
    assert dataset.tokens.shape[1:] == (12, 6)
    changes = [
        f"data.path={dataset.path}", f"music.layout={folder / 'own.yaml'}", "music.grid=3/4x4", "training.steps=6",
        "model.decoder=autoregressive", "model.hidden_parts=true", "model.latent=12", "training.evaluate_phrases=8",
        "prior.fitted=true",
    ]  # fmt: skip
    config = load_config(CONFIGS / "tiny.yaml", changes)
    from musae_tf.evaluation import QuickEvaluator

    run = Run.create(folder / "run", config, dataset)
    assert train(run, dataset, QuickEvaluator(run, dataset)) == 0
    return run


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    from musae_tf.export import export_run

    folder = tmp_path_factory.mktemp("export") / "waltzes"
    with pytest.MonkeyPatch.context() as patch:
        # It asks all signatures in a fresh process. Here the server is asked for what the run answers.
        patch.setattr("musae_tf.export.version.verify", lambda *what: None)
        export_run(run, folder)
    return folder


@pytest.fixture(scope="module")
def studio(folder):
    with closing(Studio(str(folder))) as one:
        yield one.wait()


def test_an_evaluation_reports_tracks_and_voices(run):
    from musae_tf.evaluation import evaluate_run

    result = evaluate_run(run, Dataset.open(run.config.data.path), quick=True, log=lambda text: None)
    assert set(result["reconstruction"]["model"]["onset_f1"]) == {"all", "drums", "piano"}


def test_the_music_is_the_same_here_and_on_the_server(run, studio, tmp_path):
    waltz(99).write(tmp_path / "mine.mid")
    here = Musae.from_run(run.path)
    with MusaeClient(studio.socket, MODEL) as there:
        one, other = (musae.sample("paris", bars=4, temperature=1.0, seed=3) for musae in (here, there))
        assert one == other
        assert one.metres == [Metre(0, 3, 4)]
        one, other = (musae.reconstruct(tmp_path / "mine.mid", temperature=0.5, seed=1) for musae in (here, there))
        assert one == other
        layout = there.describe().layout
    assert (layout.time.name, layout.tracks[1].voices) == ("3/4x4", 3)
    assert [track.name for track in one.tracks] == ["kit", "piano"]


def test_bars_and_tracks_are_filled_the_same_and_the_rest_stays_as_it_was(run, studio):
    """A kit, then chords, with how loud they are: beside what is known of other tracks and of their own."""
    song, here = waltz(99), Musae.from_run(run.path)
    with MusaeClient(studio.socket, MODEL) as there:
        for number, track in enumerate(("drums", "piano")):
            one, other = (musae.fill(song, "3-4", track, temperature=1.0, seed=3) for musae in (here, there))
            assert one == other
            assert one.tracks[1 - number] == song.tracks[1 - number]
            before, now = (part.tracks[number].notes for part in (song, one))
            outside = [notes[(notes["start"] < 2 * BAR) | (notes["start"] >= 4 * BAR)] for notes in (before, now)]
            np.testing.assert_array_equal(*(np.sort(notes) for notes in outside))
            assert len(now) > len(outside[1])
            assert not np.array_equal(np.sort(before), np.sort(now))


@pytest.fixture(scope="module")
def oracle(folder) -> tuple[Oracle, dict]:
    """TensorFlow's C API on the export, and the names of what its signatures take and give."""
    version = folder / "1"
    model = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    return Oracle(version), model.meta_graphs[0].signature_def


TOKENS = np.zeros((2, 24, 6), np.int32)
REQUESTS = {
    "tokens": ("encode", {"tokens": TOKENS}),
    "of another type": ("encode", {"tokens": TOKENS.astype(np.float32)}),
    "of four voices in 4/4": ("encode", {"tokens": TOKENS[:, :, :4]}),
    "of no row": ("encode", {"tokens": TOKENS[:0]}),
    "of no instrument": ("encode", {"tokens": TOKENS + 9999}),
    "of less than nothing": ("encode", {"tokens": TOKENS - 1}),
    "that are no batch": ("encode", {"tokens": TOKENS[0]}),
}


@pytest.mark.parametrize(("signature", "inputs"), REQUESTS.values(), ids=REQUESTS)
def test_chords_and_dynamics_are_answered_as_tensorflow_does(oracle, studio, signature, inputs):
    session, signatures = oracle
    definition = signatures[signature]
    output = min(definition.outputs)
    feeds = {definition.inputs[name].name: array for name, array in inputs.items()}
    code, message = session.run(feeds, definition.outputs[output].name)
    request = predict_request(signature, model=MODEL, **inputs)
    request.output_filter.append(output)
    with grpc.insecure_channel(studio.socket) as channel:
        predict = channel.unary_unary(PREDICT.path, type(request).SerializeToString, PREDICT.response.FromString)
        if code == 0:
            assert predict(request, timeout=60).outputs[output].tensor_shape.dim[0].size == len(inputs["tokens"])
            return
        with pytest.raises(grpc.RpcError) as failed:
            predict(request, timeout=60)
    assert (failed.value.code().value[0], failed.value.details()) == (code, message)


def test_the_page_shows_chords_and_how_loud_they_are(studio, browser):
    page = browser.new_page()
    page.set_default_timeout(180_000)
    try:
        page.goto(studio.url)
        page.get_by_role("slider", name="Temperature").fill("1")
        page.get_by_role("button", name="Sample", exact=True).click()
        page.locator(".player svg g rect").first.wait_for()
        address = page.get_by_role("link", name="MIDI").get_attribute("href")
        data = page.evaluate("async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]", address)
        song = Song.read(bytes(data))
        shown = page.eval_on_selector_all(".player g rect", "all => all.map((one) => +one.getAttribute('opacity'))")
        heard = np.concatenate([track.notes["velocity"] for track in song.tracks])
        assert len(set(heard.tolist())) > 1
        np.testing.assert_allclose(shown, 0.3 + 0.7 * heard / 127, atol=1e-6)
        assert page.locator(".player .bar-number").all_text_contents() == [str(bar + 1) for bar in range(8)]
    finally:
        page.close()
