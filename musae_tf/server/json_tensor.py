"""Tensors in the JSON of the REST API."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from musae_tf.protocol.codec import dtype_name, to_proto
from musae_tf.protocol.messages import TensorInfo, TensorProto
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensorflow_c import MOST_DIMENSIONS

_DTYPES = {1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 7: "O", 9: "i8", 10: "?", 22: "u4", 23: "u8"}
_EXACT = {1: 2**24, 2: 2**53}  # the largest whole numbers up to which a float is exact


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        StatusError: INVALID_ARGUMENT, not JSON or not an object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {_reason(error)}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """The `signature_name` of a request, "" if it has none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read_inputs(
    document: Mapping[str, Any], inputs: Mapping[str, TensorInfo], most: int = 2**63
) -> tuple[dict[str, TensorProto], bool]:
    """The tensors of a predict request.

    Args:
        document: the request.
        inputs: the signature's inputs, TensorInfo messages by name.
        most: most rows of an input.

    Returns:
        TensorProto messages by name, and whether the request came in rows (`instances`), not in columns (`inputs`).

    Raises:
        StatusError: INVALID_ARGUMENT, the request is not formed right.
    """
    rows = "instances" in document
    if rows and "inputs" in document:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if rows:
        return _read_rows(document, inputs, most), True
    if "inputs" in document:
        return _read_columns(document["inputs"], inputs, most), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _read_rows(document: Mapping[str, Any], inputs: Mapping[str, TensorInfo], most: int) -> dict[str, TensorProto]:
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_shown(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_shown(document)} No values in 'instances' array")
    _check_rows(min(inputs), instances, most)
    named = _is_named(instances[0])
    if not named and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    columns: dict[str, list[np.ndarray]] = {name: [] for name in inputs}
    for number, instance in enumerate(instances):
        if named != _is_named(instance):
            what = "Expecting object but got list" if named else "Expecting value/list but got object"
            raise invalid(f"{what} at item {number} of input list")
        values = instance if named else {next(iter(inputs)): instance}
        if values.keys() != inputs.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_shown(instance)} keys must "
                f"be equal to: {','.join(sorted(inputs))}"
            )
        for name, value in values.items():
            try:
                array = _array(value, inputs[name].dtype, MOST_DIMENSIONS - 1)
                first = columns[name][0] if columns[name] else array
                if array.size != first.size:
                    raise invalid(f"Expecting tensor size: {first.size} but got: {array.size}")
                if array.shape != first.shape:
                    raise invalid(f"Expecting shape {_shape(first)} but got: {_shape(array)}")
            except StatusError as error:
                key = f" key: {name}" if named else ""
                raise invalid(f"Failed to process element: {number}{key} of 'instances' list. Error: {error}") from None
            columns[name].append(array)
    return {name: to_proto(np.stack(arrays)) for name, arrays in columns.items()}


