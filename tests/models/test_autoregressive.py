"""The decoder that listens to itself, at tiny scale."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import Config, PhraseShape
from musae_tf.models.autoregressive import DOUBTED, TRUSTED, AutoregressiveDecoder
from musae_tf.models.relative import HIDDEN, SILENT, around_pitch, over_pitch, sounding
from musae_tf.models.symbols import Known
from musae_tf.music import HOLD, REST
from musae_tf.music.known import FREE, KNOWN, ONSET
from musae_tf.music.pieces import row_seeds

STEPS, LATENT = 32, 16
LAYOUTS = {
    "voices": (130, 130, 130),
    "band": (130, 512, 130),
    "kit": (512,),
    "chords": (512, 9, 130, 130, 130, 130, 130, 9),
}


def decoder_of(
    sizes: tuple[int, ...], steps: int = STEPS, latent: int = LATENT, **sizes_of_model
) -> AutoregressiveDecoder:
    keras.utils.set_random_seed(1)
    config = replace(Config().model, latent=latent, embedding=6, decoder_units=16, **sizes_of_model)
    decoder = AutoregressiveDecoder(config, PhraseShape(steps // 16, steps // 4, 4), sizes)
    decoder.generate = tf.function(decoder.generate)
    return decoder


@pytest.fixture(scope="module", params=LAYOUTS)
def decoder(request) -> AutoregressiveDecoder:
    return decoder_of(LAYOUTS[request.param])


@pytest.fixture(scope="module")
def voices() -> AutoregressiveDecoder:
    return decoder_of(LAYOUTS["voices"])


def codes(rows: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal([rows, LATENT], [seed, 3])


def music(decoder: AutoregressiveDecoder, rows: int, temperature: float = 1.0, first: int = 0, **known):
    latent = 3.0 * codes(first + rows)[first:]
    seeds = tf.constant(row_seeds(5, 0, first + rows)[first:])
    tokens, log_probability = decoder.generate(latent, tf.fill([rows], temperature), seeds, **known)
    return tokens.numpy(), log_probability.numpy()


def greedy(logits: tf.Tensor) -> np.ndarray:
    """First whether a note begins, goes on or is silent, then its pitch; kits are sums of their pieces' logits."""
    logits = logits.numpy()
    if logits.shape[-1] != 130:
        return logits.argmax(axis=-1)
    kinds = np.concatenate([np.logaddexp.reduce(logits[..., :REST], axis=-1)[..., None], logits[..., REST:]], axis=-1)
    kind = kinds.argmax(axis=-1)
    return np.where(kind == 0, logits[..., :REST].argmax(axis=-1), kind + REST - 1)


@pytest.mark.parametrize("trust", [None, [0.0, 0.25, 0.5, 1.0]])
def test_what_is_drawn_is_what_its_own_history_makes_most_probable(decoder, trust):
    given = {} if trust is None else {"trust": tf.constant(trust)}
    tokens, log_probability = music(decoder, 4, temperature=0.0, **given)
    logits, draft = decoder.taught(3.0 * codes(4), tf.constant(tokens))
    # In training the draft counts once.
    trusted = tf.sigmoid(-decoder.noisy(3.0 * codes(4))) * (1.0 if trust is None else trust)
    more = (DOUBTED + (TRUSTED - DOUBTED) * trusted - 1.0)[:, tf.newaxis, tf.newaxis]
    logits = [heard + more * drafted for heard, drafted in zip(logits, draft, strict=True)]
    for track, size in enumerate(decoder.vocabulary_sizes):
        assert logits[track].shape == draft[track].shape == (4, STEPS, size)
        np.testing.assert_array_equal(greedy(logits[track]), tokens[..., track])
    chosen = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens[..., track], logits=logits[track])
        for track in range(len(logits))
    ]
    np.testing.assert_allclose(log_probability, -np.sum(chosen, axis=(0, 2)), rtol=1e-4)


def test_a_row_is_the_same_whatever_it_is_batched_with(decoder):
    tokens, _ = music(decoder, 5)
    alone, _ = music(decoder, 1, first=3)
    np.testing.assert_array_equal(tokens[3], alone[0])
    again, _ = music(decoder, 5)
    np.testing.assert_array_equal(tokens, again)


