"""Become the one who pays a debt, so that its evaluation does not run twice."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, debts
from domain.models import Debt
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def take_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"}, null when somebody else pays it or it is settled. Input: {"debt", "payer": instance}.

    With {"over_from"}, the instance of a payer that is known to be gone, its payment is taken over.
    """
    over_from = payload.get("over_from", "")
    taken = debts.take(connect.blobs(current()), read(Debt, payload["debt"]), payload["payer"], over_from)
    return {"debt": asdict(taken) if taken else None}
