"""How a client's methods run: anew when the model changes, again and again until the model is there."""

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

from musae_tf.client.errors import (
    DeadlineExceededError,
    NotFoundError,
    OverloadedError,
    ServerFailedError,
    UnavailableError,
)
from musae_tf.client.exchange import Exchange, Pause, Session, Steps, SwappedError, from_now, pause_before

T = TypeVar("T")

_SWAPS = 3
_NOT_YET = (UnavailableError, OverloadedError, NotFoundError, DeadlineExceededError)


def whole(session: Session, function: Callable[..., Steps[T]], *arguments) -> Steps[T]:
    """One method of a client: `function(exchange, *arguments)`.

    It starts anew if the server changes the version of the model meanwhile, so that a song never comes from two.
    """
    expires = from_now(session.deadline)
    for _ in range(_SWAPS):
        try:
            return (yield from function(Exchange(session, expires, session.retries), *arguments))
        except SwappedError:
            session.description = None
    raise ServerFailedError(f"{session.target} changed the version of {session.model!r} {_SWAPS} times during one call")


def ready(session: Session) -> Steps[bool]:
    """Whether the model answers now."""
    try:
        yield from Exchange(session, from_now(session.deadline), retries=0).ask_description()
    except _NOT_YET:
        return False
    return True


def wait_until_ready(session: Session, timeout: float) -> Steps[None]:
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
