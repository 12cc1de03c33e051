"""The systems at a size that trains in moments, with every option that they have."""

from musae_tf.config import Config, config_from_dict

KINDS = ("musae_gm", "musae", "vae", "cvae", "autoencoder")
SYSTEMS = (*KINDS, "autoregressive")
"""The last one is musae_gm with another decoder."""

# What each system can be told besides the weight of its own term.
OPTIONS = {
    "musae_gm": {"infomax": 0.1, "order": 0.2, "divergence": 0.01},
    "musae": {"infomax": 0.1},
    "vae": {"order": 0.2},
    "cvae": {},
    "autoencoder": {},
    "autoregressive": {"infomax": 0.1, "order": 0.2},
}  # fmt: skip
_DECODERS = {"vae": "hierarchical", "autoregressive": "autoregressive"}


def tiny(kind: str, **training) -> Config:
    """A configuration with all options of one of `SYSTEMS` on."""
    return config_from_dict(
        {
            "name": kind,
            "music": {"bars": 1},
            "data": {"sounding": "any"},
            "model": {
                "kind": "musae_gm" if kind == "autoregressive" else kind,
                "latent": 8, "embedding": 4, "encoder_units": 8, "decoder_units": 8,
                "decoder": _DECODERS.get(kind, "flat"),
                "hidden_parts": kind == "autoregressive",
            },
            "prior": {"axes": 2, "geometry": "learned", "fitted": kind == "cvae"},
            "critic": {"units": [8], "steps": 2},
            "regularisation": {"weight_schedule": [[0, 0.1], [6, 0.3]], **OPTIONS[kind]},
            "training": {
                "steps": 8, "batch_size": 16, "warmup_steps": 2, "log_every": 2, "evaluate_every": 4,
                "evaluate_phrases": 32, "checkpoint_every": 3, "strategy": "one", **training,
            },
        },
        "test",
    )  # fmt: skip
