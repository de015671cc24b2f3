"""Keep the debt that a release incurs when it skips its full evaluation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, debts
from adapters.blobs import Blobs
from domain.messages_promotion import skipped_because
from domain.models import Debt
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def record_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it stands: a debt is kept once for a commit, and may be paid already. Input: {"debt"}."""
    return {"debt": asdict(incur(read(Debt, payload["debt"]), connect.blobs(current())))}


def incur(debt: Debt, blobs: Blobs) -> Debt:
    """Keep the debt, and audit who made it."""
    kept = debts.record(blobs, debt)
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
