"""TensorFlow's C library through ctypes: the functions that the engine calls, and tensors.

The wheel of TensorFlow carries the C++ loader and session that TensorFlow Serving is built on. Calling them directly
gives their own status codes and messages, gives the interpreter free while a graph runs, and spares a server the
Python package of TensorFlow, which takes seconds and hundreds of megabytes to import.
"""

import ctypes
import functools
import importlib.util
import math
import os
import types
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musae_tf.protocol.codec import to_proto
from musae_tf.protocol.messages import TensorProto
from musae_tf.server.status import Code, ServeError, StatusError

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
    "TF_OperationOpType": (_text, pointer),
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


STRING = 7
MOST_DIMENSIONS = 64
"""What numpy can count; TensorFlow goes to 254."""
_STRING_BYTES = 24  # sizeof(TF_TString)
_DTYPES = {
    number: np.dtype(name)
    for number, name in {
        1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", STRING: "object", 8: "complex64",
        9: "int64", 10: "bool", 17: "uint16", 18: "complex128", 19: "float16", 22: "uint32", 23: "uint64",
    }.items()
}  # fmt: skip
_PLAIN = {1: (_DTYPES[1], "float_val"), 2: (_DTYPES[2], "double_val"), 3: (_DTYPES[3], "int_val"),
          9: (_DTYPES[9], "int64_val")}  # fmt: skip
"""Types of which the listed numbers are the values themselves; tensor_content is little-endian, as is the machine."""
_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}

_LISTED = 256
"""Longer lists are read faster by TensorFlow, and while other Python threads go on."""


_LARGE = 64 * 1024
"""Tensors of more bytes are read while other Python threads go on."""


class Status:
    """A TF_Status for one call; `check()` raises what it holds."""

    def __init__(self) -> None:
        self._library = library()
        self.pointer = self._library.TF_NewStatus()

    def check(self) -> None:
        """Raise the error of the call, if it had one."""
        code = self._library.TF_GetCode(self.pointer)
        if code:
            message = self._library.TF_Message(self.pointer).decode(errors="replace")
            raise StatusError(code if code <= max(Code) else Code.UNKNOWN, message)

    def __enter__(self) -> "Status":
        return self

    def __exit__(self, *error: object) -> None:
        self._library.TF_DeleteStatus(self.pointer)


