"""What cannot work is refused before TensorFlow is loaded, which takes seconds: by every command."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.test_help import COMMANDS
from tests.corpus import four_voice_song

# In the folder that `refused` makes. In brackets what the sentence must name.
CASES = {
    "data build corpus": [("--out file.txt", "file.txt"), ("--layout nine", "nine"), ("--phrase-bars 0", "phrase")],
    "data build band": [("--songs 0", "songs")],
    "data build folder": [("gone", "gone"), ("file.txt", "file.txt"), ("music --labels gone.csv", "gone.csv"),
                          ("music --out music", "music"), ("music --grid nine", "nine"),
                          ("music --layout gone.yaml", "gone.yaml")],
    "data build jsb": [("--file gone.json", "gone.json"), ("--file file.txt", "file.txt")],
    "data build lmd": [("--midi gone --labels gone", "gone")],
    "data build lpd": [("--npz gone --labels gone", "gone")],
    "data build pop909": [("--dir gone", "gone"), ("--dir music", "001/001.mid")],
    "data info": [("gone", "gone"), ("book.abc#9", "no tune 9"), ("gone.mid", "gone.mid"), ("file.txt", "file.txt"),
                  ("version", "version"), ("music --layout nine", "nine"), ("a.mid --layout gone.yaml", "gone.yaml")],
    "data check": [("gone", "gone"), ("music", "music")],
    "data export": [("gone --out x", "gone"), ("music --out file.txt", "music"), ("ds --out ds", "is a dataset"),
                    ("ds --out file.txt", "file.txt"), ("ds --out x --limit 0", "limit"),
                    ("ds --out x --song 9", "'9'")],
    "data fetch": [("nothing", "nothing")],
    "layouts": [("nine", "nine"), ("gone.yaml", "gone.yaml"), ("file.txt", "file.txt")],
    "configs": [("nine", "nine")],
    "train": [("nine", "nine"), ("gone.yaml", "gone.yaml"), ("file.txt", "file.txt"), ("voices", "datasets/corpus"),
              ("voices --set training.steps=0", "training.steps"), ("voices --set no.key=1", "no.key"),
              ("--resume gone", "gone"), ("--resume music", "music"), ("voices --workers 0", "workers"),
              ("tiny --set data.path=ds --run run", "already there"),
              ("tiny --set data.path=ds --run music", "already there"),
              ("tiny --set data.path=ds --run file.txt", "file.txt"),
              ("tiny --set data.path=ds --run file.txt/x", "file.txt"),
              ("tiny --set data.path=ds --run file.txt --workers 2", "file.txt"), ("--resume run", "lost"),
              ("tiny --set data.path=gone --workers 2", "gone"), ("--resume run --workers 2", "lost"),
              ("tiny --set data.path=ds --workers 99999", "99999"), ("--resume damaged", "damaged")],
    "evaluate": [("gone", "gone"), ("music", "music"), ("--quick --against music", "against"), ("", "runs"),
                 ("run", "lost"),
                 ("run --dataset gone", "gone"), ("run --dataset music", "music"),
                 ("run --dataset ds --against gone", "gone")],
    "compare": [("gone other", "gone"), ("music", "music"), ("run damaged --out music", "music"),
                ("run damaged --out run/run.json", "run.json"), ("run damaged --out file.txt/x.csv", "file.txt")],
    "sample": [("gone", "gone"), ("run --out file.txt", "file.txt"), ("run --out file.txt/x.mid", "file.txt"),
               ("run --out music/songs.mid", "songs.mid"), ("--temperature -1", "temperature"), ("--bars 0", "bars"),
               ("--trust 1.5", "trust")],
    "reconstruct": [("--pretrained gone.mid", "gone.mid"), ("gone a.mid", "gone"), ("--pretrained music", "music"),
                    ("--pretrained a.mid --out a.mid", "a.mid"), ("--pretrained book.abc#9", "book.abc"),
                    ("--pretrained file.mid", "file.mid"), ("--pretrained a.mid --out file.txt", "file.txt"),
                    ("--pretrained book.abc#2 --out songs.mid", "songs.mid"), ("--pretrained music#1", "music")],
    "interpolate": [("--pretrained a.mid gone.mid", "gone.mid"), ("--pretrained a.mid a.mid --out x.mid", "x.mid"),
                    ("--pretrained a.mid a.mid --points 1", "points"), ("--pretrained a.mid file.mid", "file.mid")],
    "transfer": [("--pretrained gone.mid --to bach", "gone.mid"), ("--pretrained a.mid", "--to"),
                 ("--pretrained file.mid --to bach", "file.mid")],
    "change": [("--pretrained gone.mid --more notes", "gone.mid"), ("--pretrained a.mid", "--more"),
               ("--pretrained a.mid --more notes --less notes", "twice"),
               ("--pretrained file.mid --more notes", "file.mid")],
    "fill": [("--pretrained gone.mid --bars 1", "gone.mid"), ("--pretrained a.mid", "--bars"),
             ("--pretrained a.mid --bars 9", "9"), ("--pretrained a.mid --bars x", "'x'"),
             ("--pretrained file.mid --bars 1", "file.mid"), ("--pretrained a.mid --bars 1 --out a.mid", "a.mid")],
    "harmonise": [("--pretrained gone.mid", "gone.mid"), ("--pretrained file.mid", "file.mid")],
    "continue": [("--pretrained gone.mid", "gone.mid"), ("--pretrained a.mid --bars 0", "bars")],
    "vary": [("--pretrained gone.mid", "gone.mid"), ("--pretrained a.mid --amount 2", "amount"),
             ("--pretrained a.mid --versions 0", "versions"), ("--pretrained a.mid --out x.mid", "x.mid")],
    "export": [("gone", "gone"), ("run --to file.txt", "file.txt"), ("run --to file.txt/x", "file.txt"),
               ("run --to run", "is a run"), ("run --to version", "version"), ("music", "music"),
               ("music --keep 0", "keep")],
    "serve": [("gone", "gone"), ("--port 99999", "port")],
    "studio": [("gone", "gone"), ("music", "music"), ("gone --server a:1", "gone"), ("--port 0", "port")],
    "live": [("gone", "gone"), ("music", "music"), ("gone --server a:1", "gone"), ("--osc 0", "osc"),
             ("--tempo 1", "tempo")],
    "request sample": [("--out file.txt", "file.txt"), ("--server nowhere", "nowhere"), ("--bars 0", "bars")],
    "request reconstruct": [("gone.mid", "gone.mid"), ("file.mid", "file.mid"), ("a.mid --out file.txt", "file.txt")],
    "request interpolate": [("a.mid gone.mid", "gone.mid"), ("a.mid a.mid --points 1", "points")],
    "request transfer": [("gone.mid --to bach", "gone.mid"), ("a.mid", "--to")],
    "request change": [("gone.mid --more notes", "gone.mid"), ("a.mid", "--more")],
    "request fill": [("gone.mid --bars 1", "gone.mid"), ("a.mid", "--bars"), ("a.mid --bars 9", "9")],
    "request harmonise": [("gone.mid", "gone.mid")],
    "request continue": [("gone.mid", "gone.mid"), ("a.mid --bars 0", "bars")],
    "request vary": [("gone.mid", "gone.mid"), ("a.mid --amount 2", "amount")],
    "request describe": [("--server nowhere", "nowhere"), ("--tls-ca gone.pem", "gone.pem")],
    "request status": [("--server http://a:1", "http://a:1"), ("--deadline 0", "deadline")],
    "push": [("gone user/name --license cc0-1.0", "gone"), ("run user/name --license cc0-1.0", "lost")],
    "pull": [("nine", "nine")],
    "completion": [("nine", "nine")],
}  # fmt: skip
HARMLESS = {"doctor": "it looks at TensorFlow"}

CODE = """
import contextlib, io, json, sys
from musae_tf.cli import main

