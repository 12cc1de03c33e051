"""What a model is worth: reconstruction, match of prior and posterior, statistics of samples."""

from musae_tf.evaluation.held_out import HeldOut
from musae_tf.evaluation.prior_match import two_sample_accuracy
from musae_tf.evaluation.quick import QuickEvaluator
from musae_tf.evaluation.report import evaluate_run
from musae_tf.evaluation.statistics import phrase_statistics, share_within

__all__ = [
    "HeldOut",
    "QuickEvaluator",
    "evaluate_run",
    "phrase_statistics",
    "share_within",
    "two_sample_accuracy",
]
