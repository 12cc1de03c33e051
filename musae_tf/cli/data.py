"""`musae data`: download collections, build datasets, look at them and write their songs as files."""

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.cli.build import add_build
from musae_tf.cli.parser import Commands, Parser, add_json, command, group, integer
from musae_tf.cli.shared import open_dataset, print_next
from musae_tf.errors import DatasetError
from musae_tf.files import check_place, write_text

if TYPE_CHECKING:
    from musae_tf.data import Dataset


def add_data(commands: Commands) -> None:
    """Add `musae data`."""
    summary = "build a dataset, look at one, or download a collection"
    kinds = group(commands, "data", summary, "musae data build corpus")
    add_build(kinds)
    _add_fetch(kinds)
    _add_info(kinds)
    _add_check(kinds)
    _add_export(kinds)


def _add_fetch(kinds: Commands) -> None:
    public = "download a public collection of music: sizes and licences are shown first"
    again = "the same command goes on from what has come"
    parser = command(kinds, "fetch", fetch_collection, public, "musae data fetch lmd --out downloads/lmd", again)
    parser.add_argument("collection", choices=("lmd", "lpd"), help="the Lakh MIDI or the Lakh Pianoroll Dataset")
    parser.add_argument("--out", metavar="DIR", help="where to (default: downloads/<name>)")
    only = "one of its folders; may be repeated (default: all)"
    parser.add_argument("--only", action="append", default=[], metavar="PART", help=only)
    parser.add_argument("--url", metavar="URL", help="a mirror with the same file names (default: the authors' site)")
    parser.add_argument("--keep-archives", action="store_true", help="keep the archives after they are unpacked")
    parser.add_argument("--yes", action="store_true", help="agree to sizes and licences without being asked")


def fetch_collection(arguments: Namespace) -> None:
    """`musae data fetch lmd|lpd`."""
    from musae_tf.data.fetch import COLLECTIONS, choose, confirm, describe_collection, fetch

    collection = COLLECTIONS[arguments.collection]
    to = Path(arguments.out or Path("downloads") / collection.name)
    archives = choose(collection, arguments.only, arguments.url)
    text = describe_collection(collection, archives, to)
    if arguments.yes:
        print(text)
    else:
        confirm(text)
    fetch(archives, to, keep=arguments.keep_archives)
    words = [word.format(to=to) for word in collection.build.split()[1:]]
    print_next((words, "make a dataset of it"))


def _add_info(kinds: Commands) -> None:
    summary = "what a dataset holds, or which grid and layout suit music before a dataset is made of it"
    parser = command(kinds, "info", info, summary, "musae data info datasets/corpus --labels")
    parser.add_argument("dataset", metavar="PATH", help="dataset folder, a folder of music files, or a music file")
    layout = "of music: this layout or YAML file only (default: compare all)"
    parser.add_argument("--layout", metavar="NAME", help=layout)
    parser.add_argument("--rejected", action="store_true", help="list every file that was not used, and why")
    parser.add_argument("--labels", action="store_true", help="list which genres occur together")
    parser.add_argument("--duplicates", action="store_true", help="list songs that repeat another one")
    add_json(parser)


def info(arguments: Namespace) -> None:
    """`musae data info PATH`."""
    from musae_tf.data.store import MANIFEST
    from musae_tf.music.reading import file_of

    path = Path(arguments.dataset)
    if os.path.isfile(file_of(arguments.dataset)):
        _file_info(arguments)
    elif path.is_dir() and not (path / MANIFEST).exists():
        _folder_info(arguments)
    else:
        _dataset_info(arguments)


def _file_info(arguments: Namespace) -> None:
    from musae_tf.data.advice import describe_layouts, describe_survey
    from musae_tf.data.info import describe_file
    from musae_tf.data.suitability import as_numbers, candidates, recommended, retentions_of
    from musae_tf.music import Song
    from musae_tf.music.beat import has_another_beat
    from musae_tf.music.survey import Survey

    song, survey = Song.read(arguments.dataset), Survey()
    survey.add(song, on_beat=not has_another_beat(song))
    found = retentions_of(song, candidates(survey.best, arguments.layout))
    arguments.report = {"path": arguments.dataset, **as_numbers(survey, found)}
    print(f"{describe_file(arguments.dataset, song, recommended(found))}\n{describe_survey(survey)}")
    print(describe_layouts(found), end="")


def _folder_info(arguments: Namespace) -> None:
    from musae_tf.data import FolderSource
    from musae_tf.data.advice import describe_layouts, describe_sample, describe_survey
    from musae_tf.data.suitability import as_numbers, candidates, recommended, retentions, sample

    path = arguments.dataset
    candidates("4/4x4", arguments.layout)  # it has to be there before anything is read
    source = FolderSource(path)
    seen = sample(source)
    if not seen.files:
        open_dataset(path)  # says why it is no dataset
    print(describe_sample(seen, path))
    if not seen.survey.songs:
        raise DatasetError(f"{path} has no song that can be used: {seen.files:,} files found, see above")
    found = retentions(source, seen.items, candidates(seen.survey.best, arguments.layout))
    numbers = {"files": seen.files, "read": len(seen.items), "refused": seen.refused, "another_beat": seen.another_beat}
    arguments.report = {"path": path, **numbers, **as_numbers(seen.survey, found)}
    print(f"{describe_survey(seen.survey)}\n{describe_layouts(found)}", end="")
    chosen = arguments.layout or recommended(found).name
    words = ("data", "build", "folder", path, "--layout", chosen, "--grid", seen.survey.best)
    print_next((words, "make a dataset of it"))


