"""The served functions: the live model's answers, each row for itself, and refusal of what makes no sense."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.export import ModelSignatures
from musae_tf.export.signatures import ARC, BLOCK, DEFAULT, SERVING_DEFAULT
from musae_tf.export.verify import SCRIPT, example
from musae_tf.models import MusAE

MUSIC = ("decode", "sample", "reconstruct", "interpolate", ARC, "transfer", "change")


def joined(requests):
    """Inputs or outputs of several requests as one batch."""
    return {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}


def live(model, attributes, signature: str, inputs) -> dict[str, np.ndarray]:
    """The answer in the terms of MusAE's own methods, in blocks as the networks see them when served."""
    rows = len(next(iter(inputs.values())))
    filled = {key: np.pad(a, [(0, -rows % BLOCK), *[(0, 0)] * (a.ndim - 1)]) for key, a in inputs.items()}

    @tf.function(autograph=False)
    def block(x):
        def music(latent, trust=None):
            return {"tokens": model.decode(latent, x["temperature"], x["seed"], trust)[0], "latent": latent}

        if signature == "encode":
            mean, deviation = model.encode(x["tokens"])
            scores = model.prior.genre_scores(mean)
            return {"mean": mean, "log_variance": tf.math.log(deviation**2), "genre_scores": scores}
        if signature == "decode":
            tokens, log_probability = model.decode(x["latent"], x["temperature"], x["seed"])
            return {"tokens": tokens, "log_probability": log_probability}
        if signature == "sample":
            return music(model.sample_latent(x["genre"], x["seed"]))
        if signature == "reconstruct":
            return music(model.encode(x["tokens"])[0])
        if signature in ("interpolate", ARC):
            path = "spherical" if signature == ARC else "linear"
            ends = (model.encode(x[end])[0] for end in ("start", "end"))
            return music(model.interpolate_latent(*ends, x["position"], path), model.interpolation_trust(x["position"]))
        latent = model.encode(x["tokens"])[0]
        if signature == "change":
            changes = {name: x["amounts"][:, number] for number, name in enumerate(attributes.names)}
            for name, amount in changes.items():
                latent += amount[:, tf.newaxis] * attributes.directions[attributes.number(name)]
            return music(latent)
        moved = model.transfer_latent(latent, x["source"], x["target"], x["strength"])
        return music(moved, model.transfer_trust(x["strength"]))

    parts = []
    for first in range(0, rows, BLOCK):
        answer = block({key: tf.constant(array[first : first + BLOCK]) for key, array in filled.items()})
        parts.append({name: tensor.numpy() for name, tensor in answer.items()})
    return {name: array[:rows] for name, array in joined(parts).items()}


def test_a_process_without_musae_gives_the_live_models_answers(
    exported, model, songs, attributes, signatures, tmp_path
):
    random = np.random.default_rng(3)
    archive, names = {}, []
    for name, signature in signatures.items():
        asked = [example(model, signature, int(rows), random) for rows in random.integers(1, 4, size=100)]
        if name == "describe":
            text = np.bytes_((exported.folder / "assets.extra" / "musae.json").read_bytes().rstrip(b"\n"))
            answers = {"metadata": np.full(sum(len(inputs["request"]) for inputs in asked), text)}
        elif name == "map":
            points = joined(asked)["point"]
            titles = np.array([title.encode() for title in songs.title])
            answers = {"position": songs.position[points], "genre": songs.genre[points], "title": titles[points],
                       "latent": songs.latent[points]}  # fmt: skip
        else:
            answers = live(model, attributes, name, joined(asked))
        first = 0
        for inputs in asked:
            last = first + len(next(iter(inputs.values())))
            for side, arrays in (("inputs", inputs), ("outputs", {k: a[first:last] for k, a in answers.items()})):
                archive |= {f"{len(names)}.{side}.{key}": array for key, array in arrays.items()}
            names.append(name)
            first = last
    assert len(names) == 100 * len(signatures)

    np.savez(tmp_path / "requests.npz", signatures=np.array(names), **archive)
    command = [sys.executable, "-I", str(SCRIPT), str(exported.folder), str(tmp_path / "requests.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, 2 * len(names) * ".\n"), done.stderr


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize("name", ["encode", *MUSIC])
def test_a_row_gives_the_same_whatever_it_is_batched_with(session, model, signatures, name, temperature):
    random = np.random.default_rng(4)
    inputs = example(model, signatures[name], 32, random)
    if "temperature" in inputs:
        inputs["temperature"][:] = temperature
    together = session(name, inputs)
    order = random.permutation(32)[:21]
    shuffled = session(name, {key: array[order] for key, array in inputs.items()})
    for key, array in together.items():
        np.testing.assert_array_equal(shuffled[key], array[order])
    for row in (0, 13, 31):
        alone = session(name, {key: array[row : row + 1] for key, array in inputs.items()})
        for key, array in together.items():
            # To the last bit: a difference in it can turn an even choice.
            np.testing.assert_array_equal(alone[key][0], array[row])


def test_a_row_gives_the_same_beside_other_requests_at_the_same_time(session, model, signatures):
    inputs = example(model, signatures["reconstruct"], 32, np.random.default_rng(8))
    expected = session("reconstruct", inputs)

    def ask(number: int) -> None:
        rows = slice(number % 31, number % 31 + 1 + number % 5)
        answer = session("reconstruct", {key: array[rows] for key, array in inputs.items()})
        for key, array in expected.items():
            np.testing.assert_array_equal(answer[key], array[rows])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(64)))


