"""TensorFlow's C library through ctypes: the functions that the engine calls, with their types.

The wheel of TensorFlow carries the C++ loader and session that TensorFlow Serving is built on. Calling them directly
gives their own status codes and messages, gives the interpreter free while a graph runs, and spares a server the
Python package of TensorFlow, which takes seconds and hundreds of megabytes to import.
"""

import ctypes
import functools
import importlib.util
import os
import types
from pathlib import Path

from musae_tf.server.status import ServeError

_NAMES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")

pointer = ctypes.c_void_p
_int, _size, _text = ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", pointer), ("length", _size), ("deallocator", pointer))

    @classmethod
    def of(cls, data: bytes) -> "Buffer":
        """A buffer over `data`, which must outlive it."""
        return cls(ctypes.cast(ctypes.c_char_p(data), pointer), len(data), None)


class Output(ctypes.Structure):
    """TF_Output: one output of an operation."""

    _fields_ = (("operation", pointer), ("index", _int))


_FUNCTIONS = {
    "TF_Version": (_text,),
    "TF_NewStatus": (pointer,),
    "TF_DeleteStatus": (None, pointer),
    "TF_GetCode": (_int, pointer),
    "TF_Message": (_text, pointer),
    "TF_NewBuffer": (pointer,),
    "TF_DeleteBuffer": (None, pointer),
    "TF_NewSessionOptions": (pointer,),
    "TF_DeleteSessionOptions": (None, pointer),
    "TF_SetConfig": (None, pointer, pointer, _size, pointer),
    "TF_NewGraph": (pointer,),
    "TF_DeleteGraph": (None, pointer),
    "TF_GraphOperationByName": (pointer, pointer, _text),
    "TF_OperationNumOutputs": (_int, pointer),
    "TF_NewSession": (pointer, pointer, pointer, pointer),
    "TF_LoadSessionFromSavedModel": (pointer, pointer, pointer, _text, pointer, _int, pointer, pointer, pointer),
    "TF_SessionRun": (
        None, pointer, pointer, pointer, pointer, _int, pointer, pointer, _int, pointer, _int, pointer, pointer
    ),
    "TF_CloseSession": (None, pointer, pointer),
    "TF_DeleteSession": (None, pointer, pointer),
    "TF_AllocateTensor": (pointer, _int, pointer, _int, _size),
    "TF_DeleteTensor": (None, pointer),
    "TF_TensorType": (_int, pointer),
    "TF_NumDims": (_int, pointer),
    "TF_Dim": (ctypes.c_int64, pointer, _int),
    "TF_TensorByteSize": (_size, pointer),
    "TF_TensorData": (pointer, pointer),
    "TF_TensorFromProto": (None, pointer, pointer, pointer),
    "TF_StringGetDataPointer": (pointer, pointer),
    "TF_StringGetSize": (_size, pointer),
}  # fmt: skip


_LONG = {"TF_NewSession", "TF_LoadSessionFromSavedModel", "TF_SessionRun", "TF_CloseSession", "TF_DeleteSession",
         "TF_DeleteGraph"}  # fmt: skip
"""Functions during which other Python threads go on. For the others, handing over the interpreter takes longer than the
call, and getting it back on a busy server far longer."""


@functools.cache
def library() -> types.SimpleNamespace:
    """The functions of the installed TensorFlow's library, loaded once.

    Raises:
        ServeError: TensorFlow is not installed, or without the library.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        raise ServeError("the server needs the package tensorflow, which is not here: pip install 'musae-tf[server]'")
    folder = Path(found.submodule_search_locations[0])
    path = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if path is None:
        raise ServeError(f"the TensorFlow in {folder} has no {_NAMES[0]}: the server needs version 2.21 or newer")
    releasing, holding = ctypes.CDLL(str(path)), ctypes.PyDLL(str(path))
    functions = types.SimpleNamespace()
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(releasing if name in _LONG else holding, name)
        function.restype, function.argtypes = result, arguments
        setattr(functions, name, function)
    functions.large_TF_TensorFromProto = releasing.TF_TensorFromProto
    functions.large_TF_TensorFromProto.restype = None
    functions.large_TF_TensorFromProto.argtypes = functions.TF_TensorFromProto.argtypes
    return functions
