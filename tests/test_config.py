import dataclasses
from pathlib import Path

import pytest
import yaml

from musae_tf.config import Config, config_from_dict, config_to_dict, config_to_yaml, load_config
from musae_tf.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"
PRESETS = sorted(CONFIGS.glob("*.yaml"))
SYSTEMS = sorted((CONFIGS.parent / "studies" / "claims" / "systems").glob("*.yaml"))


def keys(tree: dict, prefix: str = "") -> set[str]:
    found = set()
    for key, value in tree.items():
        found |= keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return found


def test_base_lists_every_key_with_its_default():
    base = yaml.safe_load((CONFIGS / "base.yaml").read_text(encoding="utf-8"))
    assert keys(base) == keys(config_to_dict(Config()))
    assert load_config(CONFIGS / "base.yaml") == Config()


@pytest.mark.parametrize("path", [*PRESETS, *SYSTEMS], ids=lambda path: path.stem)
def test_presets_load_and_survive_writing(path, tmp_path):
    config = load_config(path)
    assert config.name == ("musae" if path.stem == "base" else path.stem)
    (tmp_path / "config.yaml").write_text(config_to_yaml(config), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml") == config


def test_paper_preset_has_the_published_settings():
    config = load_config(CONFIGS / "paper_gm.yaml")
    assert (config.music.bars, config.music.layout, config.model.core) == (16, "band_paper", "step")
    sizes = config.model
    assert (sizes.latent, sizes.encoder_units, sizes.encoder_layers, sizes.decoder_units, sizes.decoder_layers) == (
        512, 512, 3, 512, 3,
    )  # fmt: skip
    assert (config.prior.geometry, config.prior.radial_variance, config.prior.tangential_variance) == (
        "flower", 0.1, 0.001,
    )  # fmt: skip
    assert config.regularisation.weight_schedule == ((0, 0.0), (5000, 0.1), (10000, 0.2))
    assert (config.training.batch_size, config.training.learning_rate, config.training.clip_value) == (16, 1e-5, 0.5)


def test_the_paper_with_one_gaussian_differs_in_what_the_authors_changed():
    config, other = load_config(CONFIGS / "paper_gaussian.yaml"), load_config(CONFIGS / "paper_gm.yaml")
    assert (config.model.kind, config.regularisation.infomax, config.style.supervision) == ("musae", 1.0, 0.0)
    assert config.regularisation.weight_schedule == ((0, 0.0), (10000, 0.1), (15000, 0.2))
    assert (config.training, config.critic, config.music) == (other.training, other.critic, other.music)
    assert dataclasses.replace(config.model, kind="musae_gm") == other.model


def test_an_option_that_a_system_has_no_use_for_is_refused():
    for kind, key in (
        ("vae", "infomax"),
        ("autoencoder", "divergence"),
        ("cvae", "divergence"),
    ):
        with pytest.raises(ConfigError, match=rf"regularisation\.{key} is 1\.0; allowed: 0 with model\.kind {kind}"):
            load_config(CONFIGS / "base.yaml", [f"model.kind={kind}", f"regularisation.{key}=1"])


def test_overrides_win_over_the_file_and_the_file_over_its_base(tmp_path):
    (tmp_path / "one.yaml").write_text("model: {latent: 64, embedding: 16}\nseed: 3\n")
    (tmp_path / "two.yaml").write_text("base: one.yaml\nmodel: {latent: 32}\n")
    config = load_config(
        tmp_path / "two.yaml", ["model.embedding=0", "data.transpose=[-2, 3]", "training.learning_rate=1e-4"]
    )
    assert (config.model.latent, config.model.embedding, config.seed) == (32, 0, 3)
    assert (config.data.transpose, config.training.learning_rate) == ((-2, 3), 1e-4)
    assert config.model.decoder_units == Config().model.decoder_units


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.latnet=64"], ["model.latnet", "model.latent"]),
        (["modle.latent=64"], ["modle", "model"]),
        (["model.latent=many"], ["model.latent", "'many'", "whole number"]),
        (["model.latent=1.5"], ["model.latent", "1.5", "whole number"]),
        (["model.latent=true"], ["model.latent", "True", "whole number"]),
        (["model.latent=0"], ["model.latent", "0", "1 or more"]),
        (["model.core=bar"], ["model.core", "'bar'", "beat, step"]),
        (["model.kind=gan"], ["model.kind", "'gan'", "musae_gm, musae, vae, cvae, autoencoder"]),
        (["model.decoder=hierarchical", "model.decoder_units=510"], ["model.decoder_units", "510", "multiple of 4"]),
        (["style.deviation=0"], ["style.deviation", "more than 0"]),
        (["training.clip_norm=-1"], ["training.clip_norm", "0 (off) or more"]),
        (["regularisation.infomax=-1"], ["regularisation.infomax", "0 (off) or more"]),
        (["data.balance=1"], ["data.balance", "1", "true or false"]),
        (["data.transpose=[3, 6]"], ["data.transpose", "[3, 6]"]),
        (["data.transpose=5"], ["data.transpose", "5"]),
        (["critic.units=[]"], ["critic.units"]),
        (["critic.learning_rate=.nan"], ["critic.learning_rate", "nan"]),
        (["regularisation.weight_schedule=[[5, 1.0]]"], ["regularisation.weight_schedule", "rising"]),
        (["name=a/b"], ["name", "'a/b'"]),
        (["model=3"], ["model", "3"]),
        (["seed"], ["seed", "key=value"]),
        (["seed.x=1"], ["seed"]),
        (["critic.units=[1, 2"], ["critic.units", "YAML"]),
        (["model={latent: 8, latent: 9}"], ["--set model", "'latent' stands twice"]),
    ],
)
def test_mistakes_name_the_key_what_was_found_and_what_is_allowed(overrides, words):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIGS / "base.yaml", overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: [1", "line"),
        ("- 1\n- 2", "list"),
        ("base: self.yaml", "itself"),
        ("base: gone.yaml", "gone.yaml"),
        ("seed: x", "seed"),
        ("seed: 1\nmodel: {latent: 8}\nseed: 1", r"self\.yaml, line 3: the key 'seed' stands twice, .* on line 1$"),
        ("model: {latent: 8, embedding: 4, latent: 16}", "line 1: the key 'latent' stands twice"),
        ("model: {latent: 8}\n'model':\n  embedding: 4", "line 2: the key 'model' stands twice"),
    ],
)
def test_broken_files_are_named(text, word, tmp_path):
    path = tmp_path / "self.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word):
        load_config(path)
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_what_is_merged_in_may_have_a_key_that_stands_beside_it(tmp_path):
    path = tmp_path / "merged.yaml"
    path.write_text("model: {<<: {latent: 8, embedding: 4}, latent: 16}")
    config = load_config(path)
    assert (config.model.latent, config.model.embedding) == (16, 4)


def test_configurations_are_frozen_and_missing_keys_take_defaults():
    assert config_from_dict({}, "nothing") == Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 2
