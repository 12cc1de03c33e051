"""musae-tf: train, steer and serve a latent space of multi-track symbolic music (MusAE).

Importing this package loads no TensorFlow: a machine that only talks to a server has none.
"""

__version__ = "0.2.0"
