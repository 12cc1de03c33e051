"""Models that others have put on a hub: `hf://USER/NAME`, or `hf://USER/NAME@COMMIT`.

What comes from there is a stranger's. Only the files of a model are taken, by names of a fixed form, so that none lands
elsewhere; their number and sizes are bounded before and while they come; each is what the hub says it holds at the one
commit that is read. Nothing of this makes a model harmless: a SavedModel is a program, for whoever loads it.
"""

import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from musae_tf.errors import RunError
from musae_tf.files import check_new_run
from musae_tf.pretrained.archive import FILES, cache_folder, is_whole, keep

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoSibling

SCHEME = "hf://"
MOST_FILES = 32
MOST_BYTES = 2 * 10**9
"""Of a model."""
MOST_BYTES_OF_TEXT = 16 * 2**20
"""Of a file that is read into memory: all but the weights and the graph."""

_ADDRESS = re.compile(r"(?:hf://)?([a-z0-9][\w.-]{0,95}/[a-z0-9][\w.-]{0,95})(?:@([\w./-]{1,255}))?", re.I | re.A)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGE = r"export/musae/[0-9]{1,9}/(?:saved_model\.pb|variables/variables\.data-[0-9]{5}-of-[0-9]{5})"
_SMALL = (
    r"run\.json|config\.yaml|(?:attributes|form)\.npz|log\.jsonl|README\.md|evaluation/(?:evaluation\.json|songs\.csv)|"
    r"export/musae/[0-9]{1,9}/(?:fingerprint\.pb|variables/variables\.index|"
    r"assets\.extra/(?:musae\.json|tf_serving_warmup_requests))"
)
_NEEDED = ("run.json", "config.yaml", "saved_model.pb", "variables.index")
_CHUNK = 1 << 18


class Address(NamedTuple):
    """Where a model is on a hub: USER/NAME, and a commit, branch or tag of it; None for its newest commit."""

    repository: str
    revision: str | None


class _File(NamedTuple):
    name: str
    size: int
    algorithm: str
    digest: str


def read_address(text: str) -> Address:
    """Read `hf://USER/NAME` or `hf://USER/NAME@REVISION`; the scheme may be left out.

    Raises:
        RunError: it is not of this form.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or ".." in text:
        raise RunError(f"{text[:200]!r} is not a model on a hub: hf://USER/NAME, or hf://USER/NAME@COMMIT")
    return Address(match[1], match[2])


def pulled_run(text: str) -> Path:
    """The run folder of a model on a hub, in the cache. A whole commit that is there is not asked for again.

    Raises:
        RunError: no such model, something else than a model, no connection, or the cache cannot be written.
    """
    address = read_address(text)
    base = cache_folder() / "hub"
    if _COMMIT.fullmatch(address.revision or "") and is_whole(folder := _kept(base, address, str(address.revision))):
        return folder
    commit, files = _listing(address)
    folder = _kept(base, address, commit)

    def fill(new: Path) -> None:
        _fetch(address, commit, files, new)
        (new / FILES).write_text(json.dumps({file.name: file.size for file in files}, indent=1), encoding="utf-8")

    try:
        return keep(folder, fill)
    except OSError as cause:
        raise RunError(f"cannot keep {text} in {base}: {cause.strerror or cause}") from cause


def pull(text: str, to: Path, log: Callable[[str], None] = print) -> Path:
    """Fetch a model of a hub into a new run folder, which appears when all of it is there.

    Args:
        text: where it is, as `read_address` reads it.
        to: the folder.
        log: takes the sentences for the user.

    Returns:
        The folder.

    Raises:
        RunError: no such model, something else than a model, no connection, or the folder is there or cannot be
            written.
    """
    address = read_address(text)
    check_new_run(to)
    commit, files = _listing(address)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as draft:
            _fetch(address, commit, files, Path(draft, "new"))
            Path(draft, "new").rename(to)
    except OSError as cause:
        raise RunError(f"cannot write {to}: {cause.strerror or cause}") from cause
    size = sum(file.size for file in files)
    log(f"{address.repository} at commit {commit}: {len(files)} files, {size / 1e6:.1f} MB, in {to}")
    return to


def hub_api() -> "HfApi":
    """The hub's own client; where it is, HF_ENDPOINT says, and who asks, HF_TOKEN or `hf auth login`.

    Raises:
        RunError: the package for it is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise RunError("models on a hub need huggingface_hub: pip install 'musae-tf[hub]'") from None
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="musae-tf")


