"""What a model is worth: the paper's claims measured on songs that training never saw.

Importing this package loads no TensorFlow: comparing runs that were measured, and every metric by itself, need none.
What runs a model is loaded when it is asked for.
"""

import importlib
from typing import Any

from musae_tf.evaluation.compare import (
    Comparison,
    compare_folders,
    comparison_csv,
    comparison_rows,
    comparison_table,
    read_evaluation,
)
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.evaluation.statistics import phrase_statistics, share_within

_WITH_A_MODEL = {"QuickEvaluator": "quick", "evaluate_run": "report"}

__all__ = [
    "Comparison",
    "HeldOut",
    "QuickEvaluator",
    "compare_folders",
    "comparison_csv",
    "comparison_rows",
    "comparison_table",
    "evaluate_run",
    "phrase_statistics",
    "read_evaluation",
    "share_within",
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_A_MODEL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WITH_A_MODEL[name]}"), name)
