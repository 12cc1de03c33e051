"""The tiny run as the model of the package."""

from pathlib import Path

import pytest

from musae_tf.pretrained import archive as store


@pytest.fixture(scope="session")
def package(shared, evaluated_run, tiny_dataset) -> Path:
    """A folder with archive and card. Tests must leave it as it is."""

    def make(folder: Path) -> None:
        from musae_tf.export import version
        from musae_tf.pretrained.package import build

        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(version, "verify", lambda *_: None)  # tests of exports have them checked
            build(evaluated_run, tiny_dataset, folder, lambda text: None)

    return shared("package", make)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and an empty folder to work in."""
    monkeypatch.setenv("MUSAE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "cache"


@pytest.fixture
def shipped(package, cache, monkeypatch) -> Path:
    """The archive, as that of the installed package."""
    monkeypatch.setattr(store, "ARCHIVE", package / "voices.tar.xz")
    return store.ARCHIVE
