"""The blobs in memory keep the contract of the real ones: every case runs against both."""

from __future__ import annotations

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from adapters.blobs import Blobs
from domain.errors import NotFound, Unavailable
from tests.model.memory import Fault, MemoryBlobs, no_faults


@pytest.fixture(params=["memory", "azurite"])
def storage(request):
    """An empty container, once in memory and once in Azurite."""
    return MemoryBlobs() if request.param == "memory" else request.getfixturevalue("blobs")


def test_what_is_written_is_read(storage):
    """A blob comes back byte for byte; writing replaces."""
    storage.write("a/b.bin", b"\x00")
    storage.write("a/b.bin", b"\x00\xff")

    assert storage.read("a/b.bin") == b"\x00\xff"
    assert storage.exists("a/b.bin")


def test_what_was_never_written_is_not_there(storage):
    """A missing blob, also in a container that does not exist yet."""
    assert storage.read("a") is None
    assert storage.read_with_etag("a") is None
    assert storage.read_json("a") is None
    assert not storage.exists("a")
    assert storage.names() == []


def test_the_first_create_wins(storage):
    """A second create says so and changes nothing, also when many come at once."""
    together = threading.Barrier(10)

    def create(number):
        together.wait()
        return storage.create("claims/one", str(number).encode())

    with ThreadPoolExecutor(10) as threads:
        won = list(threads.map(create, range(10)))

    assert won.count(True) == 1
    assert storage.read("claims/one") == str(won.index(True)).encode()
    assert not storage.create_json("claims/one", {})


def test_replace_needs_the_etag_that_was_read(storage):
    """Every write changes the etag, also one of the same content; what is missing is not replaced."""
    storage.write("record", b"1")
    content, first = storage.read_with_etag("record")
    storage.write("record", b"1")
    _, second = storage.read_with_etag("record")

    assert content == b"1"
    assert not storage.replace("record", b"2", first)
    assert storage.replace("record", b"2", second)
    assert not storage.replace("record", b"3", second)
    assert not storage.replace("missing", b"3", second)
    assert storage.read("record") == b"2"


def test_what_has_changed_is_not_removed(storage):
    """Removing needs the etag that was read, or none; what is gone cannot be removed again."""
    storage.write("record", b"1")
    _, etag = storage.read_with_etag("record")
    storage.write("record", b"2")

    assert not storage.remove("record", etag)
    assert storage.remove("record", storage.read_with_etag("record")[1])
    assert not storage.exists("record")
    assert not storage.remove("record")
    storage.write("record", b"3")
    assert storage.remove("record")


def test_storage_tells_when_it_was_written_to(storage):
    """By one clock, to the second, and the newest write counts."""
    storage.write("claims/a", b"1")
    storage.write("claims/b", b"1")
    storage.write("claims/a", b"2")
    now, written = storage.written("claims/")

    assert list(written) == ["claims/a", "claims/b"]
    assert written["claims/b"] <= written["claims/a"] <= now
    assert (now.microsecond, now.utcoffset()) == (0, timedelta(0))


def test_a_change_is_made_of_what_is_there(storage):
    """Also of nothing."""
    storage.change_json("list", lambda kept: [*(kept or []), 1])
    storage.change_json("list", lambda kept: [*(kept or []), 2])

    assert storage.read_json("list") == [1, 2]


def test_one_appends_at_the_end_that_is_known(storage):
    """An append blob is made on demand; whoever does not know its size is refused."""
    assert not storage.append("audit/day.jsonl", b"early\n", 4)
    assert storage.append("audit/day.jsonl", b"one\n", 0)
    assert not storage.append("audit/day.jsonl", b"again\n", 0)
    assert storage.append("audit/day.jsonl", b"two\n", 4)
    assert storage.read("audit/day.jsonl") == b"one\ntwo\n"
    assert storage.read_from("audit/day.jsonl", 4, 2) == b"tw"
    assert storage.read_from("audit/day.jsonl", 8, 9) == storage.read_from("missing", 0, 9) == b""


def test_names_are_listed_by_prefix_in_order(storage):
    """As storage sorts them: by their characters."""
    for name in ("b/2", "b/10", "a", "b-1", "B/1"):
        storage.write(name, b"")

    assert storage.names("b/") == ["b/10", "b/2"]
    assert storage.names() == ["B/1", "a", "b-1", "b/10", "b/2"]


def test_json_comes_back_as_it_was(storage):
    """What is no JSON is refused before anything is written."""
    storage.write_json("value", {"ü": [1, None]})

    assert storage.read_json("value") == {"ü": [1, None]}
    with pytest.raises(ValueError, match="Out of range"):
        storage.write_json("value", float("nan"))


def test_files_go_up_and_come_down(storage, tmp_path):
    """A missing one raises NotFound and leaves no file."""
    (tmp_path / "up").write_bytes(b"content")
    storage.upload_file("files/one", tmp_path / "up")
    storage.download_file("files/one", tmp_path / "new" / "down")

    assert (tmp_path / "new" / "down").read_bytes() == b"content"
    with pytest.raises(NotFound, match="files/two"):
        storage.download_file("files/two", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_refused_call_did_nothing_and_a_lost_answer_did():
    """The two faults that a caller cannot tell apart."""
    blobs = MemoryBlobs({"refused": Fault.REFUSED, "lost": Fault.LOST}.__getitem__)
    for name in ("refused", "lost"):
        with pytest.raises(Unavailable, match="in memory"):
            blobs.create(name, b"")
    blobs.faults = no_faults

    assert blobs.names() == ["lost"]


def test_a_copy_shares_nothing_afterwards():
    """Two worlds that begin alike go their own ways; an etag of the first is none of the second's later ones."""
    first, second = MemoryBlobs(), MemoryBlobs()
    first.write("a", b"1")
    _, etag = first.read_with_etag("a") or (b"", "")
    second.copy_from(first)
    second.write("a", b"2")

    assert first.read("a") == b"1"
    assert second.read("a") == b"2"
    assert not second.replace("a", b"3", etag)


def test_nothing_reaches_for_a_real_storage():
    """Every method that the real adapter has without going through another of them is replaced here."""
    through_others = {"read", "read_json", "write_json", "create_json", "change_json"}
    public = {name for name, _ in inspect.getmembers(Blobs, inspect.isfunction) if not name.startswith("_")}

    assert public - through_others <= vars(MemoryBlobs).keys()