@contextmanager
def hub_errors(api: "HfApi", address: Address) -> Iterator[None]:
    """Make one sentence of what the hub or the way to it did.

    Raises:
        RunError: in place of the client's errors.
    """
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError:
        raise RunError(
            f"{api.endpoint} has no model {address.repository}, or shows it only to some: hf auth login, or the "
            "environment variable HF_TOKEN, says who you are"
        ) from None
    except errors.RevisionNotFoundError:
        raise RunError(f"{address.repository} has no commit, branch or tag {address.revision}") from None
    except (errors.HTTPError, OSError, ValueError, RuntimeError) as cause:
        words = getattr(cause, "server_message", None) or str(cause.__cause__ or cause) or type(cause).__name__
        raise RunError(f"{api.endpoint}: {words.splitlines()[0]}") from cause


def _kept(base: Path, address: Address, commit: str) -> Path:
    # Upper and lower case are one on some disks and on the hub.
    return base / f"{address.repository.lower().replace('/', '--')}-{commit}"


def _listing(address: Address) -> tuple[str, list[_File]]:
    """The commit, and the files of the model in it."""
    api = hub_api()
    with hub_errors(api, address):
        info = api.model_info(address.repository, revision=address.revision, files_metadata=True)
    if not _COMMIT.fullmatch(info.sha or ""):
        raise RunError(f"{api.endpoint} names {info.sha!r} as the commit: it is not 40 hexadecimal digits")
    return str(info.sha), _files(address.repository, info.siblings or ())


def _files(repository: str, listed: Sequence["RepoSibling"]) -> list[_File]:
    files = []
    for entry in listed:
        small = re.fullmatch(_SMALL, entry.rfilename)
        if not small and not re.fullmatch(_LARGE, entry.rfilename):
            continue
        most = MOST_BYTES_OF_TEXT if small else MOST_BYTES
        if entry.size is None or entry.size > most:
            raise RunError(f"{repository}: {entry.rfilename} has {entry.size or 0:,} bytes, more than {most:,}")
        if entry.lfs is not None:
            files.append(_File(entry.rfilename, entry.size, "sha256", entry.lfs.sha256))
        else:
            files.append(_File(entry.rfilename, entry.size, "git", entry.blob_id or ""))
    total = sum(file.size for file in files)
    if len(files) > MOST_FILES or total > MOST_BYTES:
        raise RunError(
            f"{repository} has {len(files)} files of {total:,} bytes, the most are {MOST_FILES} of {MOST_BYTES:,}"
        )
    for needed in _NEEDED:
        if not any(file.name.rpartition("/")[2] == needed for file in files):
            raise RunError(f"{repository} is no model of musae-tf: it has no {needed}")
    return files


def _fetch(address: Address, commit: str, files: Sequence[_File], folder: Path) -> None:
    """Write the files, each compared with the hub's checksum."""
    from huggingface_hub import HfFileSystem

    from musae_tf.progress import progress

    api = hub_api()
    hub = HfFileSystem(endpoint=api.endpoint, skip_instance_cache=True)

    def chunks(where: str) -> Iterator[bytes]:
        with hub_errors(api, address), hub.open(where, "rb", block_size=0) as source:
            while chunk := source.read(_CHUNK):
                yield chunk

    with progress(total=sum(file.size for file in files), title=address.repository, unit="B") as bar:
        for file in files:
            path, where = folder / file.name, f"{address.repository}@{commit}/{file.name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            digest, left = _digest(file), file.size
            with path.open("wb") as target:
                for chunk in chunks(where):
                    left -= len(chunk)
                    if left < 0:
                        break
                    digest.update(chunk)
                    target.write(chunk)
                    bar.update(len(chunk))
            if left or digest.hexdigest() != file.digest:
                raise RunError(f"{where} is not the file that {api.endpoint} lists: its size or its checksum differs")
            if path.suffix == ".npz":
                _check_unpacked(path, where)


def _check_unpacked(path: Path, where: str) -> None:
    """Arrays may be compressed a thousand times; what the archive says of their sizes, its reader holds it to."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as cause:
        raise RunError(f"{where} is no archive of arrays: {cause}") from cause
    if size > MOST_BYTES_OF_TEXT:
        raise RunError(f"{where} becomes {size:,} bytes, more than {MOST_BYTES_OF_TEXT:,}")


def _digest(file: _File) -> "hashlib._Hash":
    if file.algorithm == "sha256":
        return hashlib.sha256()
    return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)  # as git names its objects