def _read_columns(value: Any, inputs: Mapping[str, TensorInfo], most: int) -> dict[str, TensorProto]:
    if not _is_named(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    for name in inputs:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        _check_rows(name, value[name], most)
    return {name: to_proto(_array(value[name], info.dtype)) for name, info in inputs.items()}


def _check_rows(name: str, rows: Any, most: int) -> None:
    if isinstance(rows, list) and len(rows) > most:
        raise invalid(f"input {name} has {len(rows)} rows, larger than this server's maximum of {most}")


def _is_named(value: Any) -> bool:
    """Whether a value holds inputs by name, and is not one string in base64."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _array(value: Any, dtype: int, rank: int = MOST_DIMENSIONS) -> np.ndarray:
    """A nested list as an array of at most `rank` dimensions."""
    if dtype not in _DTYPES:
        raise StatusError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_shown(value)} to type: {dtype_name(dtype)}")
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if len(shape) > rank:
        raise invalid(f"a list is nested {len(shape)} deep, this server takes at most {rank} dimensions")
    flat: list[Any] = []
    _flatten(value, 0, shape, dtype, flat)
    try:
        with np.errstate(over="ignore"):  # too large for the type is infinite
            array = np.array(flat, _DTYPES[dtype]) if dtype != 7 else np.empty(len(flat), object)
    except OverflowError:
        raise invalid(f"JSON Value: {_shown(value)} is out of the range of {dtype_name(dtype)}") from None
    if dtype == 7:
        array[:] = flat
    return array.reshape(shape)


def _flatten(value: Any, level: int, shape: list[int], dtype: int, flat: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at "
                f"level: {len(shape)}"
            )
        flat.append(_scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _flatten(item, level + 1, shape, dtype, flat)


def _scalar(value: Any, dtype: int) -> Any:
    if dtype == 7:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        if _is_base64(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, ValueError):
                raise invalid("Unable to base64 decode") from None
        if isinstance(value, dict):
            raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
        raise _wrong_type(value, dtype)
    if dtype == 10:
        if not isinstance(value, bool):
            raise _wrong_type(value, dtype)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, dtype)
    if dtype in _EXACT:
        if isinstance(value, int) and abs(value) >= _EXACT[dtype]:
            raise invalid(f"Cannot convert JSON value: {value} to {_type_word(dtype)} without loss of precision.")
    elif not isinstance(value, int):
        raise _wrong_type(value, dtype)
    return value


def _wrong_type(value: Any, dtype: int) -> StatusError:
    kinds = {dict: "Object", list: "Array", str: "String", type(None): "Null", bool: str(value)}
    kind = kinds.get(type(value), "Number")
    return invalid(f"JSON Value: {_shown(value)} Type: {kind} is not of expected type: {_type_word(dtype)}")


def write_outputs(outputs: Mapping[str, np.ndarray], rows: bool) -> dict[str, Any]:
    """The answer to a predict request: by rows (`predictions`) or by columns (`outputs`); one output has no name.

    Raises:
        StatusError: INVALID_ARGUMENT, an output that has no rows in an answer by rows.
    """
    lists = {name: _listed(name, array) for name, array in outputs.items()}
    if not rows:
        return {"outputs": next(iter(lists.values())) if len(lists) == 1 else lists}
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
    sizes = {array.shape[0] for array in outputs.values()}
    if len(sizes) > 1:
        name, array = list(outputs.items())[-1]
        raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {min(sizes)}")
    if len(lists) == 1:
        return {"predictions": next(iter(lists.values()))}
    return {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}


def text_of(document: Mapping[str, Any], indent: int) -> bytes:
    """A document as the body of an answer."""
    return json.dumps(document, indent=indent, ensure_ascii=False).encode(errors="replace") + b"\n"


def _listed(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        as_bytes = name.endswith("_bytes")
        texts = np.empty(array.size, object)
        texts[:] = [
            {"b64": base64.b64encode(text).decode()} if as_bytes else text.decode(errors="replace")
            for text in array.ravel().tolist()
        ]
        return texts.reshape(array.shape).tolist()
    if array.dtype.kind == "c":
        raise StatusError(Code.UNIMPLEMENTED, f"Writing values of {array.dtype} as JSON")
    if array.dtype in (np.float32, np.float16):
        # The shortest decimal number that is this float: 0.2, not 0.20000000298.
        short = np.array([float(f"{value:.6g}") for value in array.ravel().tolist()], np.float64)
        exact = short.astype(array.dtype) == array.ravel()
        full = np.array([float(f"{value:.9g}") for value in array.ravel()[~exact].tolist()], np.float64)
        short[~exact] = full
        return short.reshape(array.shape).tolist()
    return array.tolist()


def _reason(error: Exception) -> str:
    return f"{error.msg} at offset: {error.pos}" if isinstance(error, json.JSONDecodeError) else "Terminate parsing"


def _type_word(dtype: int) -> str:
    return dtype_name(dtype).removeprefix("DT_").lower()


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:200] + "..."
