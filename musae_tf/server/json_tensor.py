"""Tensors in the JSON of the REST API."""

import base64
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from musae_tf.protocol.codec import dtype_name, to_proto
from musae_tf.protocol.messages import TensorInfo, TensorProto
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensorflow_c import MOST_DIMENSIONS

_DTYPES = {1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 7: "O", 9: "i8", 10: "?", 22: "u4", 23: "u8"}
_FLOATS = (1, 2)
_MOST_SHOWN = 2000


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a request, by the rules of the container's reader.

    What comes behind the document is left alone, of two members of one name the first counts, and bytes that are no
    UTF-8 are kept, as surrogates that `os.fsencode` knows.

    Raises:
        StatusError: INVALID_ARGUMENT, not JSON or not an object.
        RecursionError: nested deeper than Python reads.
    """
    text = body.decode("utf-8", "surrogateescape")
    start = len(text) - len(text.lstrip(" \t\n\r"))
    if start == len(text):
        raise invalid("JSON Parse error: The document is empty" + (f". at offset: {start}" if start else ""))
    try:
        document, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        what, place = _rapidjson_words(error.msg, text, error.pos)
        raise _parse_error(what, text, place) from None
    except OverflowError as error:
        raise _parse_error("Number too big to be stored in double.", text, text.find(str(error))) from None
    except ValueError:
        raise invalid("JSON Parse error: Terminate parsing due to Handler error.") from None
    lone = _LONE_SURROGATE.search(text)
    if lone is not None:
        raise _parse_error("The surrogate pair in string is invalid.", text, lone.start())
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    return document


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise OverflowError(text)
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_first_of_each, parse_float=_finite)
_LONE_SURROGATE = re.compile(
    r"(?<!\\)(?:\\\\)*\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB]..\\u....))"
)
_WORDS = {
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid escape character in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
}


def _rapidjson_words(what: str, text: str, place: int) -> tuple[str, int]:
    """What the container's reader says of a fault, and where it has got to."""
    found = text[place : place + 1]
    if what.startswith(("Expecting value", "Unexpected UTF-8 BOM", "Illegal trailing comma before end of array")):
        if what.startswith("Illegal"):
            place = text.index("]", place)
        for literal in ("null", "true", "false", "NaN", "Infinity"):
            if found == literal[0]:
                same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(literal, text[place:], strict=False))
                return "Invalid value.", place + len(list(same))
        return "Invalid value.", place
    if what.startswith("Expecting ','"):
        if found == ".":
            return "Miss fraction part in number.", place + 1
        if found in ("e", "E"):
            return "Miss exponent in number.", place + 1 + (text[place + 1 : place + 2] in ("+", "-"))
        if _inside_of(text[:place]) == "[":
            return "Missing a comma or ']' after an array element.", place
        return "Missing a comma or '}' after an object member.", place
    return _WORDS.get(what.partition(":")[0], "Terminate parsing due to Handler error."), place


def _inside_of(text: str) -> str:
    """The bracket that is open at the end of a text."""
    stack = [""]
    for bracket in re.findall(r"[\[{\]}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        if bracket in "[{":
            stack.append(bracket)
        else:
            stack.pop()
    return stack[-1]


def _parse_error(what: str, text: str, place: int) -> StatusError:
    offset = len(text[:place].encode("utf-8", "surrogateescape"))
    return invalid(f"JSON Parse error: {what} at offset: {offset}")


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
        raise invalid(f"JSON Value: {_shown(document)} Expecting 'instances' to be an list/array")
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
        for name in values:
            if name not in inputs:
                raise invalid(
                    f"Failed to process element: {number} key: {name} of 'instances' list. Error: INVALID_ARGUMENT: "
                    f"JSON object: does not have named input: {name}"
                )
        if len(values) != len(inputs):
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
    for name in sorted(inputs):
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        _check_rows(name, value[name], most)
    return {name: to_proto(_array(value[name], inputs[name].dtype)) for name in sorted(inputs)}


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
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if dtype not in _DTYPES:
        raise StatusError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {_shown(first)} to type: {_type_word(dtype)}")
    if len(shape) > rank:
        raise invalid(f"a list is nested {len(shape)} deep, this server takes at most {rank} dimensions")
    flat: list[Any] = []
    _flatten(value, 0, shape, dtype, flat)
    try:
        with np.errstate(over="ignore"):  # too large for the type is infinite
            array = np.array(flat, _DTYPES[dtype]) if dtype != 7 else np.empty(len(flat), object)
    except OverflowError:
        raise next(_wrong_type(each, dtype) for each in flat if not _fits(each, dtype)) from None
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
            return value.encode("utf-8", "surrogateescape")
        if _is_base64(value):
            digits = re.sub(r"\s", "", value["b64"]).rstrip("=")  # neither spaces nor missing ends matter
            try:
                return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
            except ValueError:
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
    if dtype not in _FLOATS and (not isinstance(value, int) or not _fits(value, dtype)):
        raise _wrong_type(value, dtype)
    return value


def _fits(value: int | float, dtype: int) -> bool:
    if dtype in _FLOATS:
        return abs(value) < 2**1023
    limits = np.iinfo(_DTYPES[dtype])
    return limits.min <= value <= limits.max


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
    return json.dumps(document, indent=indent, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"


def _listed(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        as_bytes = name.endswith("_bytes")
        texts = np.empty(array.size, object)
        texts[:] = [
            {"b64": base64.b64encode(text).decode()} if as_bytes else text.decode(errors="surrogateescape")
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


def _type_word(dtype: int) -> str:
    return dtype_name(dtype).removeprefix("DT_").lower()


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _shown(value: Any) -> str:
    """A value as the container shows it: objects over several lines, lists on one; the beginning of a long one."""
    text = ""
    for part in _parts(value, 0):
        text += part
        if len(text) > _MOST_SHOWN:
            return text[:_MOST_SHOWN] + "..."
    return text


def _parts(value: Any, level: int) -> Iterator[str]:
    if isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield ", " if number else ""
            yield from _parts(item, level + 1)
        yield "]"
    elif isinstance(value, dict) and value:
        for number, (name, item) in enumerate(value.items()):
            yield (",\n" if number else "{\n") + "    " * (level + 1) + json.dumps(name, ensure_ascii=False) + ": "
            yield from _parts(item, level + 1)
        yield "\n" + "    " * level + "}"
    else:
        yield json.dumps(value, ensure_ascii=False)
