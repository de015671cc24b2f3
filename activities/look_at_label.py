"""Look again at the labels of an open change, of which one has moved."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from activities.preview_release import preview
from activities.read_config import config_of
from activities.tell_change import publish
from adapters import audit, changes, connect, opt_outs
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain.changes import ChangeRecord, foresee
from domain.config import Config, OptOutRule
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import ToggleOptOut
from domain.messages_changes import no_preview
from domain.wire import read
from settings import Settings, current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_label(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {} of {"repository", "number", "toggle": ToggleOptOut or None}, or {"retry_after": seconds}, or {"error"}.

    Before its validation has read the head's own config there is nothing to say on the change: the validation says it
    then; which label opts out, the newest release's policy tells. With "error", why nobody could look, the change is
    told that.
    """
    settings = current()
    outbox, site = connect.outbox(settings), f"{settings.public_url}/api"
    record = changes.find(outbox.blobs, payload["repository"], payload["number"])
    config = config_before_merge(record, settings, outbox.blobs)
    if payload.get("toggle"):
        rule = config.opt_out if config else opt_outs.rule_in_force(outbox.blobs, payload["repository"])
        trace(read(ToggleOptOut, payload["toggle"]), rule, outbox.blobs)
    if record is None or record.ended or config is None or record.base != settings.release_branch.of(record.repository):
        return {}
    try:
        if payload.get("error"):
            say_why_not(record, payload["error"], site, outbox)
        else:
            preview(record.repository, record.number, config, site, connect.github(settings), outbox)
    except DrawbridgeError as error:
        return as_answer(error)
    return {}


def config_before_merge(record: ChangeRecord | None, settings: Settings, blobs: Blobs) -> Config | None:
    """Return the config of the head that is validated; None as long as nobody has read one that can be used."""
    if record is None or not record.snapshot:
        return None
    found = config_of(record.snapshot, settings.release_branch.of(record.repository), blobs)
    return Config.model_validate(found["config"]) if "config" in found else None


def trace(toggle: ToggleOptOut, rule: OptOutRule, blobs: Blobs) -> None:
    """Record who put the opt-out label on an open change, or took it off. Other labels mean nothing."""
    if toggle.label.casefold() != rule.label.casefold():
        return
    audit.record(
        blobs,
        key=f"{toggle.repository.lower()}:toggle:{toggle.number}:{toggle.key}",
        what="toggle",
        who=toggle.by,
        subject=f"{toggle.repository}#{toggle.number}",
        details={"change": str(toggle.number), "label": toggle.label, "on": str(toggle.on)},
        at=toggle.at,
    )


def say_why_not(record: ChangeRecord, error: str, site: str, outbox: Outbox) -> None:
    """Let the change say that nobody could look at its label: what it said before may be wrong by now."""
    words = (no_preview(error),)
    where = record.repository, record.number
    told = changes.update(outbox.blobs, *where, lambda kept: foresee(kept, kept.preview, words))
    publish(told, site, outbox)
