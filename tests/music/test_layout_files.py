"""Layouts as YAML files: what is written is read again, and whatever else a file has gets one sentence."""

import os
import sys

import pytest

from musae_tf.errors import MusicError
from musae_tf.music import LAYOUTS, get_layout
from musae_tf.music.layout_files import read_layout, to_yaml

TRACK = "tracks:\n  - {name: bass, program: 33, rule: named"
"""One that is right but for its end."""

BOMB = "\n".join(["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))])
"""Small, and endless when it is written out."""

HOSTILE = {
    "nothing": (b"", "found empty"),
    "no text": (b"\xff\xfe\x00", "cannot read layout .*: it is not text"),
    "a byte that no text has": (b"tracks: \x00", "it has a character that no text has"),
    "no yaml": (b"tracks: [\n", r"mine\.yaml, line 2: not YAML"),
    "an object": (b"!!python/object/apply:os.system [ls]", "not YAML: could not determine a constructor"),
    "a day that is none": (b"tracks: 2001-99-99", "a value is not what it is written as"),
    "a number that is none": (b"tracks: !!int x", "a value is not what it is written as"),
    "a truth that is none": (b"tracks: !!bool x", "a value is not what it is written as"),
    "a time that is none": (b"tracks: !!timestamp x", "a value is not what it is written as"),
    "no keys": (b"{}", "found keys and values; a layout"),
    "a list": (b"- a", "found a list; a layout has the key 'tracks'"),
    "another key": (b"track: []", "the key 'track' is unknown; a layout has the key 'tracks'"),
    "one key more": (b"tracks: []\ngrid: 4/4x4", "the key 'grid' is unknown"),
    "no list": (b"tracks: 3", "tracks is 3; "),
    "no track": (b"tracks: []", "tracks has 0 entries, must have 1 to 16"),
    "many tracks": (f"tracks: [{'x, ' * 17}]".encode(), "tracks has 17 entries, must have 1 to 16"),
    "a track that is text": (b"tracks: [bass]", "track 1 is 'bass', must have keys and values"),
    "an unknown key": (f"{TRACK}, colour: red}}".encode(), "track 1 has the unknown key 'colour'; allowed: name, prog"),
    "a key that is a number": (f"{TRACK}, 3: red}}".encode(), "track 1 has the unknown key 3"),
    "a missing key": (b"tracks: [{name: bass, program: 3}]", "track 1 lacks the key rule"),
    "a key twice": (
        f"{TRACK}, voices: 2,\n     voices: 3}}".encode(),
        "yaml, line 3: the key 'voices' stands twice",
    ),
    "tracks twice": (b"tracks: []\ntracks: []", "line 2: the key 'tracks' stands twice, the first time on line 1"),
    "voices 0": (f"{TRACK}, voices: 0}}".encode(), "'bass': voices is 0, must be 1 to 16"),
    "voices 17": (f"{TRACK}, voices: 17}}".encode(), "'bass': voices is 17, must be 1 to 16"),
    "voices as text": (f"{TRACK}, voices: many}}".encode(), "track 1: voices is 'many', must be a whole number"),
    "voices true": (f"{TRACK}, voices: yes}}".encode(), "track 1: voices is True, must be a whole number"),
    "dynamics as number": (f"{TRACK}, dynamics: 1}}".encode(), "track 1: dynamics is 1, must be true or false"),
    "a keep that is none": (f"{TRACK}, keep: loudest}}".encode(), "keep is 'loudest', must be 'highest' or 'lowest'"),
    "a huge number": (f"{TRACK}, voices: 0x{'f' * 9999}}}".encode(), "voices is a very large number, must be a whole"),
    "a program that is none": (b"tracks: [{name: a, program: 128, rule: named}]", "program is 128, must be 0 to 127"),
    "a rule that is none": (b"tracks: [{name: a, program: 1, rule: loud}]", "rule is 'loud', must be 'drums', "),
    "huge programs": (b"tracks: [{name: a, program: 1, rule: programs 0-999999999}]", "rule is 'programs 0-9999"),
    "programs beyond": (b"tracks: [{name: a, program: 1, rule: programs 0-128}]", "0-128 is no range of programs"),
    "programs backwards": (b"tracks: [{name: a, program: 1, rule: programs 9-3 or 1-2}]", "9-3 is no range of progr"),
    "a name of two lines": (b'tracks: [{name: "a\\nb", program: 1, rule: named}]', "name is 'a.+b', must be text of 1"),
    "no name": (b"tracks: [{name: '', program: 1, rule: named}]", "track 1: name is '', must be text of 1 to 500"),
    "a name that is empty": (b"tracks: [{name: , program: 1, rule: named}]", "track 1: name is empty, must be text"),
    "twice one name": (f"{TRACK}}}\n  - {{name: Bass, program: 1, rule: named}}".encode(), "each with its own name"),
    "twice one column": (f"{TRACK}, voices: 2}}\n  - {{name: bass 2, program: 1, rule: named}}".encode(), "'bass 2'"),
    "a kit with voices": (b"tracks: [{name: d, program: 0, rule: drums, voices: 2}]", "voices is 2, must be 1 to 1"),
    "nested": (b"[" * 50_000, "nested too deeply"),
    "nested another way": (b"- " * 40_000 + b"x", "nested too deeply"),
    "itself": (b"tracks: &a [*a]", "track 1 is a list, must have keys and values"),
    "endless": (f"{BOMB}\ntracks: *a29".encode(), "the key 'a0' is unknown"),
    "endless tracks": (f"tracks:\n- {{a: &a0 x, {', '.join(BOMB.splitlines()[1:])}}}".encode(), "track 1 has the unk"),
    "100 MB": (b"# " + b"x" * 100_000_000, "it has more than 100,000 characters"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_written_is_read_again(name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    path.write_text(to_yaml(LAYOUTS[name]))
    assert read_layout(path) == LAYOUTS[name]
    assert get_layout(path, grid="3/4x4") == get_layout(name, grid="3/4x4")


def test_a_layout_is_named_after_its_file(tmp_path):
    (tmp_path / "my trio.yml").write_text(f"{TRACK}, voices: 3, dynamics: true}}", encoding="utf-8-sig")
    layout = read_layout(tmp_path / "my trio.yml")
    assert (layout.name, layout.names, len(layout.columns)) == ("my trio", ("bass",), 4)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_wrong_is_said_in_a_sentence(case, tmp_path):
    data, found = HOSTILE[case]
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    with pytest.raises(MusicError, match=found) as caught:
        read_layout(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable()
    assert len(message) - len(str(path)) < 300


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    for path, reason in (("folder.yaml", "Is a directory"), ("gone.yaml", "No such file"), ("a\0.yaml", "not text")):
        with pytest.raises(MusicError, match=f"cannot read layout .*{reason}"):
            get_layout(os.path.join(tmp_path, path))


def test_without_pyyaml_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text(to_yaml(LAYOUTS["band"]))
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MusicError, match=rf"^reading the layout {path} needs pyyaml: run `pip install pyyaml`$"):
        get_layout(path)
    assert get_layout("band")
