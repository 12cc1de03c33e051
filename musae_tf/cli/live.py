"""`musae live`: the model on a stage, asked by Open Sound Control, heard over MIDI."""

import os
from argparse import Namespace
from contextlib import ExitStack, suppress
from typing import Any

from musae_tf.cli.parser import Commands, command, integer, number
from musae_tf.cli.shared import standard_error_held_back
from musae_tf.cli.studio import add_source, find_source
from musae_tf.errors import LiveError


def add_live(commands: Commands) -> None:
    """Add `musae live`."""
    summary = "play a model on a stage: OSC messages in, MIDI notes out"
    example, stopped = "musae live runs/NAME --osc 9000 --midi musae", "nothing was played"
    parser = command(commands, "live", live, summary, example, stopped, extra="live")
    add_source(parser)
    host = "address to listen on; 0.0.0.0 lets others in (default: 127.0.0.1)"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    port = "UDP port for messages (default: 9000)"
    parser.add_argument("--osc", type=integer(1, 65535), default=9000, metavar="PORT", help=port)
    midi = "MIDI output to play on, or else name of a new virtual port (default: musae)"
    parser.add_argument("--midi", default="musae", metavar="NAME", help=midi)
    tempo = "quarter notes a minute, 20 to 400 (default: what each piece has)"
    parser.add_argument("--tempo", type=number(20, 400), metavar="BPM", help=tempo)


def live(arguments: Namespace) -> None:
    """`musae live [RUN|MODEL_DIR]` or `musae live --server HOST:PORT`."""
    from musae_tf.client import MusaeClient
    from musae_tf.live.osc import listen, open_socket
    from musae_tf.live.performance import Begun, Performance
    from musae_tf.live.player import MidiPlayer
    from musae_tf.signals import signals_kept, wakeup_pipe

    with ExitStack() as stack:
        server, name = find_source(arguments)
        receiving = stack.enter_context(open_socket(arguments.host, arguments.osc))
        port = stack.enter_context(_port(arguments.midi))
        last = stack.enter_context(ExitStack())  # what waits for the server to be gone
        stack.enter_context(server)
        musae = stack.enter_context(MusaeClient(server.target, name, deadline=arguments.deadline))
        model = musae.describe()
        caught = stack.enter_context(signals_kept())
        reading, writing = stack.enter_context(wakeup_pipe())

        def failed() -> None:
            os.write(writing, b"\0")

        def player(begun: Begun) -> MidiPlayer:
            return MidiPlayer(port, arguments.tempo, begun, failed)

        performance = Performance(musae, server, player, _say)
        stack.enter_context(performance)
        last.callback(performance.join)
        arguments.stopped = "all notes are off"
        _say(f"genres: {', '.join(model.genres)}; tracks: {', '.join(model.layout.names)}")
        _say(f"MIDI: {port.name}")
        _say(f"OSC: udp://{arguments.host}:{arguments.osc}")
        listen(receiving, reading, lambda: bool(caught or performance.player.failure), performance.receive)
        failure = performance.player.failure
        if failure is not None and not caught:
            raise LiveError(f"the MIDI port {port.name!r} has failed: {failure}") from failure


def _port(name: str) -> Any:
    """As `open_port`, without what sound libraries write to standard error by themselves."""
    from musae_tf.live.player import open_port

    failed: LiveError
    with standard_error_held_back():
        try:
            return open_port(name)
        except LiveError as error:
            failed = error
    raise failed


def _say(line: str) -> None:
    with suppress(OSError):  # a performance goes on when its terminal has gone
        print(line, flush=True)
