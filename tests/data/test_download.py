import hashlib
import resource
import socket

import numpy as np
import pytest

from musae_tf.data.fetch import download
from musae_tf.errors import DatasetError
from tests.data.archive_server import Faults, serving

BODY = np.random.default_rng(0).bytes(1_000_000)
OTHER = np.random.default_rng(1).bytes(1_000_000)
SUM = hashlib.sha256(BODY).hexdigest()


def get(faults, target, **options):
    faults.content.setdefault("/file", BODY)
    with serving(faults) as address:
        return download(f"{address}/file", target, pause=0.001, **options)


def ranges(faults):
    return [span for _, span in faults.requests]


def test_whole(tmp_path):
    faults = Faults()
    assert get(faults, tmp_path / "a", size=len(BODY), sha256=SUM.upper()) == SUM
    assert (tmp_path / "a").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert ranges(faults) == [None]


def test_goes_on_where_the_line_dropped(tmp_path):
    faults = Faults(drops=[300_000, 200_000, 1])
    assert get(faults, tmp_path / "a", sha256=SUM) == SUM
    assert ranges(faults) == [None, "bytes=300000-", "bytes=500000-", "bytes=500001-"]


def test_goes_on_by_date_of_change_where_there_is_no_tag(tmp_path):
    faults = Faults(drops=[300_000], tag=None, modified="Mon, 01 Jan 2024 00:00:00 GMT")
    assert get(faults, tmp_path / "a", sha256=SUM) == SUM
    assert ranges(faults) == [None, "bytes=300000-"]


def test_goes_on_in_another_process(tmp_path):
    first = Faults(drops=[300_000], codes=[])
    with serving(first) as address:
        first.content["/file"] = BODY
        with pytest.raises(DatasetError, match=r"300,000 of 1,000,000 bytes, 1 times in a row; 300,000 bytes are kept"):
            download(f"{address}/file", tmp_path / "a", tries=1)
        assert not (tmp_path / "a").exists()
        assert download(f"{address}/file", tmp_path / "a") == SUM
    assert ranges(first) == [None, "bytes=300000-"]


def test_another_address_begins_anew(tmp_path):
    (tmp_path / "a.part").write_bytes(OTHER[:300_000])
    (tmp_path / "a.part.json").write_text(
        '{"url": "http://elsewhere/file", "validator": "\\"one\\"", "total": 1000000}'
    )
    faults = Faults()
    assert get(faults, tmp_path / "a") == SUM
    assert ranges(faults) == [None]


@pytest.mark.parametrize("change", [{"ranges": False}, {"tag": None}, {"tag": 'W/"weak"'}])
def test_starts_again_where_nothing_else_is_safe(tmp_path, change):
    """No ranges, or nothing that tells whether the rest is of the same file."""
    faults = Faults(drops=[300_000, 400_000], **change)
    assert get(faults, tmp_path / "a", sha256=SUM) == SUM
    assert (tmp_path / "a").read_bytes() == BODY


def test_changed_between_attempts(tmp_path):
    faults = Faults(drops=[300_000])
    with serving(faults) as address:
        faults.content["/file"] = OTHER
        with pytest.raises(DatasetError, match="1 times in a row"):
            download(f"{address}/file", tmp_path / "a", tries=1)
        faults.content["/file"], faults.tag = BODY, '"two"'
        assert download(f"{address}/file", tmp_path / "a") == SUM
    assert (tmp_path / "a").read_bytes() == BODY


def test_changed_behind_the_same_tag(tmp_path):
    """The parts do not belong together: the checksum tells, and the file is fetched once more in one piece."""
    faults = Faults(drops=[300_000])
    with serving(faults) as address:
        faults.content["/file"] = OTHER
        with pytest.raises(DatasetError, match="1 times in a row"):
            download(f"{address}/file", tmp_path / "a", tries=1)
        faults.content["/file"] = BODY
        assert download(f"{address}/file", tmp_path / "a", sha256=SUM) == SUM
    assert ranges(faults) == [None, "bytes=300000-", None]


def test_shorter_than_what_is_here(tmp_path):
    faults = Faults(drops=[300_000])
    with serving(faults) as address:
        faults.content["/file"] = OTHER
        with pytest.raises(DatasetError, match="1 times in a row"):
            download(f"{address}/file", tmp_path / "a", tries=1)
        faults.content["/file"] = BODY[:1000]
        assert download(f"{address}/file", tmp_path / "a", pause=0.001) == hashlib.sha256(BODY[:1000]).hexdigest()


