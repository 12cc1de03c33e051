import subprocess
import sys

import pytest

CODE = """
import sys, time
start = time.process_time()
import musae_tf.music
spent = time.process_time() - start
heavy = {"tensorflow", "keras", "matplotlib", "pypianoroll", "pretty_midi", "scipy", "midirenderer"}
print(",".join(heavy & set(sys.modules)) or "light", spent)
"""


def test_importing_music_is_light_and_fast():
    # Processor time, the least of three: the machine may be busy.
    command = [sys.executable, "-c", CODE]
    results = [subprocess.check_output(command, text=True).split() for _ in range(3)]
    assert {loaded for loaded, _ in results} == {"light"}
    assert min(float(spent) for _, spent in results) < 0.5


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("matplotlib", "from musae_tf.music.picture import pianoroll; pianoroll(Song())"),
        ("pypianoroll", "from musae_tf.music.multitrack import to_multitrack; to_multitrack(Song())"),
        ("midirenderer", "from musae_tf.music.audio import render; render(Song())"),
    ],
)
def test_a_missing_library_is_named(missing, call):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from musae_tf.errors import MusicError\nfrom musae_tf.music import Song\n"
        f"try:\n    {call}\nexcept MusicError as error:\n    print(error)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"pip install {missing}" in output
