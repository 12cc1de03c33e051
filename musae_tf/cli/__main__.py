"""`python -m musae_tf.cli`: the `musae` command where it is not installed as a program."""

import sys

from musae_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
