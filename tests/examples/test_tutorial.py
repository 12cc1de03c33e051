"""The tutorial notebook runs from top to bottom with the model of the package."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).parent.parent.parent / "examples/tutorial.ipynb"


def test_it_runs_and_shows_music(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [
        output.data["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert "palestrina" in shown[0]
    assert [html.count("<svg") for html in shown[1:]] == [1, 3, 2, 2]
    for html in shown[1:]:
        assert html.count("<audio") == html.count("<svg")
        assert "http" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")
