"""`musae change`: a piece with more or less of something."""

from argparse import Namespace

from musae_tf.commands.pieces import changed, check_out, read_song, write_pieces
from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import find_run, open_dataset
from musae_tf.errors import RunError


def change(arguments: Namespace) -> None:
    """`musae change RUN SONG.mid --more NAME --less NAME`."""
    wanted = [(name, arguments.strength) for name in arguments.more]
    wanted += [(name, -arguments.strength) for name in arguments.less]
    changes = dict(wanted)
    if not changes:
        raise RunError("say what the piece is to have more or less of: --more notes, --less bass:register, ...")
    if len(changes) < len(wanted):
        raise RunError("an attribute is named twice: each can be asked for once")
    path = find_run(arguments.run)
    load_tensorflow()
    from musae_tf import generation
    from musae_tf.latent import attribute_names
    from musae_tf.latent.attributes import attribute_number
    from musae_tf.latent.of_run import attributes_path, is_current, load_attributes
    from musae_tf.training import Run

    run = Run.open(path)
    for name in changes:
        attribute_number(attribute_names(run.layout), name)
    check_out(arguments.out, 1)
    song = read_song(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    dataset = None
    if not is_current(run):
        print(f"fitting attribute vectors, once: they are kept in {attributes_path(run)}")
        dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
    attributes = load_attributes(run, model, dataset)
    new = generation.change(model, run.layout, song, attributes, changes, arguments.temperature, arguments.seed)
    write_pieces([changed(song, changes, new)], run.layout, arguments.out, run.path / "samples", wav=arguments.wav)
