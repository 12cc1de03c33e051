"""The TF1 session of a SavedModel, loaded and run by TensorFlow's C++ code."""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path

from musae_tf.protocol.messages import SignatureDefMap
from musae_tf.server.status import Code, StatusError
from musae_tf.server.tensorflow_c import Buffer, Output, Status, Tensor, library, pointer
from musae_tf.server.wire import read_varint, varint


def start_engine() -> None:
    """Load the library and let it look for devices, which it reports on standard error.

    Raises:
        ServeError: TensorFlow is not installed.
    """
    loaded = library()
    graph, options = loaded.TF_NewGraph(), loaded.TF_NewSessionOptions()
    with Status() as status:
        session = loaded.TF_NewSession(graph, options, status.pointer)
        status.check()
        loaded.TF_DeleteSession(session, status.pointer)
    loaded.TF_DeleteSessionOptions(options)
    loaded.TF_DeleteGraph(graph)


class Plan:
    """A run of the session that is prepared once: which tensors are fed and which are fetched."""

    def __init__(self, feeds: Sequence[Output], fetches: Sequence[Output]):
        self.feeds = (Output * len(feeds))(*feeds)
        self.fetches = (Output * len(fetches))(*fetches)


class Session:
    """A loaded SavedModel.

    Attributes:
        signatures: the model's signatures, as a SignatureDefMap.
    """

    def __init__(self, folder: Path, tags: Sequence[str] = ("serve",), intra_op: int = 0, inter_op: int = 0):
        """Load a SavedModel.

        Args:
            folder: what holds saved_model.pb.
            tags: the tags of the MetaGraph to load.
            intra_op: threads for one operation; 0 leaves it to TensorFlow.
            inter_op: threads for operations side by side; 0 leaves it to TensorFlow.

        Raises:
            StatusError: the loader's own error.
        """
        loaded = self._library = library()
        # ConfigProto, fields 2 and 5, and of the optimizer of graphs (10, 10) one round, not two (12), no layouts (1)
        # and no saving of memory (4): they find little, and take a third of the time until it answers first.
        optimizer = (0x60, 1, 0x08, 2, 0x20, 1)
        rewriting = (0x52, 2 + len(optimizer), 0x52, len(optimizer), *optimizer)
        config = bytes((0x10, *varint(intra_op), 0x28, *varint(inter_op), *rewriting))
        options, meta_graph = loaded.TF_NewSessionOptions(), loaded.TF_NewBuffer()
        self._graph = loaded.TF_NewGraph()
        self._session = None
        try:
            with Status() as status:
                loaded.TF_SetConfig(options, config, len(config), status.pointer)
                status.check()
                names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
                self._session = loaded.TF_LoadSessionFromSavedModel(
                    options, None, str(folder).encode(), names, len(tags), self._graph, meta_graph, status.pointer
                )
                status.check()
            content = Buffer.from_address(meta_graph)
            self.signatures = _signatures(ctypes.string_at(content.data, content.length))
        except BaseException:
            self.close()
            raise
        finally:
            loaded.TF_DeleteBuffer(meta_graph)
            loaded.TF_DeleteSessionOptions(options)

    def plan(self, feeds: Sequence[str], fetches: Sequence[str]) -> Plan:
        """Prepare runs that feed and fetch tensors by name.

        Raises:
            StatusError: INVALID_ARGUMENT, a tensor that the graph does not have.
        """
        return Plan([self._output(name) for name in feeds], [self._output(name) for name in fetches])

    def run(self, plan: Plan, inputs: Sequence[Tensor], timeout_ms: int = 0) -> list[Tensor]:
        """Run the graph.

        Args:
            plan: from `plan`.
            inputs: a tensor for each of its feeds.
            timeout_ms: after how long to give up; 0 for never.

        Raises:
            StatusError: what an operation failed with, or DEADLINE_EXCEEDED.
        """
        options = bytes((0x10, *varint(timeout_ms)))  # RunOptions, field 2
        values = (pointer * len(inputs))(*(tensor.pointer for tensor in inputs))
        results = (pointer * len(plan.fetches))()
        with Status() as status:
            self._library.TF_SessionRun(
                self._session, ctypes.byref(Buffer.of(options)), plan.feeds, values, len(inputs),
                plan.fetches, results, len(results), None, 0, None, status.pointer,
            )  # fmt: skip
            status.check()
        return [Tensor(address) for address in results if address]

    def interrupt(self) -> None:
        """End the runs under way, and fail those to come, with CANCELLED."""
        with Status() as status:
            self._library.TF_CloseSession(self._session, status.pointer)

    def close(self) -> None:
        """Free the graph and its variables. No run may be under way."""
        with Status() as status:
            if self._session:
                self._library.TF_CloseSession(self._session, status.pointer)
                self._library.TF_DeleteSession(self._session, status.pointer)
                self._session = None
        if self._graph:
            self._library.TF_DeleteGraph(self._graph)
            self._graph = None

    def _output(self, name: str) -> Output:
        operation, _, index = name.partition(":")
        number = int(index) if index.isdecimal() else 0
        found = self._library.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            # What DirectSession says; the C API asks for the operation before the session can.
            raise StatusError(
                Code.INVALID_ARGUMENT,
                f"Tensor {operation}:{number}, specified in either feed_devices or fetch_devices was not found in the "
                "Graph",
            )
        outputs = self._library.TF_OperationNumOutputs(found)
        if number >= outputs:
            kind = self._library.TF_OperationOpType(found).decode()
            raise StatusError(
                Code.OUT_OF_RANGE,
                f"Node '{operation}' (type: '{kind}', num of outputs: {outputs}) does not have output {number}",
            )
        return Output(found, number)


def _signatures(meta_graph: bytes) -> SignatureDefMap:
    """The signatures (field 5) of a serialized MetaGraphDef, read without parsing its graph."""
    entries = bytearray()
    for field, payload in _fields(meta_graph):
        if field == 5:
            entries += bytes((0x0A, *varint(len(payload)))) + payload  # the same map is field 1 of SignatureDefMap
    return SignatureDefMap.FromString(bytes(entries))


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of a message's fields; all those of MetaGraphDef are length-delimited but its last, a bool."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        length, at = read_varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at : at + length]
            at += length
