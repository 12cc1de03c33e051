"""`musae request`, as a user calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.client import MusaeClient
from musae_tf.music import Song
from musae_tf.server.options import ServerTls
from tests.client.scripted import ScriptedServer
from tests.corpus import changing_metre_song, four_voice_song

# A machine with the base install only: whatever else is installed here cannot be imported.
BASE_ONLY = """
import sys

class Missing:
    names = {"tensorflow", "keras", "tensorflow_probability", "tensorboard", "yaml", "tqdm", "matplotlib", "scipy",
             "sklearn", "pypianoroll", "pretty_midi", "midirenderer", "music21"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from musae_tf.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def song_file(here) -> str:
    four_voice_song(6, seed=1).write(here / "song.mid")
    return "song.mid"


def request(target: str, command: str, *arguments: object) -> int:
    return main(["request", command, "--server", target, *map(str, arguments)])


def refused(capsys, *arguments: object) -> str:
    """The one sentence of a request that is refused."""
    capsys.readouterr()
    assert request(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("musae: ")
    assert said.count("\n") == 1
    return said


def test_a_sample_of_every_genre(target, musae, here, capsys):
    assert request(target, "sample", "--bars", 4, "--temperature", 0.9, "--seed", 3) == 0
    assert capsys.readouterr().out.splitlines() == ["dances-3.mid", "hymns-3.mid"]
    for genre in ("dances", "hymns"):
        assert Path(f"{genre}-3.mid").read_bytes() == musae.sample(genre, 4, 0.9, 3).to_bytes()


def test_a_sample_with_everything_asked_for(target, musae, here):
    how = ("--genre", "hymns", "--bars", 3, "--tempo", 70, "--out", "new/one.mid", "--png", "--wav")
    assert request(target, "sample", *how) == 0
    assert {path.name for path in Path("new").iterdir()} == {"one.mid", "one.png", "one.wav"}
    assert Path("new/one.mid").read_bytes() == musae.sample("hymns", 3, 0.0, 0, 70).to_bytes()


def test_a_reconstruction_of_the_first_bars(target, musae, song_file):
    assert request(target, "reconstruct", song_file, "--bars", 4, "--out", "out") == 0
    rebuilt = Song.read("out/song-reconstructed.mid")
    assert len(rebuilt.bars()) == 4


def test_an_interpolation(target, musae, song_file, here):
    four_voice_song(2, seed=2).write(here / "end.mid")
    assert request(target, "interpolate", song_file, "end.mid", "--points", 3, "--seed", 2, "--temperature", 1) == 0
    songs = musae.interpolate(song_file, "end.mid", 3, 1.0, 2)
    for number, song in enumerate(songs, 1):
        assert Path(f"song-to-end-{number}.mid").read_bytes() == song.to_bytes()


def test_a_transfer_says_what_the_piece_was_taken_for(target, musae, song_file, capsys):
    assert request(target, "transfer", song_file, "--to", "dances") == 0
    said = capsys.readouterr().out
    assert f"song.mid: taken for {musae.infer_genre(song_file)}; " in said
    assert Path("song-to-dances.mid").read_bytes() == musae.transfer(song_file, "dances").to_bytes()
    assert request(target, "transfer", song_file, "--to", "dances", "--source", "hymns", "--strength", 2) == 0
    assert "taken" not in capsys.readouterr().out
    assert Path("song-to-dances.mid").read_bytes() == musae.transfer(song_file, "dances", "hymns", 2).to_bytes()


def test_a_change_and_a_sweep(target, musae, song_file):
    assert request(target, "change", song_file, "--more", "notes", "--less", "bass:register", "--strength", 1) == 0
    expected = musae.change(song_file, {"notes": 1.0, "bass:register": -1.0})
    assert Path("song-more_notes-less_bass_register.mid").read_bytes() == expected.to_bytes()
    assert request(target, "change", song_file, "--sweep", "soprano:length", "--points", 3, "--out", "out") == 0
    for number, song in enumerate(musae.sweep(song_file, "soprano:length", 3), 1):
        assert Path(f"out/song-soprano_length-{number}.mid").read_bytes() == song.to_bytes()


def test_what_the_model_cannot_take_is_said(target, here, capsys):
    changing_metre_song().write(here / "odd.mid")
    assert request(target, "reconstruct", "odd.mid") == 0
    assert "bars are not 16 sixteenths long" in capsys.readouterr().out


def test_what_the_model_is(target, tiny_run, capsys):
    assert request(target, "describe") == 0
    said = capsys.readouterr().out
    for words in (*tiny_run.genres, *tiny_run.layout.names, "version 1", tiny_run.facts["dataset"]["hash"], "2 bars",
                  "bass:register"):  # fmt: skip
        assert words in said


def test_the_status_and_its_exit_code(target, scripted, capsys):
    assert request(target, "status") == 0
    assert capsys.readouterr().out == "version 1  AVAILABLE\n"

    def failed(message):
        reply = ScriptedServer.echo(scripted, message)
        (version,) = reply.model_version_status
        version.state, version.status.error_code, version.status.error_message = 50, 5, "no such file"
        return reply

    scripted.answer = failed
    assert request(scripted.target, "status") == 1
    assert capsys.readouterr().out == "version 1  END  NOT_FOUND: no such file\n"


def test_mistakes_are_one_sentence(target, song_file, capsys):
    assert "dances, hymns" in refused(capsys, target, "sample", "--genre", "polka")
    assert "dances, hymns" in refused(capsys, target, "transfer", song_file, "--to", "polka")
    assert "name a folder" in refused(capsys, target, "sample", "--out", "x.mid")
    assert "did you mean notes" in refused(capsys, target, "change", song_file, "--sweep", "note")
    assert "by itself" in refused(capsys, target, "change", song_file, "--sweep", "notes", "--more", "notes")
    assert "name a folder" in refused(capsys, target, "change", song_file, "--sweep", "notes", "--out", "x.mid")
    assert "nowhere.mid" in refused(capsys, target, "reconstruct", "nowhere.mid")
    assert "has version 1" in refused(capsys, target, "describe", "--model-version", 3)
    assert "labelled 'canary'" in refused(capsys, target, "describe", "--model-label", "canary")
    assert "no model 'other'" in refused(capsys, target, "status", "--model", "other")
    assert "HOST:PORT" in refused(capsys, "somewhere", "status")
    assert "cannot read no.pem" in refused(capsys, target, "status", "--tls-ca", "no.pem")
    assert "belong together" in refused(capsys, target, "status", "--tls-cert", "no.pem")


def test_the_token_comes_from_the_environment(scripted, monkeypatch, here):
    monkeypatch.setenv("MUSAE_TOKEN", "secret-token")
    assert request(scripted.target, "status") == 0
    assert scripted.asked[0][2]["authorization"] == "Bearer secret-token"


def test_mutual_tls(serve, certificates, capsys):
    own = (certificates.server_key.read_bytes(), certificates.server.read_bytes())
    with serve(tls=ServerTls(*own, client_ca=certificates.authority.read_bytes(), client_verify=True)) as server:
        files = (
            "--tls-ca",
            certificates.authority,
            "--tls-cert",
            certificates.client,
            "--tls-key",
            certificates.client_key,
        )
        assert request(f"localhost:{server.port}", "status", *files) == 0
        assert request(f"127.0.0.1:{server.port}", "status", *files, "--tls-name", "musae.example") == 0


def test_the_base_install_is_enough(target, song_file, here):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", BASE_ONLY, "request", *arguments, "--server", target]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120)

    for arguments in (
        ("sample", "--bars", "4", "--genre", "hymns"),
        ("reconstruct", song_file),
        ("interpolate", song_file, "hymns-0.mid"),
        ("transfer", song_file, "--to", "dances"),
        ("change", song_file, "--less", "length"),
        ("describe",),
        ("status",),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    with MusaeClient(target) as musae:
        assert (here / "hymns-0.mid").read_bytes() == musae.sample("hymns", 4, 0.0).to_bytes()
    done = run("sample", "--png", "--out", "pictures")
    assert done.returncode == 2
    assert "pip install matplotlib" in done.stderr
    assert not (here / "pictures").exists() or not any((here / "pictures").iterdir())