def test_seeds_and_temperatures_belong_to_the_rows(session, model, signatures):
    one = example(model, signatures["sample"], 1, np.random.default_rng(5))
    inputs = {key: np.repeat(array, 4, axis=0) for key, array in one.items()}
    inputs["temperature"] = np.float32([0.9, 0.9, 0.9, 0.0])
    inputs["seed"] = np.int32([[1, 2], [1, 2], [1, 3], [1, 2]])
    answer = session("sample", inputs)
    np.testing.assert_array_equal(answer["tokens"][0], answer["tokens"][1])
    np.testing.assert_array_equal(answer["latent"][0], answer["latent"][3])
    assert (answer["tokens"][0] != answer["tokens"][3]).any()
    assert (answer["latent"][0] != answer["latent"][2]).any()


def test_signatures_agree_with_each_other(session, model, signatures):
    random = np.random.default_rng(6)
    dice = {key: example(model, signatures["decode"], 5, random)[key] for key in ("temperature", "seed")}
    sampled = session("sample", {"genre": np.int32([0, 1, 0, 1, 1]), **dice})
    decoded = session("decode", {"latent": sampled["latent"], **dice})
    np.testing.assert_array_equal(decoded["tokens"], sampled["tokens"])

    moved = example(model, signatures["transfer"], 5, random) | dice
    rebuilt = session("reconstruct", {"tokens": moved["tokens"], **dice})
    encoded = session("encode", {"tokens": moved["tokens"]})
    np.testing.assert_array_equal(rebuilt["latent"], encoded["mean"])
    unnamed = session(SERVING_DEFAULT, {"tokens": moved["tokens"], **dice})
    assert DEFAULT == "reconstruct"
    np.testing.assert_array_equal(unnamed["tokens"], rebuilt["tokens"])
    still = session("transfer", {**moved, "strength": np.zeros(5, np.float32)})
    np.testing.assert_array_equal(still["tokens"], rebuilt["tokens"])
    inferred = session("transfer", {**moved, "source": np.full(5, -1, np.int32)})
    likeliest = np.argmax(encoded["genre_scores"], axis=-1).astype(np.int32)
    np.testing.assert_array_equal(inferred["tokens"], session("transfer", {**moved, "source": likeliest})["tokens"])

    other = example(model, signatures["reconstruct"], 5, random)["tokens"]
    ends = {"start": moved["tokens"], "end": other, **dice}
    for path in ("interpolate", ARC):
        at_start = session(path, {**ends, "position": np.zeros(5, np.float32)})
        np.testing.assert_array_equal(at_start["tokens"], rebuilt["tokens"])
        at_end = session(path, {**ends, "position": np.ones(5, np.float32)})
        np.testing.assert_allclose(at_end["latent"], session("encode", {"tokens": other})["mean"], atol=1e-5)


@pytest.mark.parametrize("name", ["encode", *MUSIC, "describe", "map"])
def test_no_rows_are_no_error(session, model, signatures, name):
    answer = session(name, example(model, signatures[name], 0, np.random.default_rng(0)))
    for key, spec in signatures[name].outputs.items():
        assert answer[key].shape == (0, *spec.shape[1:])


