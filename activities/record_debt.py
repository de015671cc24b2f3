"""Keep the debt that a release incurs when it skips its full evaluation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, branch_order, connect, debts, lanes
from adapters.blobs import Blobs
from domain.branch_line import Place
from domain.debts import place
from domain.messages_promotion import skipped_because
from domain.models import Debt
from domain.wire import read
from settings import Settings, current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def record_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it stands: a debt is kept once for a commit, and may be paid already.

    Input: {"debt", "production": the name of the last environment}.
    """
    return {"debt": asdict(incur(payload, current()))}


def incur(wanted: dict[str, Any], settings: Settings) -> Debt:
    """Keep the debt, with those of other commits that it stands on, and audit who made it."""
    blobs = connect.blobs(settings)
    # Kept before the others are read: of two that are incurred at once, one at least sees the other.
    kept = debts.record(blobs, read(Debt, wanted["debt"]))
    kept = _stack(kept, wanted["production"], settings, blobs)
    audit.record(
        blobs,
        key=f"{kept.release}:debt-incurred",
        what="debt-incurred",
        who=", ".join(one.by for one in kept.opt_outs),
        subject=kept.release,
        details={
            "owed": kept.owed,
            "why": skipped_because(kept.opt_outs),
            "commit": kept.commit,
            "due": kept.expires_at,
        },
        at=kept.at,
    )
    return kept


def _stack(debt: Debt, production: str, settings: Settings, blobs: Blobs) -> Debt:
    """Note what the debt stands on, and what stands on it: an older commit may opt out after a newer one."""
    others = debts.unpaid(blobs, debt.repository)
    current = lanes.read(blobs, debt.repository, production).current
    there = Place(current.sha, current.position) if current else Place("", 0)
    pairs = [(one, place(other)) for other in others for one in (place(debt), there)] + [(there, place(debt))]
    relations = branch_order.relations(lambda: connect.github(settings), debt.repository, pairs)
    for other in others:
        debts.stack(blobs, other, [debt], there, relations)
    return debts.stack(blobs, debt, others, there, relations)
