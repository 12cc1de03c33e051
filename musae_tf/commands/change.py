"""`musae change`: a piece with more or less of something."""

from argparse import Namespace

from musae_tf.commands.pieces import changed, check_out, read_song, swept, wanted, write_pieces
from musae_tf.commands.runs import open_dataset, open_run, samples_folder


def change(arguments: Namespace) -> None:
    """`musae change RUN SONG.mid --more NAME --less NAME`, or `--sweep NAME`."""
    changes = wanted(arguments)
    run = open_run(arguments)
    from musae_tf import generation
    from musae_tf.latent import attribute_names
    from musae_tf.latent.attributes import attribute_number
    from musae_tf.latent.of_run import attributes_path, is_current, load_attributes

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
    written = write_pieces(pieces, run.layout, arguments.out, samples_folder(run, arguments), wav=arguments.wav)
    wish = {"changes": changes} if changes else {"sweep": arguments.sweep}
    arguments.report = {"run": str(run.path), **wish, "pieces": written}