WRONG = {
    r"genre must be from 0 to 1;.*\[8\]": ("sample", "genre", lambda genre: np.full_like(genre, 8)),
    r"genre must be from 0 to 1;.*\[-9\]": ("sample", "genre", lambda genre: np.full_like(genre, -9)),
    "source must be from 0 to 1, or -1": ("transfer", "source", lambda source: np.full_like(source, -2)),
    "target must be from 0 to 1": ("transfer", "target", lambda target: np.full_like(target, 2)),
    "tokens must be from 0 to 129": ("encode", "tokens", lambda tokens: np.full_like(tokens, 130)),
    r"start must be from 0 to 129.*\[-1\]": ("interpolate", "start", lambda tokens: np.minimum(tokens - 1, 5)),
    "end must be": ("interpolate", "end", lambda tokens: tokens + 130),
    "temperature must be from 0 to 100": ("decode", "temperature", lambda value: value - 1),
    r"temperature must .*\[nan\]": ("decode", "temperature", lambda value: value * np.nan),
    "latent must be a finite number": ("decode", "latent", lambda value: value + np.inf),
    "position must be a finite number": ("interpolate", "position", lambda value: value * np.nan),
    "strength must be a finite number": ("transfer", "strength", lambda value: value - np.inf),
    r"tokens and temperature must have as many rows.*\[3\] \[1\]": (
        "reconstruct", "temperature", lambda value: value[:1],
    ),
    "genre and temperature must have as many rows": ("sample", "genre", lambda genre: genre[:2]),
    r"\[3,16,4\].*expected shape \[\?,32,4\]": ("encode", "tokens", lambda tokens: tokens[:, :16]),
    r"\[3,32,3\]": ("encode", "tokens", lambda tokens: tokens[:, :, :3]),
    r"\[6,16,4\]": ("encode", "tokens", lambda tokens: tokens.reshape(6, 16, 4)),
    r"\[3,1\]": ("decode", "temperature", lambda value: value[:, None]),
    "point must be from 0 to 15": ("map", "point", lambda point: point + 16),
    r"expected shape \[\?\]": ("describe", "request", lambda value: value[0]),
    r"\[3,3\]": ("sample", "seed", lambda seed: seed[:, [0, 0, 1]]),
}  # fmt: skip


@pytest.mark.parametrize(("signature", "key", "change", "says"), [(*case, says) for says, case in WRONG.items()])
def test_nonsense_is_an_invalid_argument(session, model, signatures, signature, key, change, says):
    inputs = example(model, signatures[signature], 3, np.random.default_rng(7))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){says}"):
        session(signature, {**inputs, key: change(inputs[key]).astype(inputs[key].dtype)})
    session(signature, inputs)


def test_every_track_has_its_own_limit(tiny_run):
    drums_and_voice = MusAE.for_training(tiny_run.config, (512, 130), ("only",))
    served = ModelSignatures(drums_and_voice, str)
    tokens = np.broadcast_to(np.int32([511, 129]), (2, 32, 2))
    assert served("encode", {"tokens": tokens})["genre_scores"].shape == (2, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"from 0 to \[511, 129\], track by track"):
        served("encode", {"tokens": tokens[..., ::-1]})


def test_describe_says_what_a_client_must_know(session, exported, tiny_run, signatures):
    (text,) = session("describe", {"request": np.zeros(1, np.int32)})["metadata"]
    facts = json.loads(text)
    assert (facts["format"], facts["name"], facts["version"]) == (1, "tunes", 1)
    assert facts["layout"] == tiny_run.facts["layout"]
    assert (facts["genres"], facts["tempos"]) == (["dances", "hymns"], {"dances": 140.0, "hymns": 96.0})
    assert [facts[key] for key in ("steps", "bars", "tracks", "latent")] == [32, 2, 4, 16]
    assert facts["vocabulary_sizes"] == [130] * 4
    assert facts["dataset_hash"] == tiny_run.facts["dataset"]["hash"]
    assert facts["created"].endswith("+00:00")
    assert set(facts["signatures"]) == set(signatures)
    assert facts["signatures"]["decode"] == {
        "inputs": {
            "latent": {"dtype": "float32", "shape": [None, 16]},
            "temperature": {"dtype": "float32", "shape": [None]},
            "seed": {"dtype": "int32", "shape": [None, 2]},
        },
        "outputs": {
            "tokens": {"dtype": "int32", "shape": [None, 32, 4]},
            "log_probability": {"dtype": "float32", "shape": [None]},
        },
    }
    assert (facts["map"]["of"], facts["map"]["points"]) == ("songs", 16)
    assert np.shape(facts["map"]["mean"]) == (16,)
    assert np.shape(facts["map"]["axes"]) == (2, 16)
    assert len(text) < 20_000, "every client asks for it"
    sides = [side for signature in signatures.values() for side in (signature.inputs, signature.outputs)]
    dtypes = {spec.dtype.name for side in sides for spec in side.values()}
    assert dtypes == {"int32", "float32", "string"}