def _dataset_info(arguments: Namespace) -> None:
    from musae_tf.data import describe
    from musae_tf.data.info import facts, label_counts, list_duplicates, list_labels, list_rejected, repeats

    dataset = open_dataset(arguments.dataset)
    if arguments.json:
        arguments.report = {
            **facts(dataset),
            **({"labels": label_counts(dataset)} if arguments.labels else {}),
            **({"duplicates": repeats(dataset)} if arguments.duplicates else {}),
            **({"rejections": dataset.rejections()} if arguments.rejected else {}),
        }
        return
    print(describe(dataset), end="")
    for wanted, table in (
        (arguments.labels, list_labels),
        (arguments.duplicates, list_duplicates),
        (arguments.rejected, list_rejected),
    ):
        if wanted:
            print(f"\n{table(dataset)}", end="")


def _add_check(kinds: Commands) -> None:
    summary = "whether a dataset is whole and sound"
    parser = command(kinds, "check", check, summary, "musae data check datasets/corpus")
    _add_dataset_folder(parser)
    add_json(parser)


def check(arguments: Namespace) -> None:
    """`musae data check PATH`."""
    from musae_tf.data.info import check as check_dataset

    arguments.report = {"path": arguments.dataset, "sound": []}
    for sentence in check_dataset(open_dataset(arguments.dataset).path):
        print(sentence)
        arguments.report["sound"].append(sentence)


def _add_export(kinds: Commands) -> None:
    summary = "write songs of a dataset as MIDI files, with a table of them"
    parser = command(
        kinds, "export", export, summary, "musae data export datasets/corpus --out songs --genre bach --limit 10"
    )
    _add_dataset_folder(parser)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the files")
    parser.add_argument("--song", action="append", metavar="ID", help="this song only; may be repeated (default: all)")
    parser.add_argument("--genre", metavar="NAME", help="songs of this genre only (default: all)")
    splits = ("train", "validation", "test")
    parser.add_argument("--split", choices=splits, metavar="NAME", help=f"{', '.join(splits)} only (default: all)")
    parser.add_argument("--limit", type=integer(1), metavar="N", help="the first N songs only (default: all)")
    parser.add_argument("--png", action="store_true", help="draw the first bars of every song as well")
    parser.add_argument("--tables", action="store_true", help="write the tables only, of all songs and rejections")
    add_json(parser)


def export(arguments: Namespace) -> None:
    """`musae data export PATH`."""
    from musae_tf.data.export import REJECTIONS, TABLE, export_songs, rejection_table, song_table
    from musae_tf.data.store import MANIFEST
    from musae_tf.progress import progress

    dataset = open_dataset(arguments.dataset)
    out = Path(arguments.out)
    check_place(out, True, DatasetError)
    if (out / MANIFEST).exists():
        raise DatasetError(f"--out {out} is a dataset: name another folder for the files")
    write_text(out / REJECTIONS, rejection_table(dataset), DatasetError)
    arguments.report = {"folder": str(out), "table": str(out / TABLE), "rejections": str(out / REJECTIONS)}
    if arguments.tables:
        write_text(out / TABLE, song_table(dataset.songs), DatasetError)
        print(f"{out / TABLE}: {len(dataset.songs):,} songs\n{out / REJECTIONS}")
        return
    numbers = _chosen(dataset, arguments)
    arguments.report["songs"] = [dataset.songs[number]["id"] for number in numbers]
    table = export_songs(dataset, progress(numbers, title="writing songs", unit="songs"), out, pictures=arguments.png)
    print(f"{len(numbers):,} songs in {out}, listed in {table}")
    print_next((("data", "build", "folder", out, "--labels", table), "make a dataset of them again"))


def _chosen(dataset: "Dataset", arguments: Namespace) -> list[int]:
    """Numbers of the songs that an export asks for. Raises DatasetError if there are none."""
    if arguments.genre is not None and arguments.genre not in dataset.genres:
        raise DatasetError(f"the dataset has no genre {arguments.genre!r}; it has {', '.join(dataset.genres)}")
    known = {song["id"]: number for number, song in enumerate(dataset.songs)}
    missing = [name for name in arguments.song or () if name not in known]
    if missing:
        raise DatasetError(f"the dataset has no song {missing[0]!r}; songs.jsonl in {dataset.path} lists them")
    numbers = [known[name] for name in dict.fromkeys(arguments.song)] if arguments.song else range(len(known))
    chosen = [
        number
        for number in numbers
        if (arguments.genre is None or arguments.genre in dataset.songs[number]["labels"])
        and (arguments.split is None or arguments.split == dataset.songs[number]["split"])
    ]
    if not chosen:
        raise DatasetError("no song of the dataset is of that genre and in that split")
    return chosen[: arguments.limit]


def _add_dataset_folder(parser: Parser) -> None:
    parser.add_argument("dataset", metavar="PATH", help="dataset folder")