def test_killed_after_the_last_byte(tmp_path):
    faults = Faults()
    with serving(faults) as address:
        faults.content["/file"] = BODY
        (tmp_path / "a.part").write_bytes(BODY)
        state = f'{{"url": "{address}/file", "validator": "\\"one\\"", "total": 1000000}}'
        (tmp_path / "a.part.json").write_text(state)
        assert download(f"{address}/file", tmp_path / "a", sha256=SUM) == SUM
    assert faults.requests == []


def test_wrong_checksum(tmp_path):
    faults = Faults()
    with pytest.raises(DatasetError, match=f"the file that came has the SHA-256 {SUM}, expected was 00"):
        get(faults, tmp_path / "a", sha256="00")
    assert list(tmp_path.iterdir()) == []
    assert len(faults.requests) == 1


def test_wrong_size_is_seen_before_the_body(tmp_path):
    with pytest.raises(DatasetError, match="the file has 1,000,000 bytes, expected were 5"):
        get(Faults(), tmp_path / "a", size=5)
    assert list(tmp_path.iterdir()) == []


def test_more_than_announced(tmp_path):
    """Without a length, the size that is known is the limit."""
    with pytest.raises(DatasetError, match="more came than the 5 bytes"):
        get(Faults(length=False), tmp_path / "a", size=5)
    assert list(tmp_path.iterdir()) == []


def test_unknown_length(tmp_path):
    assert get(Faults(length=False), tmp_path / "a") == SUM


@pytest.mark.parametrize("code", [404, 403, 401, 410])
def test_refused(tmp_path, code):
    faults = Faults(codes=[code])
    with pytest.raises(DatasetError, match=f"the server answers {code}"):
        get(faults, tmp_path / "a")
    assert len(faults.requests) == 1


@pytest.mark.parametrize("codes", [[500], [503, 502, 429]])
def test_troubles_that_pass(tmp_path, codes):
    faults = Faults(codes=[*codes], headers={"Retry-After": "0"})
    assert get(faults, tmp_path / "a") == SUM
    assert len(faults.requests) == len(codes) + 1


def test_troubles_that_stay(tmp_path):
    faults = Faults(codes=[500] * 5)
    with pytest.raises(DatasetError, match=r"the server answers 500 Internal Server Error, 3 times in a row$"):
        get(faults, tmp_path / "a", tries=3)
    assert len(faults.requests) == 3


def test_pauses_grow_and_the_server_may_ask_for_longer_ones(tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    faults = Faults(codes=[500] * 5, content={"/file": BODY})
    with serving(faults) as address:
        download(f"{address}/file", tmp_path / "a", pause=2)
        faults.codes, faults.headers = [503, 503], {"Retry-After": "7"}
        download(f"{address}/file", tmp_path / "b", pause=2)
    assert pauses == [2, 4, 8, 16, 32, 7, 7]


def test_silence_is_a_dead_line(tmp_path):
    faults = Faults(stalls=True)
    assert get(faults, tmp_path / "a", timeout=1.0, sha256=SUM) == SUM
    assert ranges(faults) == [None, "bytes=500000-"]


def test_nobody_there(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/file"
        with pytest.raises(DatasetError, match=r"no connection \(.*refused.*, 2 times in a row"):
            download(address, tmp_path / "a", tries=2, pause=0.001)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "lmd.tar.gz"])
def test_only_the_web(tmp_path, url):
    with pytest.raises(DatasetError, match="begins with http"):
        download(url, tmp_path / "a")


def test_full_disk(tmp_path):
    """Here: a limit on the size of files. Once there is room, the download goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    faults = Faults(content={"/file": BODY})
    with serving(faults) as address:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            with pytest.raises(DatasetError, match=r"cannot write .*a\.part: File too large"):
                download(f"{address}/file", tmp_path / "a")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert download(f"{address}/file", tmp_path / "a") == SUM
    assert ranges(faults) == [None, "bytes=300000-"]


def test_a_proxy_that_is_not_there_is_named_and_this_machine_is_asked_without_it(tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        dead = f"127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("http_proxy", f"http://me:secret@{dead}")
    assert get(Faults(), tmp_path / "a") == SUM
    with pytest.raises(DatasetError, match=rf"through the proxy of http_proxy=http://{dead} \(no_proxy=") as caught:
        download("http://music.example/file", tmp_path / "b", tries=1)
    assert "secret" not in str(caught.value)
