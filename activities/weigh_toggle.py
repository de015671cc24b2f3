"""Look again at an opt-out label that was put on a merged change, or taken off, while its release is on its way."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import audit, connect, opt_outs
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names, messages_promotion
from domain.config import OptOutRule
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import ToggleOptOut
from domain.models import OptOut, ReleaseRecord
from domain.opt_out import full_evaluation_ahead, may_have_ground
from domain.outbox import Reply
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()

LOOK_AGAIN = 30.0  # seconds


@bp.activity_trigger(input_name="payload")
def weigh_toggle(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"decision": in words}, or {"retry_after"}, for a ToggleOptOut; with "last" it is not asked again.

    The label as GitHub has it now counts, not what the event said: events may come late, twice, or out of order. When
    no release carries the change it is both: the release may just have begun.
    """
    settings, toggle = current(), read(ToggleOptOut, payload)
    blobs = connect.blobs(settings)
    if payload.get("last"):
        return {"decision": give_up(toggle, connect.outbox(settings))}
    try:
        if not blobs.exists(blob_names.carrier(toggle.repository, toggle.number)):
            return {"decision": messages_promotion.no_release_carries(toggle.number), "retry_after": LOOK_AGAIN}
        decision = weigh(toggle, connect.github(settings), blobs)
    except DrawbridgeError as error:
        return as_answer(error)
    return {"decision": decision}


def give_up(toggle: ToggleOptOut, outbox: Outbox) -> str:
    """Audit a toggle that nobody could weigh; where a release carries the change, say so on the change as well."""
    release, rule = _carried(toggle, outbox.blobs)
    if not release:
        decision = messages_promotion.no_release_carries(toggle.number)
        _trace(toggle, f"{toggle.repository}#{toggle.number}", decision, outbox.blobs)
        return decision
    if rule is None or toggle.label.casefold() != rule.label.casefold():
        return messages_promotion.other_label(toggle.label)
    decision = messages_promotion.not_weighed(toggle.on)
    marker = f"toggle-{toggle.key}"
    outbox.post(Reply(toggle.repository, toggle.number, marker, decision, at=toggle.at, urgent=True))
    _trace(toggle, release, decision, outbox.blobs)
    return decision


def weigh(toggle: ToggleOptOut, github: GitHub, blobs: Blobs) -> str:
    """Keep how the label stands, audit it, and stop a full evaluation that nobody owes any more."""
    release, rule = _carried(toggle, blobs)
    if rule is None:
        return messages_promotion.no_release_carries(toggle.number)
    if toggle.label.casefold() != rule.label.casefold():
        return messages_promotion.other_label(toggle.label)
    facts = github.opt_out_now(toggle.repository, toggle.number, rule.label)
    stands = opt_outs.judge(rule, facts, toggle.repository, github, blobs) if facts else None
    after = _keep(blobs, release, toggle.number, stands)
    decision = _act(blobs, release, after)
    _trace(toggle, release, decision, blobs)
    return decision


def _trace(toggle: ToggleOptOut, subject: str, decision: str, blobs: Blobs) -> None:
    details = {"change": str(toggle.number), "label": toggle.label, "on": str(toggle.on), "decision": decision}
    key = f"{subject}:toggle:{toggle.number}:{toggle.key}"
    audit.record(blobs, key=key, what="toggle", who=toggle.by, subject=subject, details=details)


def _carried(toggle: ToggleOptOut, blobs: Blobs) -> tuple[str, OptOutRule | None]:
    """Return which release carries the change, and its policy, as far as they are known."""
    carrier = blobs.read_json(blob_names.carrier(toggle.repository, toggle.number))
    kept = blobs.read_json(blob_names.opt_outs(carrier["release"])) if carrier else None
    rule = read(OptOutRule, kept["rule"]) if kept and kept["rule"] else None
    return (carrier["release"] if carrier else ""), rule


def _keep(blobs: Blobs, release: str, number: int, stands: OptOut | None) -> dict[str, Any]:
    def step(kept: dict[str, Any]) -> dict[str, Any]:
        return {**kept, "changes": {**kept["changes"], str(number): asdict(stands) if stands else None}}

    after: dict[str, Any] = blobs.change_json(blob_names.opt_outs(release), step)
    return after


def _act(blobs: Blobs, release: str, kept: dict[str, Any]) -> str:
    """Stop the full evaluation when every change opts out now and there is no verdict; say what becomes of it."""
    honoured = [read(OptOut, one) for one in kept["changes"].values() if one and not one["refused"]]
    refused = [read(OptOut, one) for one in kept["changes"].values() if one and one["refused"]]
    if not 0 < len(honoured) == len(kept["changes"]):
        return messages_promotion.opt_out_stands(honoured, refused)
    stored = blobs.read_json(blob_names.record(release))
    record = read(ReleaseRecord, stored) if stored else None
    if record and not may_have_ground(record):
        return messages_promotion.no_ground()
    evaluation = full_evaluation_ahead(release, record)
    if not evaluation or blobs.exists(blob_names.summary(evaluation)):
        return messages_promotion.verdict_stays()
    # Before it begins as well: its jobs look for this mark first of all, and the release then looks at the labels.
    blobs.write(blob_names.cancelled(blob_names.plan(evaluation)), b"")
    return messages_promotion.evaluation_cancelled(honoured)
