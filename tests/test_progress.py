"""Progress bars where there is no terminal."""

import sys

from musae_tf.progress import progress


def test_a_pipe_gets_lines(capsys):
    bar = progress(range(3), title="counting", unit="things")
    assert list(bar) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("counting: 100% 3/3 [")
    assert not [line for line in lines if "\r" in line or line != line.strip()]


def test_words_between_the_lines(capsys):
    with progress(total=2, title="counting", unit="things") as bar:
        bar.update()
        with bar.external_write_mode():
            print("between", file=sys.stderr)
        bar.update()
    shown = capsys.readouterr().err
    assert "\nbetween\n" in f"\n{shown}"
    assert "\r" not in shown
