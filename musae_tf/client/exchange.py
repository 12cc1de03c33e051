"""What is asked and what is made of the answers, without asking: the part that both clients share.

Generators yield what to do (`Call` the server, `Pause`) and are sent what came of it, a reply or an error. The clients
do nothing else than carry that out, the one by waiting and the other by awaiting. A verb starts anew when the model
changes; `wait_until_ready` asks again and again until the model is there.
"""

import itertools
import math
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from musae_tf.client.connection import NO_THREAD
from musae_tf.errors import (
    ClientError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ServerFailedError,
    UnavailableError,
    WrongModelError,
)
from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import (
    Code,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
)
from musae_tf.protocol.services import GET_MODEL_STATUS, PREDICT, Method
from musae_tf.verbs.description import Description
from musae_tf.verbs.steps import Steps

MAX_ROWS = 64
"""Phrases of one request. A longer song takes several requests, so that it does not keep others waiting."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before the first retry, twice as long before each following one; a random part of it is left out."""

_SWAPS = 3
_NOT_YET = (UnavailableError, OverloadedError, NotFoundError, DeadlineExceededError)

P = ParamSpec("P")
T = TypeVar("T")


class Call(NamedTuple):
    """Ask the server: the generator gets the reply sent, or a ClientError thrown.

    `timeout` is in seconds, None for no limit.
    """

    method: Method
    request: Message
    timeout: float | None


class Pause(NamedTuple):
    """Wait: the generator gets None sent."""

    seconds: float


Calls: TypeAlias = Generator[Call | Pause, Any, T]


class VersionStatus(NamedTuple):
    """One version of a model on a server.

    Attributes:
        version: its number.
        state: "START", "LOADING", "AVAILABLE", "UNLOADING" or "END".
        code: "OK", or what its loading failed with, for instance "NOT_FOUND".
        message: why it failed; empty if it did not.
    """

    version: int
    state: str
    code: str
    message: str


class SwappedError(Exception):
    """The server has gone over to another version of the model since it described itself."""


@dataclass
class ClientSession:
    """What a client asks for, and what it has learnt.

    Attributes:
        target: who is asked, for messages.
        model: name of the model.
        version: its version; None for the newest, or for the one of `label`.
        label: label of a version, from the server's configuration.
        deadline: seconds that one method of the client may take, all its requests and pauses together; None: no limit.
        retries: how often a request that found nobody is sent again.
        description: of the model, once known.
    """

    target: str
    model: str
    version: int | None = None
    label: str | None = None
    deadline: float | None = 30.0
    retries: int = 4
    description: Description | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.label is not None:
            raise ClientError("a version and a label were given: give one of them, or none for the newest version")
        number = self.deadline is None or isinstance(self.deadline, (int, float))
        if not number or (self.deadline is not None and not self.deadline > 0):
            raise ClientError(f"deadline is {self.deadline!r}, must be seconds above 0, or None for no limit")
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise ClientError(f"retries is {self.retries!r}, must be a whole number, 0 or more")


