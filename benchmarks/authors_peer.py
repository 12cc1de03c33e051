"""The authors' graph in a process of its own: TensorFlow's threads are one setting for a whole process.

Standard input: one line of JSON, {"size": NAME, "quick": BOOL, "genres": G}; then a line for every step to make.
"""

import json
import sys

from benchmarks.authors_graph import AuthorsGraph
from benchmarks.game import phrases
from benchmarks.training_step import SIZES, settings


def main() -> None:
    """Answer until standard input ends."""
    told = json.loads(sys.stdin.readline())
    config = settings(told["quick"])[told["size"]]
    step = AuthorsGraph(config, *phrases(config, SIZES, told["genres"]), SIZES[0], told["genres"])
    print("ready", flush=True)
    for _ in sys.stdin:
        print(step(), flush=True)


if __name__ == "__main__":
    main()
