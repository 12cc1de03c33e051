"""Music from a model that is served elsewhere, without TensorFlow.

from musae_tf.client import MusaeClient

with MusaeClient("localhost:8500") as musae:
    musae.sample("bach", bars=8, seed=7).write("bach.mid")
    musae.transfer("mine.mid", to="palestrina").write("theirs.mid")
"""

from musae_tf.client.client import AsyncMusaeClient, MusaeClient
from musae_tf.client.connection import Tls
from musae_tf.client.exchange import VersionStatus
from musae_tf.errors import (
    AccessDeniedError,
    ClientError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ServerFailedError,
    UnavailableError,
    UnknownAttributeError,
    UnknownGenreError,
    WrongModelError,
)
from musae_tf.music.pieces import Music
from musae_tf.verbs.description import Attributes, Description, Encoding, LatentMap

__all__ = [
    "AccessDeniedError",
    "AsyncMusaeClient",
    "Attributes",
    "ClientError",
    "DeadlineExceededError",
    "Description",
    "Encoding",
    "InvalidRequestError",
    "LatentMap",
    "MusaeClient",
    "Music",
    "NotFoundError",
    "OverloadedError",
    "ServerFailedError",
    "Tls",
    "UnavailableError",
    "UnknownAttributeError",
    "UnknownGenreError",
    "VersionStatus",
    "WrongModelError",
]
