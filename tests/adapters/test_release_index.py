"""The list of releases in real blobs: at once, in the face of damage, and never without bound."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from adapters import records, release_index
from adapters.blobs import Blobs
from domain import blob_names
from domain.models import Outcome, ReleaseRecord
from domain.release_rows import FULL, PAGE
from tests import samples


def release(number: int, outcome: Outcome = Outcome.RELEASED, **fields: Any) -> ReleaseRecord:
    """Return the record of the release that began as the `number`th."""
    at = f"2026-11-23T09:{number // 60:02}:{number % 60:02}Z"
    known = samples.record(outcome=outcome)
    return replace(known, **{"id": f"release-acme.helpdesk-{number:04}", "created_at": at, "updated_at": at, **fields})


def keep_records(blobs: Blobs, numbers: range) -> None:
    """Store records as an older version of this app left them: without a list."""
    with ThreadPoolExecutor(16) as writers:
        known = [release(number) for number in numbers]
        list(writers.map(lambda one: blobs.write_json(blob_names.record(one.id), samples.wire(one)), known))


def shown(blobs: Blobs, page: int = 1) -> list[int]:
    """Return which releases a page shows."""
    rows, _, _ = release_index.read_page(blobs, page)
    return [int(row.id[-4:]) for row in rows]


def listed(blobs: Blobs) -> list[int]:
    """Return all pages, one after the other."""
    pages = release_index.read_page(blobs, 1)[2]
    return [number for page in range(1, pages + 1) for number in shown(blobs, page)]


def test_saved_release_is_on_the_list_as_it_stands(blobs: Blobs) -> None:
    """The record and its row; saved twice it is there once."""
    records.save_record(blobs, release(1, Outcome.RUNNING))
    records.save_record(blobs, release(2, Outcome.RUNNING))
    records.save_record(blobs, release(1, Outcome.FAILED))

    rows, number, pages = release_index.read_page(blobs, 1)

    assert [(row.id[-1], row.outcome) for row in rows] == [("2", Outcome.RUNNING), ("1", Outcome.FAILED)]
    assert (number, pages) == (1, 1)
    assert records.need_record(blobs, release(1).id).outcome is Outcome.FAILED


def test_list_is_made_from_the_records_that_were_there_before(blobs: Blobs) -> None:
    """By the first release that is saved; until then the page reads the records, and changes nothing."""
    keep_records(blobs, range(120))
    before = blobs.names()

    assert listed(blobs) == list(reversed(range(120)))
    assert blobs.names() == before

    records.save_record(blobs, release(120, Outcome.RUNNING))

    assert listed(blobs) == list(reversed(range(121)))
    assert len(blobs.names(blob_names.releases_parts())) == 1


def test_parts_stay_small_however_many_releases_there_are(blobs: Blobs) -> None:
    """Nothing is lost on the way."""
    keep_records(blobs, range(FULL - 3))
    for number in range(FULL - 3, FULL + 2):
        records.save_record(blobs, release(number))

    head = blobs.read_json(blob_names.RELEASES)

    assert len(head["rows"]) == FULL + 2 - PAGE
    assert head["sealed"] == 1
    assert listed(blobs) == list(reversed(range(FULL + 2)))


def test_late_save_of_a_sealed_release_changes_nothing(blobs: Blobs) -> None:
    """Somebody added a note months later."""
    keep_records(blobs, range(FULL))
    records.save_record(blobs, release(FULL))

    late = release(3, notes=("late",), updated_at="2027-01-01T09:00:00Z")
    records.change_record(blobs, late.id, lambda _: late)

    assert listed(blobs) == list(reversed(range(FULL + 1)))
    assert records.need_record(blobs, release(3).id).notes == ("late",)


def test_releases_saved_at_once_are_all_listed(blobs: Blobs) -> None:
    """Also while the list is being made anew and while a part is being sealed."""
    keep_records(blobs, range(FULL - 8))

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda number: records.save_record(blobs, release(number)), range(FULL - 8, FULL + 8)))

    assert listed(blobs) == list(reversed(range(FULL + 8)))


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b'{"generation": 1}', b"\xff"])
def test_damaged_list_is_mended_from_the_records(blobs: Blobs, damage: bytes, caplog: Any) -> None:
    """The page stands meanwhile; the next save mends it and leaves nothing of the old one behind."""
    caplog.set_level(logging.WARNING, "drawbridge")
    keep_records(blobs, range(120))
    records.save_record(blobs, release(120))
    blobs.write(blob_names.RELEASES, damage)

    assert shown(blobs)[0] == 120
    records.save_record(blobs, release(121))

    assert listed(blobs) == list(reversed(range(122)))
    assert len(blobs.names(blob_names.releases_parts())) == 1
    assert "is made anew from 122 records" in caplog.text


def test_missing_part_is_mended_when_the_next_one_is_sealed(blobs: Blobs) -> None:
    """Until then its page is made from the records."""
    keep_records(blobs, range(FULL))
    records.save_record(blobs, release(FULL))
    (part,) = blobs.names(blob_names.releases_parts())
    blobs.remove(part)

    assert listed(blobs) == list(reversed(range(FULL + 1)))
    keep_records(blobs, range(FULL, FULL + PAGE))
    for number in range(FULL + 1, FULL + PAGE):
        release_index.keep(blobs, release(number, Outcome.RUNNING))
        release_index.keep(blobs, release(number))

    assert len(blobs.names(blob_names.releases_parts())) == 2
    assert listed(blobs) == list(reversed(range(FULL + PAGE)))


def test_sealing_that_broke_off_is_finished_by_the_next_save(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part was written, the head was not: its rows are neither lost nor there twice."""
    keep_records(blobs, range(FULL - 2))
    records.save_record(blobs, release(FULL - 2))
    read_json = blobs.read_json

    def die(name: str) -> Any:
        if name.startswith(blob_names.releases_parts()):
            raise ConnectionError("the process ends here")
        return read_json(name)

    monkeypatch.setattr(blobs, "read_json", die)
    with pytest.raises(ConnectionError):
        records.save_record(blobs, release(FULL - 1))
    monkeypatch.undo()
    records.save_record(blobs, release(FULL))

    assert listed(blobs) == list(reversed(range(FULL + 1)))
    assert blobs.read_json(blob_names.RELEASES)["sealed"] == 1


@pytest.mark.parametrize(("wish", "number"), [(-1, 1), (0, 1), (1, 1), (3, 3), (4, 3), (10**9, 3)])
def test_page_number_out_of_range_gives_the_nearest_page(blobs: Blobs, wish: int, number: int) -> None:
    """Page numbers come from outside."""
    keep_records(blobs, range(101))
    records.save_record(blobs, release(101))

    assert release_index.read_page(blobs, wish)[1:] == (number, 3)
