"""Settle a debt: paid by an evaluation, waived by approvers, or open again when its payment could not run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, branch_order, connect, debts, lanes
from adapters.blobs import Blobs
from domain import blob_names
from domain.audit import What
from domain.models import Debt, DebtState
from domain.wire import digest_of, read
from settings import Settings, current

WORDS: dict[DebtState, What] = {
    DebtState.PAID: "debt-paid",
    DebtState.FAILED: "debt-failed",
    DebtState.WAIVED: "debt-waived",
}

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def settle_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it then stands: the first verdict or waiver is final.

    Input: {"debt", "state", "by", "at", "evaluation": id or "", "detail", "evidence": digest or ""}; to waive it
    {"production": the name of the last environment} as well.
    """
    return {"debt": asdict(settle(payload, current()))}


def settle(wanted: dict[str, Any], settings: Settings) -> Debt:
    """Settle the debt, then write down who did it and on what evidence."""
    blobs, debt, state = connect.blobs(settings), read(Debt, wanted["debt"]), DebtState(wanted["state"])
    by, at = wanted["by"], wanted["at"]
    if state is DebtState.WAIVED:
        production = lanes.read(blobs, debt.repository, wanted["production"])
        asked = branch_order.Asked(lambda: connect.github(settings), debt.repository)
        settled = debts.waive(blobs, debt, by, at, production, asked)
    else:
        settled = debts.settle(blobs, debt, state, by, at, wanted["evaluation"], wanted["detail"])
    if state in WORDS and settled.state is state:
        audit.record(
            blobs,
            key=f"{debt.release}:debt-{state.value}",
            what=WORDS[state],
            who=settled.settled_by,
            subject=debt.release,
            evidence=wanted["evidence"] or _of_evaluation(settled.evaluation, blobs),
            details={"owed": debt.owed, "evaluation": settled.evaluation, "detail": settled.detail},
        )
    return settled


def _of_evaluation(evaluation: str, blobs: Blobs) -> str:
    """Return the digest of the verdict that settled the debt; nothing when no evaluation did."""
    summary = blobs.read_json(blob_names.summary(evaluation)) if evaluation else None
    return digest_of(summary) if summary else ""
