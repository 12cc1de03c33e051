"""A signature of a loaded model: checks a request against it and makes the engine's tensors."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence

from musae_tf.protocol.codec import dtype_name, shape_of, values_sent
from musae_tf.protocol.messages import DataType, SignatureDef, TensorProto, TensorShapeProto
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensorflow_c import STRING, Tensor

DEFAULT = "serving_default"
_ITEM_BYTES = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 8: 8, 9: 8, 10: 1, 14: 2, 17: 2, 18: 16, 19: 2, 22: 4, 23: 8}
_STRING_BYTES = 24
_MOST_DIMENSIONS = 254
_RESOURCE = 20
_NO_RESOURCES = (
    "Invalid resource type hash code: 0(name:  type: ). Perhaps a resource tensor was being provided as a feed? That "
    "is not currently allowed. Please file an issue at https://github.com/tensorflow/tensorflow/issues/new, ideally "
    "with a short code snippet that leads to this error message."
)
_VALUES = frozenset(number for number in DataType.values() if 0 < number < 100)
"""All DataTypes but none and references."""


_FREE_BYTES = 64 * 1024
_FREE_ELEMENTS, _FREE_RANK = 1024, 8
"""A tensor of another shape than the signature's gets to the graph, for its own error, only if it is small."""


class RequestLimits:
    """How much a request may hold; checked before memory is taken for its tensors."""

    def __init__(self, rows: int, size: int, unsent: int = _FREE_BYTES):
        """Limit the rows (dimension 0) of every input, and the bytes of all tensors together.

        Of these bytes `unsent` may be claimed by shapes without having been sent: the last value is repeated there.
        """
        self.rows, self.bytes, self.unsent = rows, size, unsent

    def check(self, inputs: Mapping[str, TensorProto], shapes: Mapping[str, Sequence[int]]) -> None:
        """Refuse a request that is too large, or claims to be larger than what was sent of it.

        Raises:
            StatusError: INVALID_ARGUMENT, naming the input and the limit.
        """
        total = unsent = 0
        for alias, proto in inputs.items():
            shape = shapes[alias]
            if shape and shape[0] > self.rows:
                raise invalid(f"input {alias} has {shape[0]} rows, larger than this server's maximum of {self.rows}")
            # A zero counts as a one: an operation that sums over the empty dimension makes a tensor of the others, and
            # the engine ends the whole process if it cannot count that tensor's elements.
            count, sent = _elements(shape), values_sent(proto)
            item, missing, repeated = _ITEM_BYTES.get(proto.dtype, _STRING_BYTES), max(0, count - sent), 0
            if missing and sent and proto.dtype == STRING:
                repeated = len(proto.string_val[-1])
            total += count * item + missing * repeated
            unsent += missing * (item + repeated)
            if total > self.bytes:
                raise invalid(
                    f"input {alias} of shape {list(shape)} needs more memory than this server's maximum of "
                    f"{self.bytes} bytes a request"
                )
            if unsent > self.unsent:
                raise invalid(f"input {alias} of shape {list(shape)} must have {count} values, {sent} were sent")


UNLIMITED = RequestLimits(2**63, 2**63, 2**63)
"""For requests that come with the model."""


