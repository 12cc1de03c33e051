"""Methods made of the verbs: some that wait (`Verbs`), some that are awaited (`AsyncVerbs`)."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

from musae_tf.verbs import editing, functions
from musae_tf.verbs.description import Description
from musae_tf.verbs.steps import Steps

P = ParamSpec("P")
T = TypeVar("T")
Self = TypeVar("Self", bound="Verbs")


def blocking(verb: Callable[Concatenate[Description, P], Steps[T]]) -> Callable[Concatenate["Verbs", P], T]:
    """The method that waits for what a verb returns, with the verb's own arguments, defaults and documentation."""

    @wraps(verb)
    def method(self: "Verbs", *arguments: P.args, **named: P.kwargs) -> T:
        return self._carry_out(verb, *arguments, **named)

    method.__signature__ = _signature(verb)  # type: ignore[attr-defined]
    return method


def awaiting(
    verb: Callable[Concatenate[Description, P], Steps[T]],
) -> Callable[Concatenate["AsyncVerbs", P], Coroutine[Any, Any, T]]:
    """As `blocking`, to be awaited."""

    @wraps(verb)
    async def method(self: "AsyncVerbs", *arguments: P.args, **named: P.kwargs) -> T:
        return await self._carry_out(verb, *arguments, **named)

    method.__signature__ = _signature(verb)  # type: ignore[attr-defined]
    return method


def _signature(verb: Callable[..., Steps[Any]]) -> inspect.Signature:
    """Of the method: `self` in place of the description, and what the verb returns in place of its steps."""
    whole = inspect.signature(verb)
    _, *others = whole.parameters.values()
    # Steps[T] is Generator[SignatureCall, list, T].
    result = get_args(whole.return_annotation)[-1]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return whole.replace(parameters=[itself, *others], return_annotation=result)


class Verbs(ABC):
    """A model of music, in this process or on a server: all that `musae_tf.Musae` gives is one.

    Music goes in as a path, the bytes of a MIDI file, a `Song`, an object of pypianoroll, symusic, pretty_midi or
    music21, or an array of tokens, and comes out as a `Song`. Songs of any length are cut into phrases and joined
    again; the same seed gives the same song, wherever the model is. All methods raise `ClientError` for what the model
    does not take (and when a server cannot be reached), and `MusicError` for music that it cannot take.
    """

    sample = blocking(functions.sample)
    reconstruct = blocking(functions.reconstruct)
    interpolate = blocking(functions.interpolate)
    transfer = blocking(functions.transfer)
    change = blocking(functions.change)
    sweep = blocking(functions.sweep)
    fill = blocking(editing.fill)
    harmonise = blocking(editing.harmonise)
    continue_ = blocking(editing.continue_)
    vary = blocking(editing.vary)
    infer_genre = blocking(functions.infer_genre)
    encode = blocking(functions.encode)
    decode = blocking(functions.decode)
    describe = blocking(functions.describe)
    map = blocking(functions.latent_map)

    @abstractmethod
    def _carry_out(
        self, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Do what a verb yields, and return what it returns."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what holds the model; may be called again."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncVerbs(ABC):
    """`Verbs` for asyncio: the same methods, each to be awaited."""

    sample = awaiting(functions.sample)
    reconstruct = awaiting(functions.reconstruct)
    interpolate = awaiting(functions.interpolate)
    transfer = awaiting(functions.transfer)
    change = awaiting(functions.change)
    sweep = awaiting(functions.sweep)
    fill = awaiting(editing.fill)
    harmonise = awaiting(editing.harmonise)
    continue_ = awaiting(editing.continue_)
    vary = awaiting(editing.vary)
    infer_genre = awaiting(functions.infer_genre)
    encode = awaiting(functions.encode)
    decode = awaiting(functions.decode)
    describe = awaiting(functions.describe)
    map = awaiting(functions.latent_map)

    @abstractmethod
    async def _carry_out(
        self, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Do what a verb yields, and return what it returns."""
