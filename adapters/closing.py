"""What has to be left behind when a release is over, whoever ended it: its own story, a person, or an operator."""

from __future__ import annotations

from adapters import audit, carriers, debts, lanes, records
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names, release_news, timeline
from domain.audit import APP
from domain.models import DebtState, Outcome, ReleaseRecord


def tidy(blobs: Blobs, record: ReleaseRecord) -> None:
    """Free its lanes, shut the doors of its open questions, let others pay its debt, and audit how it ended."""
    lanes.free(blobs, record.repository, record.id)
    debt = debts.find(blobs, record.repository, record.commit.sha)
    if debt and debt.state is DebtState.PAYING and debt.settled_by == record.id:
        debts.settle(blobs, debt, DebtState.OPEN, record.id, record.updated_at)
    for stage in record.stages:
        environment = timeline.asks_about(stage.name)
        request = records.read_request(blobs, record.id, environment) if environment else None
        if request:
            door = blob_names.approval_outcome(record.id, environment, request.round)
            blobs.create_json(door, {"decision": record.outcome.value})
    bar = lanes.find_bar(blobs, record.id) if record.outcome is Outcome.CANCELLED else None
    if bar:  # it ended by itself, since whoever cancelled it was cut off before its orchestration was ended
        _cancelled(blobs, record, bar.by)
    audit.record(
        blobs,
        key=f"{record.id}:ended",
        what="release-ended",
        who=APP,
        subject=record.id,
        details={"outcome": record.outcome.value, "reason": record.reason, "commit": record.commit.sha},
    )


def close_release(blobs: Blobs, record: ReleaseRecord, reason: str, by: str, at: str) -> ReleaseRecord:
    """End a release from outside as cancelled: its orchestration is gone or was just terminated. Returns its record.

    One that has come to an end meanwhile keeps it. What is deployed stays. Has to be told, see `tell`. May be repeated.
    """
    closed = records.change_record(blobs, record.id, lambda found: timeline.close(found, Outcome.CANCELLED, reason, at))
    for evaluation in timeline.evaluations_cut_short(closed):
        blobs.write(blob_names.cancelled(blob_names.plan(evaluation)), b"")
    if closed.outcome is Outcome.CANCELLED:
        _cancelled(blobs, closed, by)
    tidy(blobs, closed)
    return closed


def _cancelled(blobs: Blobs, record: ReleaseRecord, by: str) -> None:
    why = {"why": record.reason}
    audit.record(blobs, key=f"{record.id}:cancel", what="cancelled", who=by, subject=record.id, details=why)


def tell(blobs: Blobs, outbox: Outbox, record: ReleaseRecord, site: str) -> None:
    """Let GitHub hear how a release ended that its own story does not tell; `site` is where our pages are."""
    begun = [stage.name for stage in record.stages if stage.started_at]
    outbox.post(*carriers.placed(blobs, record.id, release_news.news(record, begun, site, {})))
    told(blobs, record.id)


def told(blobs: Blobs, release: str) -> None:
    """Note that a release's end was told, and that nothing of it is left behind."""
    blobs.remove(blob_names.untold(release))
