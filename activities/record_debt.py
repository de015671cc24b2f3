"""Keep the debt that a release incurs when it skips its full evaluation."""

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
def record_debt(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debt"} as it stands: a debt is kept once for a commit, and may be paid already. Input: {"debt"}."""
    return {"debt": asdict(debts.record(connect.blobs(current()), read(Debt, payload["debt"])))}
