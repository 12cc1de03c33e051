"""The page of `musae evaluate`: one file with tables, maps, pianorolls and sound that opens without a network."""

from musae_tf.evaluation.page.document import evaluation_page

__all__ = ["evaluation_page"]