class Loading(BaseException):
    pass

class Refuser:
    def find_spec(self, name, *rest):
        if name in ("tensorflow", "keras"):
            raise Loading(name)

sys.meta_path.insert(0, Refuser())
found = []
for line in json.load(sys.stdin):
    said, loading = io.StringIO(), ""
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(line)
        except SystemExit as end:
            code = end.code
        except Loading as name:
            code, loading = None, str(name)
    found.append([loading, code, said.getvalue()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory, tiny_dataset) -> dict[tuple[str, str], list]:
    """What would have been loaded, exit code and words, by command and arguments."""
    folder = tmp_path_factory.mktemp("early")
    (folder / "music").mkdir()
    for name in ("a.mid", "music/a.mid"):
        four_voice_song(2).write(folder / name)
    for name in ("file.txt", "file.mid"):
        (folder / name).write_text("no music\n")
    (folder / "book.abc").write_text("X:1\nK:C\nCDEF|\nX:2\nK:C\nGABc|\n")
    shutil.copytree(tiny_dataset.path, folder / "ds")
    for name, facts in (("run", {"format": 1, "dataset": {"path": "lost"}}), ("damaged", {"format": 1})):
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(json.dumps(facts))
    for name in ("version", "music/songs.mid", "songs.mid"):
        (folder / name).mkdir()
    (folder / "version" / "saved_model.pb").touch()
    keys = [(command, arguments) for command, cases in CASES.items() for arguments, _ in cases]
    lines = [[*command.split(), *arguments.split()] for command, arguments in keys]
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    environment = {**os.environ, "MUSAE_CACHE": str(folder / "cache"), "PYTHONPATH": root}
    command, text = [sys.executable, "-c", CODE], json.dumps(lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return dict(zip(keys, json.loads(done.stdout), strict=True))


def test_every_command_has_cases():
    leaves = {name.removeprefix("musae ") for name in COMMANDS if not any(f"{name} " in other for other in COMMANDS)}
    assert leaves == CASES.keys() | HARMLESS.keys()


@pytest.mark.parametrize(
    ("command", "arguments", "named"),
    [(command, *case) for command, cases in CASES.items() for case in cases],
    ids=lambda text: text or "nothing",
)
def test_it_is_refused_by_name_and_early(refused, command, arguments, named):
    loaded, code, words = refused[command, arguments]
    assert (loaded, code) == ("", 2), words
    assert named in words
    assert "Traceback" not in words
