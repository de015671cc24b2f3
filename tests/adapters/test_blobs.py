"""Blobs against a real Azurite."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.blobs import Blobs
from domain.errors import NotFound, Unavailable


def test_what_is_written_is_read(blobs):
    """A blob comes back byte for byte, and a missing one is None."""
    blobs.write("a/b.bin", b"\x00\xff")

    assert blobs.read("a/b.bin") == b"\x00\xff"
    assert blobs.read("a/c.bin") is None
    assert blobs.exists("a/b.bin")
    assert not blobs.exists("a/c.bin")


def test_reading_before_anything_was_written_finds_nothing(blobs):
    """A container that does not exist yet behaves like an empty one."""
    assert blobs.read("a") is None
    assert blobs.names() == []
    assert not blobs.exists("a")


def test_one_of_fifty_creates_at_once_wins(blobs):
    """Exactly one of fifty simultaneous creates is told it won, and its content is what is kept."""
    together = threading.Barrier(50)

    def create(number):
        together.wait()
        return blobs.create("claims/one", str(number).encode())

    with ThreadPoolExecutor(50) as threads:
        won = list(threads.map(create, range(50)))

    assert won.count(True) == 1
    assert blobs.read("claims/one") == str(won.index(True)).encode()


def test_a_create_whose_answer_was_lost_still_won(blobs, monkeypatch):
    """When the first attempt arrived but its answer did not, the retry recognises its own blob."""
    upload = blobs._container.upload_blob

    def twice(*args, **options):
        upload(*args, **options)
        upload(*args, **options)

    monkeypatch.setattr(blobs._container, "upload_blob", twice)
    blobs.write("other", b"")

    assert blobs.create("claim", b"mine")
    assert not blobs.create("claim", b"mine")


def test_replace_needs_the_etag_that_was_read(blobs):
    """A second writer who read the same version is refused."""
    blobs.write("record", b"1")
    content, etag = blobs.read_with_etag("record")

    assert content == b"1"
    assert blobs.replace("record", b"2", etag)
    assert not blobs.replace("record", b"3", etag)
    assert not blobs.replace("missing", b"3", etag)
    assert blobs.read("record") == b"2"


def test_of_many_appends_at_one_size_one_wins(blobs):
    """Each of thirty writers that saw the same end of a blob appends there; exactly one is told that it did."""
    for size in (0, 2):
        with ThreadPoolExecutor(30) as threads:
            won = list(threads.map(lambda number, size=size: blobs.append("log", b"%02d" % number, size), range(30)))

        assert won.count(True) == 1
        assert blobs.read("log")[size:] == b"%02d" % won.index(True)


def test_an_append_behind_the_end_is_refused(blobs):
    """Neither a blob that is shorter nor one that is gone takes it."""
    blobs.append("log", b"abc", 0)

    assert not blobs.append("log", b"d", 4)
    assert not blobs.append("other", b"d", 4)
    assert blobs.read("log") == b"abc"


def test_a_blob_that_was_replaced_by_hand_takes_no_append(blobs):
    """Downloading, editing and uploading makes another kind of blob; the words say what to do."""
    blobs.write("log", b"abc")

    with pytest.raises(Unavailable, match=r"blob log takes nothing more: .* move it aside"):
        blobs.append("log", b"d", 3)


def test_a_blob_is_read_from_any_place_on(blobs):
    """At most as many bytes as asked for; nothing behind the end, or when there is no such blob."""
    blobs.append("log", b"abcdef", 0)

    assert blobs.read_from("log", 2, 3) == b"cde"
    assert blobs.read_from("log", 4, 100) == b"ef"
    assert blobs.read_from("log", 6, 100) == b""
    assert blobs.read_from("log", 60, 100) == b""
    assert blobs.read_from("none", 0, 100) == b""


def test_names_are_listed_by_prefix_in_order(blobs):
    """Only names below the prefix are listed, sorted."""
    for name in ("b/2", "b/1", "a/1"):
        blobs.write(name, b"")

    assert blobs.names("b/") == ["b/1", "b/2"]
    assert blobs.names() == ["a/1", "b/1", "b/2"]


def test_files_go_up_and_come_down_whole(blobs, tmp_path):
    """A file survives the round trip; a missing blob leaves no file behind and is named."""
    (tmp_path / "up").write_bytes(b"x" * 100_000)
    blobs.upload_file("file", tmp_path / "up")
    blobs.download_file("file", tmp_path / "deep" / "down")

    assert (tmp_path / "deep" / "down").read_bytes() == b"x" * 100_000
    with pytest.raises(NotFound, match="there is no blob nothing in container test-"):
        blobs.download_file("nothing", tmp_path / "other" / "down")
    assert list((tmp_path / "other").iterdir()) == []


def test_json_is_kept_as_text(blobs):
    """JSON values come back equal; a second create is refused."""
    blobs.write_json("a.json", {"name": "Zoë", "n": 1})

    assert blobs.read_json("a.json") == {"name": "Zoë", "n": 1}
    assert blobs.read_json("b.json") is None
    assert blobs.create_json("b.json", [1])
    assert not blobs.create_json("b.json", [2])
    assert blobs.read_json("b.json") == [1]


def test_blobs_are_dated_by_the_clock_of_storage(blobs):
    """Time and dates come from the same clock, whatever this host's says; other prefixes are left out."""
    nothing = blobs.written("claims/")
    for name in ("claims/a", "claims/b", "other"):
        blobs.write(name, b"")
    now, written = blobs.written("claims/")

    assert nothing[1] == {}
    assert sorted(written) == ["claims/a", "claims/b"]
    assert all(timedelta(0) <= now - at < timedelta(minutes=1) for at in written.values())


def test_storage_that_does_not_answer_is_unavailable_with_advice(azurite):
    """A closed port becomes one error that names the host and what to check."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    gone = Blobs(azurite.partition("BlobEndpoint=")[0] + endpoint, "container")

    with pytest.raises(Unavailable, match=rf"blob storage at 127.0.0.1:{port} failed: .*locally: Azurite runs"):
        gone.read("a")


def test_a_wrong_key_is_unavailable_with_advice(azurite):
    """A key the account does not know is told apart from a dead account."""
    wrong = Blobs(azurite.replace("AccountKey=Eby8", "AccountKey=AAAA"), "container")

    with pytest.raises(Unavailable, match="Storage Blob Data Contributor on the account, or correct the key"):
        wrong.write("a", b"")
