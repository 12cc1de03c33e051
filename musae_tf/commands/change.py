"""`musae change`: a piece with more or less of something."""

from argparse import Namespace

from musae_tf.commands.pieces import changed, check_out, read_song, swept, wanted, write_pieces
from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import find_run, open_dataset


def change(arguments: Namespace) -> None:
    """`musae change RUN SONG.mid --more NAME --less NAME`, or `--sweep NAME`."""
    changes = wanted(arguments)
    path = find_run(arguments.run)
    load_tensorflow()
    from musae_tf import generation
    from musae_tf.latent import attribute_names
    from musae_tf.latent.attributes import attribute_number
    from musae_tf.latent.of_run import attributes_path, is_current, load_attributes
    from musae_tf.training import Run

    run = Run.open(path)
    for name in changes or [arguments.sweep]:
        attribute_number(attribute_names(run.layout), name)
    check_out(arguments.out, 1 if changes else arguments.points)
    song = read_song(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    dataset = None
    if not is_current(run):
        print(f"fitting attribute vectors, once: they are kept in {attributes_path(run)}")
        dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
    attributes = load_attributes(run, model, dataset)
    what, how = (model, run.layout, song, attributes), (arguments.temperature, arguments.seed)
    if changes:
        pieces = [changed(song, changes, generation.change(*what, changes, *how))]
    else:
        songs = generation.sweep(*what, arguments.sweep, arguments.points, arguments.strength, *how)
        pieces = swept(song, arguments.sweep, arguments.strength, songs)
    write_pieces(pieces, run.layout, arguments.out, run.path / "samples", wav=arguments.wav)
