from pathlib import Path

import pytest

from musae_tf import renamed
from musae_tf.config import Config, config_hash, config_to_dict, load_config
from musae_tf.errors import ConfigError
from tests.conftest import CONFIGS


@pytest.fixture
def names(monkeypatch):
    monkeypatch.setattr(renamed, "CONFIG_KEYS", {"model.width": "model.latent", "old_seed": "seed"})
    monkeypatch.setattr(renamed, "REMOVED_CONFIG_KEYS", {"model.magic": False})
    monkeypatch.setattr(renamed, "JSON_KEYS", {"run.json": {"old": "new"}})


@pytest.mark.usefixtures("names")
def test_a_stored_configuration_takes_the_new_names():
    stored = {"old_seed": 3, "model": {"width": 64, "magic": False, "embedding": 8}}
    assert renamed.renew_config(stored) == {"seed": 3, "model": {"latent": 64, "embedding": 8}}
    assert stored["model"]["width"] == 64
    with pytest.raises(ConfigError, match=r"model\.magic is True; since 0\.2 only False"):
        renamed.renew_config({"model": {"magic": True}})


@pytest.mark.usefixtures("names")
def test_a_users_file_is_told_the_new_name(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("model: {width: 64}\n")
    assert load_config(path, stored=True).model.latent == 64
    with pytest.raises(ConfigError, match=r"own\.yaml: model\.width is called model\.latent"):
        load_config(path)
    path.write_text("{}\n")
    with pytest.raises(ConfigError, match=r"old_seed is called seed"):
        load_config(path, ["old_seed=3"])
    with pytest.raises(ConfigError, match=r"model\.magic was removed"):
        load_config(path, ["model.magic=true"])


@pytest.mark.usefixtures("names")
def test_json_of_an_earlier_version_takes_the_new_names():
    assert renamed.renew_json({"old": [{"old": 1}]}, "run.json") == {"new": [{"new": 1}]}
    assert renamed.renew_json({"old": 1}, "another.json") == {"old": 1}


def test_new_names_are_there_and_old_ones_are_not():
    tree = config_to_dict(Config())
    present = {key for key, _ in renamed._leaves(tree)}
    assert set(renamed.CONFIG_KEYS.values()) <= present
    assert not {*renamed.CONFIG_KEYS, *renamed.REMOVED_CONFIG_KEYS} & present


STORED = Path(__file__).parent.parent / "results" / "voices_one_pass" / "config.yaml"


def test_a_configuration_of_version_0_1_loads_and_keeps_its_hash():
    config = load_config(STORED, stored=True)
    assert (config.model.min_posterior_std, config.prior.transfer_scale) == (0.6, 1.5)
    assert config.regularisation.weight_schedule[0] == (0, 0.03)
    assert config_hash(config) == "75306990b954cab7baa5dc089e1874f0648212cf7a5fe13f493ce03490939a8c"
    with pytest.raises(ConfigError, match=r"is called model\.min_posterior_std since 0\.2|was removed in 0\.2"):
        load_config(STORED)


@pytest.mark.parametrize("key", ["model.cell=gru", "training.average=0.9", "regularisation.free_bits=4.0"])
def test_what_is_gone_is_said_of_a_stored_configuration_and_of_a_users(key, tmp_path):
    section, name = key.partition("=")[0].split(".")
    stored = tmp_path / "config.yaml"
    stored.write_text(f"{section}: {{{name}: {key.partition('=')[2]}}}\n")
    with pytest.raises(ConfigError, match=rf"{section}\.{name} is .*since 0\.2 only"):
        load_config(stored, stored=True)
    with pytest.raises(ConfigError, match=rf"{section}\.{name} was removed in 0\.2"):
        load_config(CONFIGS / "base.yaml", [key])
