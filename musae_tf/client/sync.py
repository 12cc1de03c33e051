"""The client that waits."""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from types import TracebackType
from typing import TypeVar

import grpc
import numpy as np

from musae_tf.client import methods, songs
from musae_tf.client.base import BaseClient
from musae_tf.client.exchange import Pause, Steps
from musae_tf.client.replies import Description, Encoding, LatentMap, VersionStatus
from musae_tf.client.songs import Music
from musae_tf.music import Song
from musae_tf.music.grid import DEFAULT_TEMPO

T = TypeVar("T")


class MusaeClient(BaseClient):
    """A model of musae-tf on a server that speaks the protocol of TensorFlow Serving.

        with MusaeClient("localhost:8500") as musae:
            musae.sample("bach", bars=8, seed=7).write("bach.mid")

    Music goes in as a path, the bytes of a MIDI file, a `Song`, a pypianoroll `Multitrack` or an array of tokens, and
    comes out as a `Song`. Songs of any length are cut into phrases and joined again; the same seed gives the same
    song. One client can be used by many threads. All methods raise `ClientError` when the server cannot be reached or
    does not do what it is asked for, and `MusicError` for music that the model cannot take.

    The arguments are those of `BaseClient`.
    """

    @wraps(BaseClient.__init__)
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._channel = self._open(grpc)

    def sample(
        self, genre: str, bars: int = 8, temperature: float = 0.9, seed: int = 0, tempo: float | None = None
    ) -> Song:
        """A new piece of a genre: a walk through its part of the latent space.

        Args:
            genre: one of `describe().genres`.
            bars: length, 1 or more.
            temperature: 0 takes the most probable symbols, 1 draws as the model believes.
            seed: 0 or more.
            tempo: quarter notes a minute; None for what is usual in the genre.

        Raises:
            UnknownGenreError: the model has no such genre; the message lists those it has.
        """
        return self._run(songs.sample, genre, bars, temperature, seed, tempo)

    def reconstruct(self, music: Music, temperature: float = 0.0, seed: int = 0) -> Song:
        """The music as the model reads and writes it, with the source's tempo and programs."""
        return self._run(songs.reconstruct, music, temperature, seed)

    def interpolate(
        self,
        start: Music,
        end: Music,
        points: int = 5,
        temperature: float = 0.0,
        seed: int = 0,
        path: str = "linear",
    ) -> list[Song]:
        """Songs on the way from one to another; the first and the last are the reconstructions of both.

        All are as long as the longer one: the shorter one's phrases are repeated from its beginning. Tempo goes from
        the one's to the other's by equal ratios. The codes go straight (`path` "linear"), or along great arcs
        ("spherical").
        """
        return self._run(songs.interpolate, start, end, points, temperature, seed, path)

    def transfer(
        self,
        music: Music,
        to: str,
        source: str | None = None,
        strength: float = 1.0,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Song:
        """The music moved towards another genre.

        Args:
            music: the piece; tempo and programs are kept.
            to: genre to move to.
            source: genre that it is in; None takes the one of `infer_genre`.
            strength: 0 stays, 1 goes `prior.reach` of the training times the way between the genres' means.
            temperature: 0 takes the most probable symbols, 1 draws as the model believes.
            seed: 0 or more.

        Raises:
            UnknownGenreError: the model has no such genre; the message lists those it has.
        """
        return self._run(songs.transfer, music, to, source, strength, temperature, seed)

    def change(self, music: Music, changes: Mapping[str, float], temperature: float = 0.0, seed: int = 0) -> Song:
        """The music with more or less of some attributes: `change("mine.mid", {"soprano:notes": 1, "length": -0.5})`.

        Args:
            music: the piece; tempo and programs are kept.
            changes: how much more of each attribute, in standard deviations over the training music; negative for less.
                `describe().attributes` has the names.
            temperature: 0 takes the most probable symbols, 1 draws as the model believes.
            seed: 0 or more.

        Raises:
            UnknownAttributeError: the model has no such attribute; the message lists those it has.
            WrongModelError: the model was exported without attribute vectors.
        """
        return self._run(songs.change, music, changes, temperature, seed)

    def sweep(
        self,
        music: Music,
        attribute: str,
        points: int = 5,
        strength: float = 2.0,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Song]:
        """The music with less and less, and more and more, of one attribute.

        Args:
            music: the piece; tempo and programs are kept.
            attribute: one of `describe().attributes.names`.
            points: pieces, 2 or more; of an odd number the middle one is the reconstruction.
            strength: from so many standard deviations less to so many more, in equal steps.
            temperature: 0 takes the most probable symbols, 1 draws as the model believes.
            seed: 0 or more.

        Raises:
            UnknownAttributeError: the model has no such attribute; the message lists those it has.
            WrongModelError: the model was exported without attribute vectors.
        """
        return self._run(songs.sweep, music, attribute, points, strength, temperature, seed)

    def infer_genre(self, music: Music) -> str:
        """The genre that the model takes the music for."""
        return self._run(songs.infer_genre, music)

    def encode(self, music: Music) -> Encoding:
        """The phrases of the music in the latent space."""
        return self._run(songs.encode, music)

    def decode(
        self,
        latent: np.ndarray,
        temperature: float = 0.0,
        seed: int = 0,
        bars: int | None = None,
        tempo: float = DEFAULT_TEMPO,
    ) -> Song:
        """The song whose phrases have the codes float32 [n, D], cut off after some bars if `bars` is given."""
        return self._run(songs.decode, latent, temperature, seed, bars, tempo)

    def describe(self) -> Description:
        """Layout, genres and sizes of the model; asked for once, and again when the server has a new version."""
        return self._run(songs.describe)

    def map(self) -> LatentMap:
        """A plane of the latent space with the songs of the training, or draws of the model, on it.

        Raises:
            WrongModelError: the model was exported without a map.
        """
        return self._run(songs.latent_map)

    def status(self) -> list[VersionStatus]:
        """The versions of the model that the server knows of and their states, newest first."""
        return self._run(songs.status)

    def ready(self) -> bool:
        """Whether the model answers now. No retries."""
        return self._drive(methods.ready(self._session))

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return as soon as the model answers.

        Raises:
            ClientError: it does not within `timeout` seconds, or never will; the message says why.
        """
        self._drive(methods.wait_until_ready(self._session, timeout))

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> "MusaeClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, function: Callable[..., Steps[T]], *arguments) -> T:
        return self._drive(methods.whole(self._session, function, *arguments))

    def _drive(self, steps: Steps[T]) -> T:
        try:
            action = next(steps)
            while True:
                reply, error = None, None
                if isinstance(action, Pause):
                    time.sleep(action.seconds)
                else:
                    try:
                        reply = self._send(action)
                    except grpc.RpcError as failure:
                        error = self._error(failure)
                action = steps.throw(error) if error else steps.send(reply)
        except StopIteration as stop:
            return stop.value
