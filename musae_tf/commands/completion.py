"""`musae completion`: what makes a shell complete commands and options."""

from argparse import Namespace


def completion(arguments: Namespace) -> None:
    """`musae completion bash|zsh|fish`."""
    import shtab

    print(shtab.complete(arguments.whole, shell=arguments.shell))
