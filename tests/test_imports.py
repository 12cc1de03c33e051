"""Which module may import which, and what stays out of a process that does not need it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import musae_tf

PACKAGE = Path(musae_tf.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Nothing may import what stands to the right of it. Modules directly in the package count by their name.
ORDER = ("errors", "renamed", "files", "cores", "progress", "proxies", "signals", "time_grid", "yaml_files", "config",
         "protocol", "music", "verbs", "data", "models", "training", "latent", "evaluation", "export", "pretrained",
         "server", "client", "musae", "studio", "live", "cli")  # fmt: skip
# What talks over the wire knows nothing of what makes the model.
ALLOWED = {
    "protocol": {"errors", "protocol"},
    "server": {"errors", "files", "cores", "protocol", "server"},
    "verbs": {"errors", "music", "verbs"},
    "client": {"errors", "proxies", "music", "protocol", "verbs", "client"},
    "studio": {"errors", "files", "signals", "music", "protocol", "verbs", "client", "studio"},
    "live": {"errors", "music", "verbs", "studio", "live"},
}
HEAVY = ("tensorflow", "keras", "tensorflow_probability", "tf_keras")
# What a base install has.
LIGHT = {"numpy", "symusic", "musae_tf", *sys.stdlib_module_names}
WIRE = {*LIGHT, "grpc", "google"}


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Full names of the modules that a file imports; names taken from a module count as modules too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_to_its_right(path):
    here = part(path)
    if here == "__init__":
        # The one object is taken from where it is when it is asked for.
        assert {name for name in imports(path) if name.startswith("musae_tf")} <= {
            "musae_tf.musae",
            "musae_tf.musae.Musae",
        }
        assert not [name for name in imports(path, top_level_only=True) if name.startswith("musae_tf")]
        return
    assert here in ORDER, f"{path}: where does {here} stand in the order?"
    for name in imports(path):
        if name.startswith("musae_tf."):
            there = name.split(".")[1]
            if there in ORDER:
                assert ORDER.index(there) <= ORDER.index(here), f"{path} imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part(path) in ALLOWED], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_the_wire_knows_nothing_of_the_model(path):
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("musae_tf.")}
    assert {name for name in ours if name in ORDER} <= ALLOWED[part(path)]


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if part(path) in ("protocol", "verbs", "client")],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_protocol_and_client_need_only_the_base_install(path):
    assert not {name.split(".")[0] for name in imports(path)} & set(HEAVY)
    assert {name.split(".")[0] for name in imports(path, top_level_only=True)} <= WIRE


@pytest.mark.parametrize("path", [path for path in MODULES if part(path) == "music"], ids=lambda path: path.name)
def test_music_never_imports_tensorflow_and_needs_only_the_base_install(path):
    assert not {name.split(".")[0] for name in imports(path)} & set(HEAVY)
    assert {name.split(".")[0] for name in imports(path, top_level_only=True)} <= LIGHT


def test_the_one_object_loads_neither_tensorflow_nor_grpc_before_there_is_a_model():
    loaded = loaded_after("import musae_tf")
    assert not loaded & {*HEAVY, "numpy", "grpc", "google"}
    loaded = loaded_after("from musae_tf import Musae; Musae.from_run, Musae.connect")
    assert "numpy" in loaded
    assert not loaded & {*HEAVY, "grpc", "google"}
    loaded = loaded_after("from musae_tf import Musae; Musae.connect('localhost:1').close()")
    assert "grpc" in loaded
    assert not loaded & set(HEAVY)


LATE = ("errors", "musae", "renamed", "files", "progress", "config", "data", "cli")


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part(path) in LATE], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_these_load_tensorflow_only_when_a_function_asks_for_it(path):
    assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & set(HEAVY)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_one_module_renders_sound(path):
    synthesisers = {"midirenderer", "fluidsynth", "pretty_midi", "tinysoundfont"}
    strings = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
               if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
    used = {name.split(".")[0] for name in imports(path)} & synthesisers
    # Others ask for it by name: the doctor looks whether it is installed, and pretty_midi is more than a synthesiser.
    assert not used
    if path.match("music/exchange.py"):
        assert strings & synthesisers == {"pretty_midi"}
    elif not path.match("music/audio.py") and not path.match("cli/doctor.py"):
        assert not strings & synthesisers


def test_everything_that_sounds_uses_it():
    users = {
        str(path.relative_to(PACKAGE)) for path in MODULES if any(name.startswith(RENDERING) for name in imports(path))
    }
    assert {"cli/output.py", "evaluation/report_page.py", "evaluation/quick.py", "studio/service.py"} <= users


RENDERING = "musae_tf.music.audio."


def loaded_after(code: str) -> set[str]:
    """Top-level names of all modules in a fresh interpreter after some code."""
    report = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_importing_music_and_data_loads_no_tensorflow():
    loaded = loaded_after("import musae_tf, musae_tf.music, musae_tf.music.midi, musae_tf.data")
    assert "symusic" in loaded
    assert not loaded & {*HEAVY, "matplotlib", "pypianoroll", "pretty_midi", "music21", "scipy"}


def test_comparing_runs_loads_no_tensorflow():
    loaded = loaded_after("import musae_tf.evaluation, musae_tf.evaluation.genre, musae_tf.latent")
    assert "sklearn" in loaded
    assert not loaded & set(HEAVY)


def test_help_loads_nothing_beyond_the_standard_library():
    code = "from musae_tf.cli import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass"
    loaded = loaded_after(code)
    assert "argparse" in loaded
    assert not loaded & {*HEAVY, "numpy", "yaml", "symusic", "tqdm"}


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if part(path) == "latent" and path.stem not in ("of_run", "form_of_run", "fit_form")],
    ids=lambda path: path.name,
)
def test_tools_of_the_latent_space_need_only_numpy(path):
    assert {name.split(".")[1] for name in imports(path) if name.startswith("musae_tf.")} <= {
        "errors", "files", "music", "latent",
    }  # fmt: skip
    assert {name.split(".")[0] for name in imports(path)} <= LIGHT
