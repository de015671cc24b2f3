"""Settle a debt: paid by an evaluation, waived by approvers, or open again when its payment could not run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, debts
from adapters.blobs import Blobs
from domain.models import Debt, DebtState
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def settle_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it then stands: the first verdict or waiver is final.

    Input: {"debt", "state", "by", "at", "evaluation": id or "", "detail", "evidence": digest or ""}.
    """
    return {"debt": asdict(settle(payload, connect.blobs(current())))}


def settle(wanted: dict[str, Any], blobs: Blobs) -> Debt:
    """Settle the debt, then write down who did it and on what evidence."""
    debt, state = read(Debt, wanted["debt"]), DebtState(wanted["state"])
    settled = debts.settle(blobs, debt, state, wanted["by"], wanted["at"], wanted["evaluation"], wanted["detail"])
    if state is not DebtState.OPEN and settled.state is state:
        audit.record(
            blobs,
            key=f"{debt.release}:debt-{state.value}",
            what=f"debt-{state.value}",
            who=settled.settled_by,
            subject=debt.release,
            evidence=wanted["evidence"],
            details={"owed": debt.owed, "evaluation": settled.evaluation, "detail": settled.detail},
        )
    return settled