class Tensor:
    """Values for the engine or from it: a TF_Tensor, freed with the object, or an array that becomes one when needed.

    Attributes:
        dtype: its DataType number.
        shape: its dimensions.
    """

    __slots__ = ("_address", "_library", "_values", "dtype", "shape")

    _address: int | None
    _values: np.ndarray | None

    def __init__(self, address: int):
        """Take over a TF_Tensor."""
        loaded = library()
        self._library, self._address, self._values = loaded, address, None
        self.dtype = loaded.TF_TensorType(address)
        self.shape = tuple(loaded.TF_Dim(address, axis) for axis in range(loaded.TF_NumDims(address)))

    def __del__(self) -> None:
        if self._address is not None:
            self._library.TF_DeleteTensor(self._address)

    @classmethod
    def from_proto(cls, proto: TensorProto, shape: Sequence[int]) -> "Tensor":
        """The tensor of a TensorProto of a shape that is known already.

        Raises:
            StatusError: not a tensor.
        """
        values = _plain(proto, shape)
        if values is None:
            return cls.from_bytes(proto.SerializeToString())
        tensor = object.__new__(cls)
        tensor._library, tensor._address, tensor._values = library(), None, values
        tensor.dtype, tensor.shape = proto.dtype, values.shape
        return tensor

    @classmethod
    def from_bytes(cls, serialized: bytes) -> "Tensor":
        """A tensor by TensorFlow's own `Tensor::FromProto`, so it takes and refuses exactly what the container does.

        Raises:
            StatusError: not a tensor.
        """
        loaded = library()
        convert = loaded.TF_TensorFromProto if len(serialized) < _LARGE else loaded.large_TF_TensorFromProto
        address = _allocate(1, (0,), 0)
        try:
            with Status() as status:
                convert(ctypes.byref(Buffer.of(serialized)), address, status.pointer)
                status.check()
        except StatusError:
            loaded.TF_DeleteTensor(address)
            raise
        return cls(address)

    @property
    def pointer(self) -> int:
        """The TF_Tensor."""
        if self._address is None:
            values = self._values
            assert values is not None
            self._address = _allocate(self.dtype, self.shape, values.nbytes)
            self._values = None
            self.array()[...] = values
        return self._address

    @classmethod
    def joined(cls, parts: Sequence[np.ndarray]) -> "Tensor":
        """A tensor of arrays of one dtype and shape, below one another; strings are object arrays of bytes."""
        if parts[0].dtype == object:
            # The library has no call that makes a string tensor which other tensors may share safely.
            return cls.from_bytes(to_proto(np.concatenate(parts)).SerializeToString())
        dtype = parts[0].dtype
        shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
        tensor = cls(_allocate(_NUMBERS[dtype], shape, math.prod(shape) * dtype.itemsize))
        np.concatenate(parts, out=tensor.array())
        return tensor

    def array(self) -> np.ndarray:
        """The values: a view of numbers, which keeps their memory; a copy of strings, as objects of type bytes.

        Raises:
            StatusError: UNIMPLEMENTED, a dtype or a number of dimensions that numpy has no counterpart of.
        """
        if self._values is not None:
            return self._values
        dtype = _DTYPES.get(self.dtype)
        if dtype is None:
            raise StatusError(Code.UNIMPLEMENTED, f"tensors of DataType {self.dtype} are not supported by this server")
        if len(self.shape) > MOST_DIMENSIONS:
            raise StatusError(Code.UNIMPLEMENTED, f"tensors of {len(self.shape)} dimensions are not supported")
        if 0 in self.shape:
            # The library keeps no memory for such a tensor, and asking for its size or address ends the process.
            return np.empty(self.shape, dtype)
        if self.dtype == STRING:
            values = np.empty(math.prod(self.shape), object)
            values[:] = _read_strings(self, len(values))
            return values.reshape(self.shape)
        size = self._library.TF_TensorByteSize(self.pointer)
        memory = (ctypes.c_char * size).from_address(self._library.TF_TensorData(self.pointer))
        memory.owner = self
        return np.frombuffer(memory, dtype).reshape(self.shape)


def _plain(proto: TensorProto, shape: Sequence[int]) -> np.ndarray | None:
    """The values of a TensorProto that lists all of them, in one way and in the right place, as clients do.

    None leaves everything else to TensorFlow, which knows what to make of it, and takes longer only for few values.
    """
    plain, count = _PLAIN.get(proto.dtype), math.prod(shape)
    if plain is None or not count or len(shape) > MOST_DIMENSIONS:
        return None
    (dtype, field), content = plain, proto.tensor_content
    if content:
        return np.frombuffer(content, dtype).reshape(shape) if len(content) == count * dtype.itemsize else None
    listed = getattr(proto, field)
    return np.fromiter(listed, dtype, count).reshape(shape) if len(listed) == count <= _LISTED else None


def _allocate(dtype: int, shape: Sequence[int], size: int) -> int:
    address = library().TF_AllocateTensor(dtype, (ctypes.c_int64 * len(shape))(*shape), len(shape), size)
    if not address:
        raise StatusError(Code.RESOURCE_EXHAUSTED, f"no memory for a tensor of {size} bytes")
    return address


def _read_strings(tensor: Tensor, count: int) -> list[bytes]:
    loaded = library()
    address = loaded.TF_TensorData(tensor.pointer)
    texts = []
    for number in range(count):
        text = pointer(address + number * _STRING_BYTES)
        texts.append(ctypes.string_at(loaded.TF_StringGetDataPointer(text), loaded.TF_StringGetSize(text)))
    return texts
