"""Say in advance what the release of a change will evaluate, and what the policy makes of its opt-out label."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from activities.tell_change import publish
from adapters import changes, connect, debts, durations, opt_outs
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import messages_changes
from domain.changes import ChangeRecord, foresee
from domain.config import Config, OptOutRule
from domain.errors import DrawbridgeError, as_answer
from domain.models import OptOut
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def preview_release(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"preview": OptOut or None} of {"repository", "number", "config"}; {"error"} or {"retry_after"}.

    The change's record and GitHub show it afterwards.
    """
    settings = current()
    config = Config.model_validate(payload["config"])
    where = payload["repository"], payload["number"]
    site, github, outbox = f"{settings.public_url}/api", connect.github(settings), connect.outbox(settings)
    try:
        found = preview(*where, config, site, github, outbox)
    except DrawbridgeError as error:
        return as_answer(error)
    return {"preview": asdict(found) if found else None}


def preview(repository: str, number: int, config: Config, site: str, github: GitHub, outbox: Outbox) -> OptOut | None:
    """Judge the label as it is now, keep that, and tell it. Safe to run whenever a label has moved."""
    found = judge_label(repository, number, config.opt_out, github, outbox.blobs)
    publish(keep(repository, number, config, found, outbox), site, outbox)
    return found


def judge_label(repository: str, number: int, rule: OptOutRule, github: GitHub, blobs: Blobs) -> OptOut | None:
    """Let the policy judge the opt-out label that is on the change now, if one is."""
    labels = github.change_facts(repository, number).labels
    label = next((one for one in labels if one.casefold() == rule.label.casefold()), None)
    if label is None:
        return None
    facts = github.opt_out_now(repository, number, label)
    if facts is None:
        return OptOut(label, number, "", "", refused=messages_changes.nobody_on_record(label))
    return opt_outs.judge(rule, facts, repository, github, blobs)


def keep(repository: str, number: int, config: Config, preview: OptOut | None, outbox: Outbox) -> ChangeRecord:
    """Keep what the release will evaluate with what is known about the change."""
    blobs = outbox.blobs
    lately, owed = durations.lately(blobs, repository), debts.open_debts(blobs, repository)
    forecast = messages_changes.forecast(config, preview, lately, owed)
    return changes.update(blobs, repository, number, lambda kept: foresee(kept, preview, forecast))
