"""`musae data fetch`: public archives of music."""

from argparse import Namespace
from pathlib import Path

from musae_tf.commands.runs import print_next
from musae_tf.data.fetch import COLLECTIONS, describe_collection, fetch
from musae_tf.data.fetch.fetch import choose, confirm


def fetch_collection(arguments: Namespace) -> None:
    """`musae data fetch lmd|lpd`."""
    collection = COLLECTIONS[arguments.collection]
    to = Path(arguments.out or Path("downloads") / collection.name)
    archives = choose(collection, arguments.only, arguments.url)
    text = describe_collection(collection, archives, to)
    if arguments.yes:
        print(text)
    else:
        confirm(text)
    fetch(archives, to, keep=arguments.keep_archives)
    print_next((collection.build.removeprefix("musae ").format(to=to), "make a dataset of it"))