def test_temperature_0_needs_no_seed_and_temperature_1_heeds_it(voices):
    latent = 3.0 * codes(4)
    seeds = [tf.constant(row_seeds(number, 0, 4)) for number in (1, 2)]
    one, other = (voices.generate(latent, tf.zeros(4), seed)[0].numpy() for seed in seeds)
    np.testing.assert_array_equal(one, other)
    one, other = (voices.generate(latent, tf.ones(4), seed)[0].numpy() for seed in seeds)
    assert (one != other).mean() > 0.1


def test_no_logit_sees_its_own_symbol_or_a_later_one(decoder):
    """And all see those before: the same step in earlier tracks, the steps before, and beats ago."""
    tokens = music(decoder, 1)[0]
    step, track = 14, len(decoder.vocabulary_sizes) - 1
    changed = tokens.copy()
    changed[0, step, track] = (changed[0, step, track] + 7) % min(120, decoder.vocabulary_sizes[track])
    before, after = (
        [logits.numpy()[0] for logits in decoder.taught(codes(1), tf.constant(history))[0]]
        for history in (tokens, changed)
    )
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        moved = np.abs(one - other).max(axis=-1) > 1e-7
        first = step if number > track else step + 1
        assert not moved[:first].any()
        assert moved[step + 1]
        assert moved[-1]
    if track:
        changed = tokens.copy()
        changed[0, step, 0] = (changed[0, step, 0] + 7) % 120
        other = decoder.taught(codes(1), tf.constant(changed))[0][track].numpy()[0]
        assert np.abs(other - before[track]).max(axis=-1)[step] > 1e-7


def test_known_symbols_stay_and_the_others_hear_of_them_from_both_sides(voices):
    free, _ = music(voices, 2, temperature=0.0)
    tokens, levels = np.full_like(free, 60), np.full(free.shape, FREE, np.int32)
    levels[:, -4:] = KNOWN
    filled, _ = music(voices, 2, temperature=0.0, known=Known(tf.constant(tokens), tf.constant(levels)))
    assert (filled[:, -4:] == 60).all()
    parts = [
        voices.taught(codes(2), tf.constant(free), Known(tf.constant(tokens), tf.constant(levels * seen)))[0]
        for seen in (1, 0)
    ]
    assert np.abs(parts[0][0] - parts[1][0]).max(axis=(0, 2))[0] > 1e-7, "the first step knows of the last ones"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_known_comes_back_and_no_known_note_grows(decoder, temperature):
    sizes, rng = np.array(decoder.vocabulary_sizes), np.random.default_rng(3)
    tokens = rng.integers(0, sizes, (6, STEPS, len(sizes))).astype(np.int32)
    levels = rng.choice([FREE, KNOWN, ONSET], tokens.shape, p=[0.5, 0.4, 0.1]).astype(np.int32)
    filled, _ = music(decoder, 6, temperature, known=Known(tf.constant(tokens), tf.constant(levels)))
    np.testing.assert_array_equal(filled[levels == KNOWN], tokens[levels == KNOWN])
    assert ((filled >= 0) & (filled < sizes)).all()
    melodic = filled[..., sizes == 130], levels[..., sizes == 130]
    assert (melodic[0][melodic[1] == ONSET] < REST).all()
    after = (melodic[1][:, 1:] == FREE) & (melodic[1][:, :-1] == KNOWN)
    assert not (melodic[0][:, 1:][after] == HOLD).any()


