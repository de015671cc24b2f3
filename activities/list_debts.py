"""List the evaluation debts of a repository that wait to be paid."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, debts
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def list_debts(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"debts": open or being paid, oldest first} of {"repository"}."""
    return {"debts": [asdict(debt) for debt in debts.open_debts(connect.blobs(current()), payload["repository"])]}
