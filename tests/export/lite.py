"""A file for LiteRT, run by its interpreter."""

import json
from pathlib import Path

import numpy as np


class Lite:
    """A file, by the names that model.json has for it.

    Attributes:
        inputs: what model.json says of each input.
        outputs: names of the outputs.
    """

    def __init__(self, folder: Path, name: str):
        from ai_edge_litert.interpreter import Interpreter  # where the extra litert is installed

        facts = json.loads((folder / "model.json").read_text())["files"][name]
        self.inputs, self.outputs = facts["inputs"], facts["outputs"]
        self._interpreter = Interpreter(model_path=str(folder / f"{name}.tflite"))
        self._interpreter.allocate_tensors()

    def __call__(self, *values) -> dict[str, np.ndarray]:
        """Outputs by name, of inputs in the order of model.json."""
        for place, known, value in zip(self._interpreter.get_input_details(), self.inputs, values, strict=True):
            assert (place["name"].split(":")[0], list(place["shape"])) == (known["name"], known["shape"])
            self._interpreter.set_tensor(place["index"], np.asarray(value, known["dtype"]))
        self._interpreter.invoke()
        found = (self._interpreter.get_tensor(place["index"]) for place in self._interpreter.get_output_details())
        return dict(zip(self.outputs, found, strict=True))
