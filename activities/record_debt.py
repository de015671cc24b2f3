"""Keep the debt that a release incurs when it skips its full evaluation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, debts, lanes
from adapters.blobs import Blobs
from domain.debts import stack
from domain.messages_promotion import skipped_because
from domain.models import Debt
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def record_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it stands: a debt is kept once for a commit, and may be paid already.

    Input: {"debt", "production": the name of the last environment}.
    """
    return {"debt": asdict(incur(payload, connect.blobs(current())))}


def incur(wanted: dict[str, Any], blobs: Blobs) -> Debt:
    """Keep the debt, with those of other commits that it stands on, and audit who made it."""
    debt = read(Debt, wanted["debt"])
    lane = lanes.read(blobs, debt.repository, wanted["production"])
    in_production = lane.current.position if lane.current else 0
    kept = debts.record(blobs, stack(debt, debts.unpaid(blobs, debt.repository), in_production))
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
