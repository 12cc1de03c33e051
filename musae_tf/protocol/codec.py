"""Tensors of the wire to numpy arrays and back.

Strings are object arrays of bytes, since numpy's own byte strings lose zeros at their ends.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from musae_tf.protocol.messages import DataType, TensorProto


class _Type(NamedTuple):
    """How a dtype travels.

    Attributes:
        number: of its DataType.
        dtype: of numpy, little-endian as the wire.
        field: of TensorProto, where its values are listed.
        listed: dtype of the numbers in that field.
        view: of `listed` numbers, dtype to reinterpret as `dtype`; None if the field holds plain values.
        content: whether two or more values go into `tensor_content` instead; as `tf.make_tensor_proto` has it.
    """

    number: Any  # DataType is no type at run time
    dtype: np.dtype
    field: str
    listed: str
    view: str | None
    content: bool


def _type(name: str, dtype: str, field: str, listed: str, view: str | None = None, content: bool = True) -> _Type:
    return _Type(DataType.Value(name), np.dtype(dtype).newbyteorder("<"), field, listed, view, content)


_TYPES = (
    _type("DT_FLOAT", "float32", "float_val", "<f4"),
    _type("DT_DOUBLE", "float64", "double_val", "<f8"),
    _type("DT_HALF", "float16", "half_val", "<i4", view="<u2"),
    _type("DT_INT8", "int8", "int_val", "<i4"),
    _type("DT_INT16", "int16", "int_val", "<i4"),
    _type("DT_INT32", "int32", "int_val", "<i4"),
    _type("DT_INT64", "int64", "int64_val", "<i8"),
    _type("DT_UINT8", "uint8", "int_val", "<i4"),
    _type("DT_UINT16", "uint16", "int_val", "<i4", content=False),
    _type("DT_UINT32", "uint32", "uint32_val", "<u4"),
    _type("DT_UINT64", "uint64", "uint64_val", "<u8"),
    _type("DT_BOOL", "bool", "bool_val", "?", content=False),
    _type("DT_COMPLEX64", "complex64", "scomplex_val", "<f4", view="<f4", content=False),
    _type("DT_COMPLEX128", "complex128", "dcomplex_val", "<f8", view="<f8", content=False),
)
_BY_DTYPE = {entry.dtype: entry for entry in _TYPES}
_BY_NUMBER = {entry.number: entry for entry in _TYPES}
_STRING = DataType.DT_STRING


def to_proto(array: np.ndarray | list | float | str | bytes, typed: bool = False) -> TensorProto:
    """An array as TensorProto.

    Args:
        array: numbers, bools or strings (bytes, or str as UTF-8) of any shape.
        typed: list the values in the field of their type, as TensorFlow Serving answers; otherwise the bytes of two or
            more numbers go into `tensor_content`, as `tf.make_tensor_proto` packs them.

    Raises:
        ValueError: a dtype that TensorFlow has no counterpart of.
    """
    proto = TensorProto()
    fill_proto(proto, array, typed)
    return proto


def fill_proto(proto: TensorProto, array: np.ndarray | list | float | str | bytes, typed: bool = False) -> None:
    """Write an array into an empty TensorProto, for instance the entry of a map; arguments as of `to_proto`.

    Raises:
        ValueError: a dtype that TensorFlow has no counterpart of.
    """
    values, array = array, np.asarray(array)
    if array.dtype.kind in "SU" and not isinstance(values, np.ndarray):
        array = np.asarray(values, object)
    proto.tensor_shape.SetInParent()  # a scalar's shape is there and has no dimension
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype.kind in "OSU":
        proto.dtype = _STRING
        proto.string_val.extend(map(_to_bytes, array.ravel().tolist()))
        return
    entry = _BY_DTYPE.get(array.dtype.newbyteorder("<"))
    if entry is None:
        raise ValueError(f"dtype is {array.dtype}, must be one of {', '.join(map(str, _BY_DTYPE))}, or strings")
    proto.dtype = entry.number
    flat = array.astype(entry.dtype, copy=False).ravel()
    if entry.content and flat.size > 1 and not typed:
        proto.tensor_content = flat.tobytes()
    else:
        getattr(proto, entry.field).extend((flat.view(entry.view) if entry.view else flat).tolist())


def to_array(proto: TensorProto) -> np.ndarray:
    """The array of a TensorProto, by the rules of TensorFlow's C++ `Tensor::FromProto`.

    `tensor_content` goes before listed values. Of listed values those beyond the shape are left out, and the last one
    is repeated if there are too few (zero or the empty string if there is none). No dimensions, given or not, are a
    scalar. Small integers wrap.

    Returns:
        The array, read-only if it shares the message's memory; strings as an object array of bytes.

    Raises:
        ValueError: not a tensor: an unsupported dtype, an impossible shape, or content of another length.
    """
    shape = shape_of(proto)
    count = math.prod(shape)
    if proto.dtype == _STRING:
        if proto.tensor_content:
            raise ValueError("a tensor of strings has tensor_content, must list them in string_val")
        strings = np.full(count, proto.string_val[-1] if proto.string_val else b"", object)
        listed = proto.string_val[:count]
        strings[: len(listed)] = listed
        return strings.reshape(shape)
    entry = _BY_NUMBER.get(proto.dtype)
    if entry is None:
        known = ", ".join(DataType.Name(number) for number in (*_BY_NUMBER, _STRING))
        raise ValueError(f"tensor has dtype {dtype_name(proto.dtype)}, must be one of {known}")
    if proto.tensor_content:
        size = count * entry.dtype.itemsize
        if len(proto.tensor_content) != size:
            raise ValueError(
                f"tensor of {dtype_name(proto.dtype)} and shape {list(shape)} has {len(proto.tensor_content)} bytes "
                f"of content, must have {size}"
            )
        return np.frombuffer(proto.tensor_content, entry.dtype).reshape(shape)
    listed = getattr(proto, entry.field)
    values = np.fromiter(listed, entry.listed, len(listed))
    if entry.view:
        whole = len(values) * np.dtype(entry.view).itemsize // entry.dtype.itemsize
        parts = entry.dtype.itemsize // np.dtype(entry.view).itemsize
        values = values.astype(entry.view)[: whole * parts].view(entry.dtype)
    else:
        values = values.astype(entry.dtype)
    if len(values) < count:
        missing = np.full(count - len(values), values[-1] if len(values) else 0, entry.dtype)
        values = np.concatenate([values, missing])
    return values[:count].reshape(shape)


def shape_of(proto: TensorProto) -> tuple[int, ...]:
    """The shape of a TensorProto; nothing is allocated, so a server can check it first.

    Raises:
        ValueError: a negative dimension, or more elements than an int64 counts.
    """
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])  # also if it says unknown_rank, as TensorFlow has it
    count = 1
    for size in shape:  # from the left, as TensorFlow does: a zero excuses only what follows it
        count *= size
        if size < 0 or count >= 2**63:
            raise ValueError(f"tensor has shape {list(shape)}, must have no negative size and fewer than 2^63 elements")
    return shape


def values_sent(proto: TensorProto) -> int:
    """How many values a TensorProto holds, whatever its shape claims; more than 0 for content that is not whole.

    Types that this module does not convert count as the bytes or values of the field that they would be in.
    """
    if proto.dtype == _STRING:
        return len(proto.string_val)
    entry = _BY_NUMBER.get(proto.dtype)
    if proto.tensor_content:
        return -(-len(proto.tensor_content) // (entry.dtype.itemsize if entry else 1))
    if entry is None:
        return max(len(proto.half_val), len(proto.int_val))
    listed = len(getattr(proto, entry.field))
    return listed // 2 if entry.dtype.kind == "c" else listed


def dtype_name(number: int) -> str:
    """Name of a DataType number, "DT_FLOAT" for 1; the number itself if it has no name."""
    return DataType.Name(number) if number in DataType.values() else str(number)


def _to_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise ValueError(f"an array of objects holds {type(value).__name__}, must hold bytes or str")