class Exchange:
    """The requests of one method of a client, all to one version of the model.

    Args:
        session: of the client.
        expires: when they must be done, by `time.monotonic`.
        retries: how often each may be sent again.
    """

    def __init__(self, session: ClientSession, expires: float, retries: int):
        self._session = session
        self._expires = expires
        self._retries = retries
        self._description: Description | None = None

    def description(self) -> Calls[Description]:
        """The model's description, asked for if the client does not know it yet.

        Raises:
            WrongModelError: what answers is no model of musae-tf.
        """
        if self._description is None:
            self._description = self._session.description or (yield from self.ask_description())
        return self._description

    def ask_description(self) -> Calls[Description]:
        """The model's description as it is now.

        Raises:
            WrongModelError: what answers is no model of musae-tf.
        """
        session = self._session
        request = self._request("describe", {"request": np.zeros(1, np.int32)}, ["metadata"])
        reply: PredictResponse = yield from self._call(PREDICT, request)
        text = self._outputs(reply, ["metadata"], 1)[0][0]
        if not isinstance(text, bytes):
            raise WrongModelError(f"model {session.model!r} at {session.target} describes itself in numbers")
        description = Description.from_json(text, reply.model_spec.version.value, session.target)
        session.description = description
        return description

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> Calls[list[np.ndarray]]:
        """Ask the model, `MAX_ROWS` rows at a time.

        Args:
            signature: its name.
            inputs: arrays with the same number of rows, 1 or more, in dimension 0.
            outputs: names of those that are wanted.

        Returns:
            The outputs, with as many rows.

        Raises:
            InvalidRequestError: no rows, or what the model does not take.
        """
        rows = len(next(iter(inputs.values())))
        if not rows:
            # A server that batches would never answer it.
            raise InvalidRequestError(f"the request to {signature!r} has no rows, must have 1 or more")
        description = yield from self.description()
        parts = []
        for first in range(0, rows, MAX_ROWS):
            part = {name: array[first : first + MAX_ROWS] for name, array in inputs.items()}
            try:
                reply = yield from self._call(PREDICT, self._request(signature, part, outputs))
            except InvalidRequestError:
                # A new version may have other shapes and genres, and so refuse what the old one took.
                if (yield from self.ask_description()).version != description.version:
                    raise SwappedError from None
                raise
            if reply.model_spec.version.value != description.version:
                raise SwappedError
            parts.append(self._outputs(reply, outputs, min(MAX_ROWS, rows - first)))
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def status(self) -> Calls[list[VersionStatus]]:
        """The versions of the model that the server knows of, newest first; only the one that was asked for, if any."""
        request = GetModelStatusRequest(model_spec=ModelSpec(name=self._session.model))
        if self._session.version is not None:
            request.model_spec.version.value = self._session.version
        reply: GetModelStatusResponse = yield from self._call(GET_MODEL_STATUS, request)
        return _versions(reply)

    def _request(self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> PredictRequest:
        session = self._session
        request = PredictRequest(model_spec=ModelSpec(name=session.model, signature_name=signature))
        if session.version is not None:
            request.model_spec.version.value = session.version
        elif session.label is not None:
            request.model_spec.version_label = session.label
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_proto(array))
        request.output_filter.extend(outputs)
        return request

    def _outputs(self, reply: PredictResponse, names: Sequence[str], rows: int) -> list[np.ndarray]:
        arrays = []
        for name in names:
            try:
                array = to_array(reply.outputs[name]) if name in reply.outputs else None
            except ValueError as cause:
                raise WrongModelError(f"{self._session.target} sent an unreadable {name!r}: {cause}") from cause
            if array is None or array.shape[:1] != (rows,):
                found = "nothing" if array is None else f"shape {list(array.shape)}"
                raise WrongModelError(f"{self._session.target} sent {found} as {name!r}, must have {rows} rows")
            arrays.append(array)
        return arrays

    def _call(self, method: Method, request: Message) -> Calls[Any]:
        attempt = 0
        while True:
            try:
                return (yield Call(method, request, self._timeout()))
            except NotFoundError as error:
                failure = error
                break
            except ClientError as error:
                # All requests are pure: to send one twice does no harm.
                pause = pause_before(attempt)
                if not _refused_unseen(error) or attempt == self._retries or self._remaining() <= pause:
                    raise
            yield Pause(pause)
            attempt += 1
        raise (yield from self._explained(failure, method))

    def _remaining(self) -> float:
        return self._expires - time.monotonic()

    def _timeout(self) -> float | None:
        return None if self._expires == math.inf else max(self._remaining(), 0.0)

    def _explained(self, error: NotFoundError, method: Method) -> Calls[NotFoundError]:
        """A NotFoundError that says what the server has instead."""
        session = self._session
        which = f"no model {session.model!r}"
        if session.version is not None:
            which = f"no version {session.version} of the model {session.model!r}"
        if session.label is not None:
            which = f"no version of the model {session.model!r} that is labelled {session.label!r}"
        request = GetModelStatusRequest(model_spec=ModelSpec(name=session.model))
        hint = ""
        if method is not GET_MODEL_STATUS or session.version is not None:
            try:
                versions = _versions((yield Call(GET_MODEL_STATUS, request, self._timeout())))
                hint = "it has " + ", ".join(_in_words(version) for version in versions)
            except NotFoundError:
                which = f"no model {session.model!r}"
            except ClientError:
                pass  # the first error says more than this one
        return NotFoundError(f"{session.target} has {which}", error.code, error.details, hint)


