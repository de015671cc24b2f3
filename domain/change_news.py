"""What GitHub is told about an open change: its status, its one comment, its labels."""

from __future__ import annotations

import re

from domain import messages_changes as messages
from domain.changes import CONTEXT, OPT_OUT_CONTEXT, ChangeRecord, ChangeState, is_settled
from domain.git_flow import MERGED
from domain.outbox import Annotation, Comment, Label, Message, Status
from domain.release_news import CHANGE

_PROBLEM = re.compile(r"^([\w./-]+):(\d+): (.+)$", re.MULTILINE)


def news(record: ChangeRecord, site: str, at: str) -> tuple[Message, ...]:
    """Return everything GitHub is to show of a change as its record stands. `site` is where our pages are, with /api.

    Nothing before its first validation, which then tells what was kept until it came.
    """
    if not record.instance:
        return ()
    page = f"{site}/changes/{record.instance}"
    body = messages.comment(record, page)
    if record.group:
        return (_status(record, page, body, at),)
    said: list[Message] = [_status(record, page, body, at), *_opt_out(record, page, at)]
    if record.person and is_settled(record):
        needed = not record.ended and (record.state is ChangeState.FAILED or bool(record.needed))
        said.append(Label(record.repository, record.number, record.person, needed, record.instance, at=at, urgent=True))
    if record.ended == MERGED:
        return tuple(said)  # the comment is its release's from now on
    comment = Comment(record.repository, record.number, record.head, CHANGE, body, link=page, at=at, urgent=True)
    return (*said, comment)


def parting(record: ChangeRecord, site: str, at: str) -> tuple[Message, ...]:
    """Return what a head's own status says of a validation that no longer speaks for its change."""
    page = f"{site}/changes/{record.instance}"
    return (_status(record, page, "", at),)


def _status(record: ChangeRecord, page: str, summary: str, at: str) -> Status:
    return Status(
        record.repository,
        record.head,
        CONTEXT,
        record.state.value,
        messages.description(record),
        page,
        summary=summary,
        annotations=_annotations(record),
        external_id=record.instance,
        at=at,
        urgent=is_settled(record),
    )


def _opt_out(record: ChangeRecord, page: str, at: str) -> tuple[Status, ...]:
    """Say what the policy makes of the label, also that it is gone; nothing where there never was one."""
    if record.preview is None and not record.previewed:
        return ()
    state = ChangeState.FAILED if record.preview and record.preview.refused else ChangeState.PASSED
    words = messages.opt_out_description(record.preview)
    where = record.repository, record.head, OPT_OUT_CONTEXT
    return (Status(*where, state.value, words, page, external_id=record.instance, at=at, urgent=True),)


def _annotations(record: ChangeRecord) -> tuple[Annotation, ...]:
    """Point at the lines of the config that are wrong."""
    return tuple(Annotation(path, int(line), text) for path, line, text in _PROBLEM.findall(record.problems))
