"""Long JSON is read and written by a process of its own, so that it holds up nobody else's requests.

Reading a megabyte of JSON keeps the interpreter for as long as thousands of predictions take to arrive, so threads do
not help. `python -m musae_tf.server.json_process` is that process, at a lower priority: it takes a pickled name and
arguments at a time from its standard input, writes the pickled result to its standard output, and ends with its input.
"""

import asyncio
import contextlib
import gc
import os
import pickle
import resource
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from musae_tf.protocol.messages import PredictRequest, SignatureDefMap
from musae_tf.server.json_tensor import parse_body, read_inputs, signature_name, text_of, write_outputs
from musae_tf.server.signature import DEFAULT
from musae_tf.server.status import Code, StatusError, as_status, invalid
from musae_tf.server.wire import check_entries

_LONG_BODY, _LONG_ANSWER = 32 * 1024, 8192
"""Bytes of a body, and values of an answer, from which on the process does the work."""
_MEMORY = 4 * 2**30
_LENGTH = struct.Struct("<Q")


def read_predict(body: bytes, packed: bool, definitions: bytes, rows: int, most: int) -> tuple[bytes, bool]:
    """The inputs of a predict request.

    Args:
        body: JSON.
        packed: whether it is compressed with gzip.
        definitions: a serialized SignatureDefMap, the signatures of the model.
        rows: most rows of an input.
        most: most bytes of JSON.

    Returns:
        A serialized PredictRequest with signature and inputs, and whether they came in rows.

    Raises:
        StatusError: INVALID_ARGUMENT, it is not formed right; RESOURCE_EXHAUSTED, it is too long or has too many
            strings.
    """
    signatures = dict(SignatureDefMap.FromString(definitions).signature_def.items())
    try:
        document = parse_body(_gunzip(body, most) if packed else body)
    except RecursionError:  # deeper than any tensor: so says the container of the signature's input
        names = [alias for name in (DEFAULT, *signatures) if name in signatures for alias in signatures[name].inputs]
        raise invalid(f"tensor parsing error: {names[0] if names else ''}") from None
    request = PredictRequest()
    name = signature_name(document)
    if (name or DEFAULT) not in signatures:
        raise invalid(f'Serving signature name: "{name or DEFAULT}" not found in signature def')
    request.model_spec.signature_name = name
    inputs = dict(signatures[name or DEFAULT].inputs.items())
    if not inputs:
        raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    tensors, in_rows = read_inputs(document, inputs, rows)
    for alias, tensor in tensors.items():
        request.inputs[alias].CopyFrom(tensor)
    data = request.SerializeToString()
    check_entries(PredictRequest, data)
    return data, in_rows


def write_predict(outputs: Mapping[str, np.ndarray], in_rows: bool) -> bytes:
    """The body of an answer to a predict request.

    Raises:
        StatusError: an output cannot be written so.
    """
    return text_of(write_outputs(outputs, in_rows), 4)


_FUNCTIONS: dict[str, Callable[..., Any]] = {"read_predict": read_predict, "write_predict": write_predict}


class JsonProcess:
    """Runs `read_predict` and `write_predict`, one call at a time if it is long. Belongs to one event loop."""

    def __init__(self) -> None:
        """Prepare; the process starts with the first long call."""
        self._process: asyncio.subprocess.Process | None = None
        self._free = asyncio.Lock()

    async def read(self, seconds: float, body: bytes, packed: bool, *arguments: Any) -> tuple[bytes, bool]:
        """`read_predict`, within some seconds.

        Raises:
            StatusError: as that; DEADLINE_EXCEEDED.
        """
        return await self._run(packed or len(body) > _LONG_BODY, seconds, read_predict, body, packed, *arguments)

    async def write(self, seconds: float, outputs: Mapping[str, np.ndarray], in_rows: bool) -> bytes:
        """`write_predict`, within some seconds.

        Raises:
            StatusError: as that; DEADLINE_EXCEEDED.
        """
        values = sum(array.size for array in outputs.values())
        return await self._run(values > _LONG_ANSWER, seconds, write_predict, outputs, in_rows)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run(self, long: bool, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
        if not long:
            return function(*arguments)
        try:
            succeeded, result = await asyncio.wait_for(self._ask(function.__name__, arguments), max(seconds, 0.001))
        except asyncio.TimeoutError:
            raise StatusError(Code.DEADLINE_EXCEEDED, "deadline exceeded while JSON was read or written") from None
        if not succeeded:
            raise StatusError(*result)
        return result

    async def _ask(self, name: str, arguments: tuple) -> tuple[bool, Any]:
        async with self._free:
            try:
                process = await self._started()
                assert process.stdin is not None
                assert process.stdout is not None
                data = pickle.dumps((name, arguments), protocol=5)
                process.stdin.writelines((_LENGTH.pack(len(data)), data))
                await process.stdin.drain()
                (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
                return pickle.loads(await process.stdout.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                await self.close()
                raise StatusError(Code.RESOURCE_EXHAUSTED, "there is not enough memory for this JSON") from None
            except BaseException:
                await self.close()  # what it answers would be taken for the answer to the next call
                raise

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            command = (sys.executable, "-m", "musae_tf.server.json_process")
            pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=nowhere, env=environment
            )
        return self._process


def _gunzip(data: bytes, most: int) -> bytes:
    """What is compressed in a body; nothing of one that is not compressed right, as in the container."""
    reader = zlib.decompressobj(wbits=31)
    try:
        text = reader.decompress(data, most)
    except zlib.error:
        return b""
    if reader.unconsumed_tail:
        raise StatusError(
            Code.RESOURCE_EXHAUSTED, f"the request unpacks to more bytes, this server's maximum over REST is {most}"
        )
    return text if reader.eof else b""


def _serve(source: BinaryIO, target: BinaryIO) -> None:
    while header := source.read(_LENGTH.size):
        name, arguments = pickle.loads(source.read(_LENGTH.unpack(header)[0]))
        try:
            answer: tuple[bool, Any] = True, _FUNCTIONS[name](*arguments)
        except Exception as error:
            failure = as_status(error)
            answer = False, (failure.code, failure.message)
        data = pickle.dumps(answer, protocol=5)
        del answer, arguments
        target.write(_LENGTH.pack(len(data)) + data)
        target.flush()


if __name__ == "__main__":
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    gc.disable()  # there are no cycles in JSON, and looking for them takes most of the time
    _serve(sys.stdin.buffer, sys.stdout.buffer)
