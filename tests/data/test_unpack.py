import gzip
import io
import os
import tarfile
import zipfile

import pytest

from musae_tf.data.fetch import ArchiveLimits, unpack
from musae_tf.errors import DatasetError

SMALL = ArchiveLimits(bytes=1_000_000, entries=100, ratio=20.0, free=200_000)


def member(name, kind=tarfile.REGTYPE, size=0, **values):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in values.items():
        setattr(info, key, value)
    return info


def tar_of(path, *members):
    """A tar.gz of (TarInfo, bytes) or (name, bytes)."""
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info = member(info, size=len(data)) if isinstance(info, str) else info
            tar.addfile(info, io.BytesIO(data))
    return path


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in members:
            archive.writestr(info, data)
    return path


def made_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["tar.gz", "zip"])
def pack(request, tmp_path):
    """Makes an archive of one kind and unpacks it."""

    def run(*members, limits=SMALL):
        path = (tar_of if request.param == "tar.gz" else zip_of)(tmp_path / "a", *members)
        return unpack(path, tmp_path / "out" / "it", request.param, limits)

    return run


def nothing_left(tmp_path):
    return not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_files_and_folders(pack, tmp_path):
    assert pack(("a/b/one.mid", b"1"), ("./a/two", b"22"), ("three", b"")) == 3
    assert made_of(tmp_path / "out/it") == {"a/b/one.mid": b"1", "a/two": b"22", "three": b""}


def test_one_folder_becomes_the_target(pack, tmp_path):
    pack(("lmd/a/one.mid", b"1"), ("lmd/two", b"2"))
    assert made_of(tmp_path / "out/it") == {"a/one.mid": b"1", "two": b"2"}
    assert (tmp_path / "out/it").stat().st_mode & 0o077 == 0o077 & ~current_umask()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_target_is_never_touched_if_it_is_there(pack, tmp_path):
    (tmp_path / "out/it").mkdir(parents=True)
    with pytest.raises(DatasetError, match="exists already"):
        pack(("one", b"1"))


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\evil", "C:/evil", "a/\x1b[2Jevil", "..", "a/\u202egnp.exe"]
)
def test_names_that_lead_out(pack, tmp_path, name):
    with pytest.raises(DatasetError, match="leads out of the folder or is no proper name"):
        pack(("fine", b"1"), (name, b"evil"))
    assert nothing_left(tmp_path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
)
def test_links_and_devices_in_a_tar(tmp_path, kind):
    archive = tar_of(tmp_path / "a", (member("out", kind, linkname="/etc"), b""), ("out/passwd", b"evil"))
    with pytest.raises(DatasetError, match="is a link, a device or the like"):
        unpack(archive, tmp_path / "out" / "it", "tar.gz", SMALL)
    assert nothing_left(tmp_path)


def test_sparse_file_in_a_tar(tmp_path):
    """A few bytes that claim to be a terabyte."""
    info = member("sparse", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse",
                                         "GNU.sparse.realsize": str(10**12)}, size=512)  # fmt: skip
    archive = tar_of(tmp_path / "a", (info, b"1\n0\n1\n".ljust(512, b"\0")))
    with pytest.raises(DatasetError, match="link, a device or the like"):
        unpack(archive, tmp_path / "out" / "it", "tar.gz", SMALL)


def test_link_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(DatasetError, match="link, a device or the like"):
        unpack(zip_of(tmp_path / "a", (info, b"/etc")), tmp_path / "out" / "it", "zip", SMALL)
    assert nothing_left(tmp_path)


def test_permissions_are_plain(tmp_path):
    archive = tar_of(tmp_path / "a", (member("set", size=1, mode=0o6777), b"1"), ("other", b""))
    unpack(archive, tmp_path / "out" / "it", "tar.gz", SMALL)
    assert (tmp_path / "out/it/set").stat().st_mode & 0o7111 == 0


def test_same_name_twice(pack, tmp_path):
    with pytest.raises(DatasetError, match=r"'\./one' twice"):
        pack(("one", b"1"), ("./one", b"2"))
    assert nothing_left(tmp_path)


def test_bomb(pack, tmp_path):
    with pytest.raises(DatasetError, match="more than 20 times its own size"):
        pack(("bomb", b"\0" * 900_000))
    assert nothing_left(tmp_path)


def test_too_much_in_all(pack, tmp_path):
    noise = os.urandom(600_000)
    with pytest.raises(DatasetError, match="more than 1,000,000 bytes"):
        pack(("one", noise), ("two", noise))
    assert nothing_left(tmp_path)


def test_too_many_files(pack, tmp_path):
    with pytest.raises(DatasetError, match="more than 100 files"):
        pack(*((f"{number}", b"") for number in range(101)))
    assert nothing_left(tmp_path)


def test_header_bomb_in_a_tar(tmp_path):
    """The library reads a long name into memory whole, whatever it claims to be."""
    archive = tar_of(tmp_path / "a", (member("././@LongLink", tarfile.GNUTYPE_LONGNAME, 50_000_000), b"a" * 50_000_000))
    with pytest.raises(DatasetError, match="header of more than 1,048,576 bytes"):
        unpack(archive, tmp_path / "out" / "it", "tar.gz", SMALL)


def test_bomb_behind_the_end_of_a_tar(tmp_path):
    archive = tar_of(tmp_path / "a", ("one", b"1"))
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()) + b"\0" * 50_000_000))
    with pytest.raises(DatasetError, match="header of more than"):
        unpack(archive, tmp_path / "out" / "it", "tar.gz", SMALL)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_damage(tmp_path, kind):
    """Cut short or changed anywhere, nothing is left behind and the reason is a sentence."""
    members = [(f"{number}.mid", os.urandom(3000)) for number in range(5)]
    whole = (tar_of if kind == "tar.gz" else zip_of)(tmp_path / "a", *members).read_bytes()
    for place in range(0, len(whole) - 1, len(whole) // 40):
        broken = tmp_path / "broken"
        broken.write_bytes(whole[:place])
        with pytest.raises(DatasetError):
            unpack(broken, tmp_path / "out" / "it", kind, SMALL)
        assert nothing_left(tmp_path)
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            unpack(broken, tmp_path / "out" / f"it{place}", kind, SMALL)
        except DatasetError:
            continue
        # A name, a time or padding may have changed; contents may not.
        found = sorted(made_of(tmp_path / "out" / f"it{place}").values())
        assert found == sorted(data for _, data in members)


def test_encrypted_zip(tmp_path):
    archive = zip_of(tmp_path / "a", ("one", b"1"))
    data = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match=r"cannot be unpacked.*encrypted"):
        unpack(archive, tmp_path / "out" / "it", "zip", SMALL)


def test_of_another_kind(tmp_path):
    with pytest.raises(DatasetError, match="damaged"):
        unpack(zip_of(tmp_path / "a", ("one", b"1")), tmp_path / "out" / "it", "tar.gz", SMALL)
