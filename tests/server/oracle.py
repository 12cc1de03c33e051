"""What TensorFlow itself says to a load or a run: its C API, called without any code of the server."""

import ctypes
import importlib.util
from pathlib import Path

import numpy as np

_TYPES = {"float32": 1, "float64": 2, "int32": 3, "string": 7, "int64": 9}


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class Oracle:
    """A SavedModel in a session of TensorFlow's C API.

    Attributes:
        code: status code of the load.
        message: its message.
    """

    def __init__(self, folder: Path, tag: str = "serve"):
        # TensorFlow, once it is imported, adds to these places; the first is its own.
        package, *_ = importlib.util.find_spec("tensorflow").submodule_search_locations
        self._c = ctypes.CDLL(str(Path(package) / "libtensorflow_cc.so.2"))
        for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "GraphOperationByName",
                     "AllocateTensor", "TensorData"):  # fmt: skip
            getattr(self._c, f"TF_{name}").restype = ctypes.c_void_p
        self._c.TF_Message.restype = ctypes.c_char_p
        self._graph = ctypes.c_void_p(self._c.TF_NewGraph())
        status = self._status()
        self._session = ctypes.c_void_p(
            self._c.TF_LoadSessionFromSavedModel(
                ctypes.c_void_p(self._c.TF_NewSessionOptions()), None, str(folder).encode(),
                (ctypes.c_char_p * 1)(tag.encode()), 1, self._graph, None, status,
            )
        )  # fmt: skip
        self.code, self.message = self._read(status)

    def run(self, feeds: dict[str, np.ndarray], fetch: str) -> tuple[int, str]:
        """Code and message of a run that feeds arrays of numbers by tensor name and fetches one tensor."""
        inputs = (_Output * len(feeds))(*(self._output(name) for name in feeds))
        values = (ctypes.c_void_p * len(feeds))(*(self._tensor(array) for array in feeds.values()))
        fetched, results = (_Output * 1)(self._output(fetch)), (ctypes.c_void_p * 1)()
        status = self._status()
        self._c.TF_SessionRun(
            self._session, None, inputs, values, len(feeds), fetched, results, 1, None, 0, None, status
        )
        return self._read(status)

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        return _Output(self._c.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _tensor(self, array: np.ndarray) -> int:
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        size = ctypes.c_size_t(array.nbytes)
        tensor = self._c.TF_AllocateTensor(_TYPES[array.dtype.name], dims, array.ndim, size)
        ctypes.memmove(self._c.TF_TensorData(ctypes.c_void_p(tensor)), array.tobytes(), array.nbytes)
        return tensor

    def _status(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._c.TF_NewStatus())

    def _read(self, status: ctypes.c_void_p) -> tuple[int, str]:
        return self._c.TF_GetCode(status), self._c.TF_Message(status).decode()