class Signature:
    """One entry of a model's SignatureDef map.

    Attributes:
        definition: the SignatureDef.
        aliases: names of the inputs, sorted.
        feeds: tensors of the graph that they feed, in that order.
        fetches: tensors of the graph by the name of the output.
    """

    def __init__(self, definition: SignatureDef):
        self.definition = definition
        self.aliases = sorted(definition.inputs)
        self.feeds = tuple(definition.inputs[alias].name for alias in self.aliases)
        self.fetches = {alias: info.name for alias, info in definition.outputs.items()}
        self._known = frozenset(self.aliases)
        self._defaults = dict(definition.defaults)
        self._by_feed = [alias for _, alias in sorted(zip(self.feeds, self.aliases, strict=True))]
        self._dtypes = {alias: info.dtype for alias, info in definition.inputs.items()}
        self._sizes = {alias: _declared(info.tensor_shape) for alias, info in definition.inputs.items()}

    def check(self, request: Mapping[str, TensorProto]) -> tuple[dict[str, TensorProto], dict[str, Sequence[int]]]:
        """The TensorProtos of a request, or the signature's defaults for them, in the order of `feeds`; their shapes.

        Raises:
            StatusError: INVALID_ARGUMENT, wrong names, or tensors that are none.
        """
        request = dict(request.items())
        defaults, known = self._defaults, self._known
        if len(request) > len(known) or (len(request) < len(known) and not defaults):
            raise invalid(
                f"input size does not match signature: {len(request)}!={len(known)} len({_set(request)}) != "
                f"len({_set(known)}). Sent extra: {_set(request.keys() - known)}. Missing but required: "
                f"{_set(known - request.keys())}."
            )
        found, shapes = {}, {}
        for alias, feed in zip(self.aliases, self.feeds, strict=True):
            if alias in request:
                found[alias] = request[alias]
            elif alias in defaults:
                found[alias] = defaults[alias]
            else:
                raise invalid(
                    f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default value "
                    f"provided. Inputs expected to be in the request {_set(request)}, or default input alias set: "
                    f"{','.join(sorted(defaults))}"
                )
            if found[alias].dtype == _RESOURCE:
                raise invalid(_NO_RESOURCES)
            shape = _sound_shape(found[alias])
            if shape is None:
                raise _unparseable(alias)
            shapes[alias] = shape
        if not request.keys() <= known:
            raise invalid(
                f"Inputs contains invalid name. Used request inputs: {','.join(sorted(request.keys() & known))}, "
                f"request input: {','.join(sorted(request))}"
            )
        return found, shapes

    def tensors(
        self,
        checked: Mapping[str, TensorProto],
        shapes: Mapping[str, Sequence[int]],
        sent: Container[str],
        limits: RequestLimits,
    ) -> list[Tensor]:
        """The engine's tensors for what `check` returned. No value is read before types, shapes and sizes are right.

        Args:
            checked: TensorProtos.
            shapes: their shapes.
            sent: names of those that came with the request; the others are the model's own.
            limits: how much may be sent.

        Raises:
            StatusError: INVALID_ARGUMENT, another type or shape than the signature's, or too large a request.
        """
        for place, alias in enumerate(self._by_feed):
            wanted, found = self._dtypes[alias], checked[alias].dtype
            if wanted != found:
                raise invalid(f"Expects arg[{place}] to be {_word(wanted)} but {_word(found)} is provided")
            if found != STRING and found not in _ITEM_BYTES:
                # A resource or variant is decoded into objects of the process: not from strangers.
                raise StatusError(Code.UNIMPLEMENTED, f"input {alias} is of type {_word(found)}, which is not served")
        limits.check({alias: proto for alias, proto in checked.items() if alias in sent}, shapes)
        for alias, shape in shapes.items():
            self._check_shape(alias, shape)
        tensors = []
        for alias, proto in checked.items():
            try:
                tensors.append(Tensor.from_proto(proto, shapes[alias]))
            except StatusError:
                raise _unparseable(alias) from None
        return tensors

    def _check_shape(self, alias: str, shape: Sequence[int]) -> None:
        wanted = self._sizes[alias]
        if wanted is None or (len(shape) <= _FREE_RANK and _elements(shape) <= _FREE_ELEMENTS):
            return
        if len(shape) != len(wanted) or any(size not in (-1, given) for size, given in zip(wanted, shape, strict=True)):
            sizes = ", ".join("any" if size < 0 else str(size) for size in wanted)
            raise invalid(f"input {alias} has shape {list(shape)}, must have [{sizes}]")

    def outputs(self, output_filter: Sequence[str]) -> tuple[str, ...]:
        """Names of the outputs to fetch, sorted: those of the filter, or all.

        Raises:
            StatusError: INVALID_ARGUMENT, unknown or listed twice.
        """
        known = self.fetches
        seen = set()
        for alias in output_filter:
            if alias not in known:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                    f"{_set(known)}."
                )
            if alias in seen:
                raise invalid(f"duplicate output tensor alias: {alias}")
            seen.add(alias)
        return tuple(sorted(seen or known))


def find_signature(signatures: Mapping[str, Signature], name: str) -> tuple[str, Signature]:
    """The effective name and the signature that a Predict request asks for; an empty name is the default.

    Raises:
        StatusError: FAILED_PRECONDITION, there is none of that name.
    """
    name = name or DEFAULT
    if name not in signatures:
        raise StatusError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    return name, signatures[name]


def _unparseable(alias: str) -> StatusError:
    return invalid(f"tensor parsing error: {alias}")


def _sound_shape(proto: TensorProto) -> Sequence[int] | None:
    """The shape of a tensor whose type, shape and content can be right, as far as its values need not be read."""
    if proto.dtype not in _VALUES:
        return None
    try:
        shape = shape_of(proto)
    except ValueError:
        return None
    if len(shape) > _MOST_DIMENSIONS:
        return None
    content = len(proto.tensor_content)
    count = math.prod(shape) if content else 0
    whole = not count or (proto.dtype != STRING and content == count * _ITEM_BYTES.get(proto.dtype, 1))
    return shape if whole else None


def _declared(shape: TensorShapeProto) -> Sequence[int] | None:
    """The sizes that a signature asks for, -1 for any; None for any at all."""
    return None if shape.unknown_rank else [dim.size for dim in shape.dim]


def _elements(shape: Sequence[int]) -> int:
    """How many elements a shape has, a zero counted as a one."""
    return math.prod(shape) or math.prod(size or 1 for size in shape)


def _word(dtype: int) -> str:
    return dtype_name(dtype).removeprefix("DT_").lower()


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
