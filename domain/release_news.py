"""What GitHub hears of a release: which messages, on which of its changes, and how urgently."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from domain import messages, messages_github, timeline
from domain.models import Outcome, ReleaseRecord, Stage, StageState
from domain.outbox import Comment, Message, Status

CHANGE = "change"  # marks the one comment of a change, which its release takes over from its validation
FOLLOWED = 3  # changes that hear of a release before it ends; a push may bring hundreds


def news(
    record: ReleaseRecord, stages: Collection[str], site: str, links: Mapping[str, Mapping[str, str]]
) -> tuple[Message, ...]:
    """Return what to post when these stages of a release have changed.

    `site` is where our pages are, with the /api; `links` holds, for each stage's environment that waits for people,
    the URL for each of them. Deployments are told as GitHub deployments, not here.
    """
    changed = [stage for stage in record.stages if stage.name in stages]
    ended = record.outcome is not Outcome.RUNNING
    urgent = ended or any(_asks(stage) for stage in changed)
    statuses = (_status(record, stage, site, urgent) for stage in changed if not stage.name.startswith("deploy-"))
    body = messages.release_comment(record, site, links)
    comments = (
        Comment(
            record.repository,
            change,
            record.commit.sha,
            record.id if change is None else CHANGE,
            body,
            f"{site}/releases/{record.id}",
            at=record.updated_at,
            urgent=urgent,
        )
        for change in _places(record, changed, ended)
    )
    return (*statuses, *comments)


def followed(record: ReleaseRecord) -> list[int | None]:
    """Return where people hear of a release before it ends: its first changes, or None for the commit."""
    return timeline.places_to_comment(record)[:FOLLOWED]


def _places(record: ReleaseRecord, changed: list[Stage], ended: bool) -> Iterator[int | None]:
    """Yield where to comment: the end on every change, questions to people on three, all the rest on the first."""
    for number, place in enumerate(timeline.places_to_comment(record)):
        first = number == 0 and not _origin_unknown(record)
        question = number < FOLLOWED and any(_asks(stage) for stage in changed)
        if ended or first or question:
            yield place


def _origin_unknown(record: ReleaseRecord) -> bool:
    prepares = any(one.name == timeline.PREPARE and one.state is StageState.RUNNING for one in record.stages)
    return prepares and not record.changes


def _asks(stage: Stage) -> bool:
    people_decide = stage.name.startswith("approve-") or stage.name == timeline.OVERRIDE
    return people_decide and stage.state is StageState.RUNNING


def _status(record: ReleaseRecord, stage: Stage, site: str, urgent: bool) -> Status:
    return Status(
        record.repository,
        record.commit.sha,
        messages_github.status_context(stage.name),
        StageState.WAITING.value if _asks(stage) else stage.state.value,
        messages_github.status_description(stage),
        stage.url or f"{site}/releases/{record.id}",
        messages_github.check_summary(record, stage, site),
        buttons=messages_github.buttons(stage),
        external_id=record.id,
        at=record.updated_at,
        urgent=urgent,
    )
