"""Records of releases in real blobs: an end stands, whoever writes late."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from adapters import closing, records, release_index
from adapters.blobs import Blobs
from domain import timeline
from domain.errors import NotFound
from domain.models import Outcome, ReleaseRecord
from tests import samples

AT = "2026-11-23T10:00:00Z"
EARLIER = "2026-11-23T09:30:00Z"
RUNNING = timeline.begin(samples.record(), timeline.FULL, AT, f"{samples.RELEASE}.full:shards")
CANCELLED = timeline.close(RUNNING, Outcome.CANCELLED, "Cancelled by maria.", EARLIER)  # her host's clock is behind


def outcomes(blobs: Blobs) -> tuple[Outcome, list[Outcome]]:
    """Return how the release stands in its record, and in the list."""
    rows, _, _ = release_index.read_page(blobs, 1)
    return records.need_record(blobs, samples.RELEASE).outcome, [row.outcome for row in rows]


def test_late_step_of_a_cancelled_release_does_not_bring_it_back(
    blobs: Blobs, caplog: pytest.LogCaptureFixture
) -> None:
    """The record and the list keep the end, and the log says which."""
    records.save_record(blobs, RUNNING)
    records.save_record(blobs, CANCELLED)

    with caplog.at_level(logging.WARNING, "drawbridge.releases"):
        kept = records.save_record(blobs, RUNNING)

    assert kept == CANCELLED
    assert outcomes(blobs) == (Outcome.CANCELLED, [Outcome.CANCELLED])
    assert f"{samples.RELEASE} stays cancelled (Cancelled by maria.): running came too late" in caplog.text


def test_end_that_comes_between_reading_and_writing_stands(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that write at once the slower one looks again."""
    records.save_record(blobs, samples.record())
    read = Blobs.read_with_etag

    def slowly(self: Blobs, name: str) -> tuple[bytes, str] | None:
        found = read(self, name)
        monkeypatch.setattr(Blobs, "read_with_etag", read)
        records.save_record(blobs, CANCELLED)
        return found

    monkeypatch.setattr(Blobs, "read_with_etag", slowly)
    records.save_record(blobs, RUNNING)

    assert outcomes(blobs) == (Outcome.CANCELLED, [Outcome.CANCELLED])


def test_release_ends_once(blobs: Blobs) -> None:
    """Whoever cancels it a moment after it came to its own end is told that end."""
    released = timeline.close(RUNNING, Outcome.RELEASED, "It runs in prod.", AT)
    records.save_record(blobs, released)

    told = closing.close_release(blobs, RUNNING, "Cancelled by maria.", by="maria", at=AT)

    assert told == released
    assert b'"cancelled"' not in b"".join(blobs.read(name) or b"" for name in blobs.names("audit/"))
    assert outcomes(blobs) == (Outcome.RELEASED, [Outcome.RELEASED])


def test_cancelling_keeps_what_the_story_wrote_last(blobs: Blobs) -> None:
    """The caller has read the record a moment before that."""
    records.save_record(blobs, RUNNING)

    told = closing.close_release(blobs, samples.record(), "Cancelled by maria.", by="maria", at=EARLIER)

    assert told == CANCELLED
    assert blobs.exists(f"evaluations/{samples.RELEASE}.full/plan.json.cancelled")


def test_note_of_others_outlives_what_the_story_writes_next(blobs: Blobs) -> None:
    """The story of a release that was gone back to in dev knows nothing of it."""
    records.save_record(blobs, samples.record(notes=("first",)))
    records.change_record(blobs, samples.RELEASE, lambda kept: timeline.note(kept, "dev was rolled back"))

    kept = records.save_record(blobs, samples.record(notes=("first", "second")))

    assert kept.notes == ("first", "dev was rolled back", "second")


def test_record_is_changed_as_it_stands(blobs: Blobs) -> None:
    """Also when it ends while the change is made."""
    records.save_record(blobs, RUNNING)

    def note(kept: ReleaseRecord) -> ReleaseRecord:
        records.save_record(blobs, CANCELLED)
        return timeline.note(kept, "dev was rolled back")

    assert records.change_record(blobs, samples.RELEASE, note) == replace(CANCELLED, notes=("dev was rolled back",))


def test_release_that_never_was_has_no_record_to_change(blobs: Blobs) -> None:
    """The message says where releases come from."""
    with pytest.raises(NotFound, match="A merge to the release branch starts one"):
        records.change_record(blobs, samples.RELEASE, lambda kept: kept)
