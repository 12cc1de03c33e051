"""A signature of a loaded model: checks a request against it and makes the engine's tensors."""

import math
from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import Message

from musae_tf.protocol.codec import shape_of
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensor import STRING, Tensor

DEFAULT = "serving_default"
_ITEM_BYTES = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 8: 8, 9: 8, 10: 1, 14: 2, 17: 2, 18: 16, 19: 2, 22: 4, 23: 8}
_STRING_BYTES = 24


class RequestLimits:
    """How much a request may hold; checked before memory is taken for its tensors."""

    def __init__(self, rows: int, size: int):
        """Limit the rows (dimension 0) of every input, and the bytes of all tensors together."""
        self.rows, self.bytes = rows, size

    def check(self, inputs: Mapping[str, Message]) -> dict[str, tuple[int, ...]]:
        """Refuse a request that is too large.

        Returns:
            The shapes of its inputs.

        Raises:
            StatusError: INVALID_ARGUMENT, naming the input and the limit, or an input whose shape is none.
        """
        total, shapes = 0, {}
        for alias, proto in inputs.items():
            try:
                shape = shapes[alias] = shape_of(proto)
            except ValueError:
                raise _unparseable(alias) from None
            if shape and shape[0] > self.rows:
                raise invalid(f"input {alias} has {shape[0]} rows, larger than this server's maximum of {self.rows}")
            total += _bytes(proto, shape)
            if total > self.bytes:
                raise invalid(
                    f"input {alias} of shape {list(shape)} needs more memory than this server's maximum of "
                    f"{self.bytes} bytes a request"
                )
        return shapes


UNLIMITED = RequestLimits(2**63, 2**63)
"""For requests that come with the model."""


def _bytes(proto: Message, shape: Sequence[int]) -> int:
    """Memory that the tensor will take; a shape may claim far more elements than the message lists.

    A zero counts as a one: an operation that sums over the empty dimension makes a tensor of the others, and the
    engine ends the whole process if it cannot count that tensor's elements.
    """
    count = math.prod(size or 1 for size in shape)
    if proto.dtype != STRING:
        return count * _ITEM_BYTES.get(proto.dtype, 16)
    # The last string is repeated for those that are missing.
    missing = max(0, count - len(proto.string_val))
    repeated = len(proto.string_val[-1]) if proto.string_val else 0
    return count * _STRING_BYTES + missing * repeated


class Signature:
    """One entry of a model's SignatureDef map.

    Attributes:
        definition: the SignatureDef.
        aliases: names of the inputs, sorted.
        feeds: tensors of the graph that they feed, in that order.
        fetches: tensors of the graph by the name of the output.
    """

    def __init__(self, definition: Message):
        self.definition = definition
        self.aliases = sorted(definition.inputs)
        self.feeds = tuple(definition.inputs[alias].name for alias in self.aliases)
        self.fetches = {alias: info.name for alias, info in definition.outputs.items()}
        self._known = frozenset(self.aliases)

    def tensors(self, request: Mapping[str, Message], limits: RequestLimits) -> list[Tensor]:
        """The engine's tensors for the inputs of a request, in the order of `feeds`.

        Raises:
            StatusError: INVALID_ARGUMENT, wrong names, tensors that are none, or too large a request.
        """
        defaults = self.definition.defaults
        sent, known = {alias: request[alias] for alias in sorted(request)}, self._known
        if len(sent) > len(known) or (len(sent) < len(known) and not defaults):
            raise invalid(
                f"input size does not match signature: {len(sent)}!={len(known)} len({_set(sent)}) != "
                f"len({_set(known)}). Sent extra: {_set(sent.keys() - known)}. Missing but required: "
                f"{_set(known - sent.keys())}."
            )
        shapes = limits.check(sent)
        tensors = []
        for alias, feed in zip(self.aliases, self.feeds, strict=True):
            if alias in sent:
                proto = sent[alias]
            elif alias in defaults:
                proto = defaults[alias]
            else:
                raise invalid(
                    f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default value "
                    f"provided. Inputs expected to be in the request {_set(sent)}, or default input alias set: "
                    f"{','.join(sorted(defaults))}"
                )
            try:
                tensors.append(Tensor.from_proto(proto, shapes[alias] if alias in shapes else shape_of(proto)))
            except (StatusError, ValueError):
                raise _unparseable(alias) from None
        if not sent.keys() <= known:
            raise invalid(
                f"Inputs contains invalid name. Used request inputs: {','.join(sorted(sent.keys() & known))}, request "
                f"input: {','.join(sent)}"
            )
        return tensors

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


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