def test_it_learns_to_use_its_history_and_its_code():
    """Two voices an octave apart; the code says where the first one goes. Either alone does not tell."""
    sizes = (130, 130)
    model = decoder_of(sizes, steps=16)
    optimizer, rng = keras.optimizers.Adam(1e-2), np.random.default_rng(0)

    def batch(rows: int = 32) -> tuple[tf.Tensor, tf.Tensor]:
        low = rng.integers(48, 60, rows)
        latent = np.zeros((rows, LATENT), np.float32)
        latent[:, 0] = (low - 53.5) / 3
        line = np.repeat(low[:, None], 16, axis=1) + rng.integers(0, 2, (rows, 16))
        return tf.constant(latent), tf.constant(np.stack([line, line + 12], axis=-1), tf.int32)

    def loss_of(latent: tf.Tensor, tokens: tf.Tensor, history: tf.Tensor) -> list[tf.Tensor]:
        logits, _ = model.taught(latent, history, training=True)
        return [
            tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens[..., track], logits=logits[track])
            )
            for track in range(2)
        ]

    @tf.function
    def train(latent, tokens):
        with tf.GradientTape() as tape:
            loss = tf.add_n(loss_of(latent, tokens, tokens))
        variables = model.trainable_variables
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        optimizer.apply_gradients([(gradient, variable) for gradient, variable in pairs if gradient is not None])
        return loss

    for _ in range(150):
        train(*batch())
    latent, tokens = batch(64)
    first, second = (float(loss) for loss in loss_of(latent, tokens, tokens))
    assert second < 0.2, "the second voice hears the first"
    assert first < 1.0, "the first voice is one of two pitches"
    hidden = tf.fill(tokens.shape, 130)
    assert float(loss_of(latent, tokens, hidden)[1]) > second + 0.3, "and without a history it does not know"
    others = tf.reverse(latent, [0])
    assert float(loss_of(others, tokens, hidden)[0]) > first + 0.5, "and with another code it is wrong"


def test_it_is_a_saved_model_that_gives_the_same_music(voices, tmp_path):
    seeds = tf.constant(row_seeds(5, 0, 3))
    specs = [tf.TensorSpec([None, LATENT]), tf.TensorSpec([None]), tf.TensorSpec([None, 2], tf.int32)]
    module = tf.Module()
    module.weights = [weight.value for weight in voices.weights]
    generate = tf.function(voices.generate, specs, autograph=False)
    tf.saved_model.save(module, str(tmp_path), {"serving_default": generate.get_concrete_function()})
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    arguments = {"latent": 3.0 * codes(3), "temperature": tf.fill([3], 0.5), "seed": seeds}
    np.testing.assert_array_equal(served(**arguments)["output_0"], voices.generate(**arguments)[0])


@pytest.mark.parametrize("bars", [16])
def test_longer_phrases(bars):
    model = decoder_of((130, 512), steps=16 * bars, latent=8 * bars)
    latent = tf.random.stateless_normal([2, 8 * bars], [1, 2])
    tokens, _ = model.generate(latent, tf.ones(2), tf.constant(row_seeds(1, 0, 2)))
    assert tokens.shape == (2, 16 * bars, 2)
    logits, _ = model.taught(latent, tokens)
    assert logits[1].shape == (2, 16 * bars, 512)


def test_what_sounds():
    tokens = np.array([[HOLD, 60, HOLD, REST, HOLD, 130, HOLD, 62]]).T
    kit = np.arange(8)[:, None]
    found = sounding(tf.constant(np.concatenate([tokens, kit], axis=1)[None], tf.int32), (130, 512)).numpy()[0]
    assert found[:, 0].tolist() == [SILENT, 60, 60, SILENT, SILENT, HIDDEN, HIDDEN, 62]
    assert (found[:, 1] == SILENT).all()


def test_numbers_around_and_over_pitches_and_their_gradients():
    rng = np.random.default_rng(0)
    own, others = (tf.constant(rng.normal(size=shape), tf.float32) for shape in ((4, 49), (4, 2, 12)))
    centre, bass = tf.constant([60, 3, SILENT, 127]), tf.constant([[60, 64], [SILENT, 0], [HIDDEN, 127], [5, 5]])
    weights = tf.constant(rng.normal(size=(4, 128)), tf.float32)
    expected = np.zeros((2, 4, 128), np.float32)
    for row in range(4):
        for pitch in range(128):
            if centre[row] < 128 and abs(pitch - centre[row]) <= 24:
                expected[0, row, pitch] = own[row, pitch - centre[row] + 24]
            for place, root in enumerate(bass[row].numpy()):
                if root < 128:
                    expected[1, row, pitch] += others[row, place, (pitch - root) % 12]
    with tf.GradientTape() as tape:
        tape.watch([own, others])
        found = around_pitch(own, centre), over_pitch(others, bass)
        total = tf.reduce_sum(weights * (found[0] + found[1]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # The function is linear: its gradient times what it was taken at is its value.
    gradients = tape.gradient(total, [own, others])
    np.testing.assert_allclose(
        sum(np.sum(a * b) for a, b in zip(gradients, (own, others), strict=True)), total, rtol=1e-4
    )
