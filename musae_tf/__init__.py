"""musae-tf: train, steer and serve a latent space of multi-track symbolic music (MusAE).

    from musae_tf import Musae

Importing this package loads neither TensorFlow nor gRPC: what a model needs is loaded with it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musae_tf.musae import Musae as Musae

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name == "Musae":
        from musae_tf.musae import Musae

        return Musae
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
