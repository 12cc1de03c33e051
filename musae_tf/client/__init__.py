"""Music from a model that is served elsewhere, without TensorFlow.

from musae_tf.client import MusaeClient

with MusaeClient("localhost:8500") as musae:
    musae.sample("bach", bars=8, seed=7).write("bach.mid")
    musae.transfer("mine.mid", to="palestrina").write("theirs.mid")
"""

from musae_tf.client.asynchronous import AsyncMusaeClient
from musae_tf.client.connection import Tls
from musae_tf.client.errors import (
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
from musae_tf.client.replies import Attributes, Description, Encoding, LatentMap, VersionStatus
from musae_tf.client.songs import Music
from musae_tf.client.sync import MusaeClient

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