def _refused_unseen(error: ClientError) -> bool:
    """Whether a request reached no handler: nobody there, a full queue, or no thread free to take the call."""
    return error.code == "UNAVAILABLE" or (error.code == "RESOURCE_EXHAUSTED" and NO_THREAD in error.details)


def _versions(reply: GetModelStatusResponse) -> list[VersionStatus]:
    return [
        VersionStatus(
            entry.version,
            _name(ModelVersionStatus.State, entry.state),
            _name(Code, entry.status.error_code),
            entry.status.error_message,
        )
        for entry in reply.model_version_status
    ]


def _name(enum: EnumTypeWrapper, number: int) -> str:
    return enum.Name(number) if number in enum.values() else str(number)


def _in_words(status: VersionStatus) -> str:
    failure = f": {status.message}" if status.message else ""
    return f"version {status.version} ({status.state}{failure})"


def from_now(seconds: float | None) -> float:
    """The time `seconds` from now by `time.monotonic`; None for never."""
    return math.inf if seconds is None else time.monotonic() + seconds


def pause_before(attempt: int) -> float:
    """Seconds before another attempt; random, so that many clients do not come back all at once."""
    return min(FIRST_PAUSE * 2.0 ** min(attempt, 16), LONGEST_PAUSE) * random.uniform(0.5, 1.0)


def carry_out(
    session: ClientSession, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
) -> Calls[T]:
    """One verb, with these arguments.

    It starts anew if the server changes the version of the model meanwhile, so that a song never comes from two.
    """
    expires = from_now(session.deadline)
    for _ in range(_SWAPS):
        exchange = Exchange(session, expires, session.retries)
        try:
            steps = verb((yield from exchange.description()), *arguments, **named)
            asked = next(steps)
            while True:
                asked = steps.send((yield from exchange.predict(*asked)))
        except StopIteration as stop:
            return stop.value
        except SwappedError:
            session.description = None
    raise ServerFailedError(f"{session.target} changed the version of {session.model!r} {_SWAPS} times during one call")


def status(session: ClientSession) -> Calls[list[VersionStatus]]:
    """The versions of the model that the server knows of."""
    return (yield from Exchange(session, from_now(session.deadline), session.retries).status())


def ready(session: ClientSession) -> Calls[bool]:
    """Whether the model answers now."""
    try:
        yield from Exchange(session, from_now(session.deadline), retries=0).ask_description()
    except _NOT_YET:
        return False
    return True


def wait_until_ready(session: ClientSession, timeout: float) -> Calls[None]:
    """Return when the model answers.

    Raises:
        ClientError: it does not for `timeout` seconds, or will not however long one waits.
    """
    expires = from_now(timeout)
    for attempt in itertools.count():
        try:
            yield from Exchange(session, min(expires, from_now(session.deadline)), retries=0).ask_description()
            return
        except _NOT_YET as error:
            pause = pause_before(attempt)
            if time.monotonic() + pause >= expires:
                sentence = f"model {session.model!r} was not ready after {timeout:g} s: {error}"
                raise type(error)(sentence, error.code, error.details) from None
        yield Pause(pause)
