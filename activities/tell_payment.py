"""Keep how the payment of an evaluation debt stands, and tell the changes that owe it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.outbox import Outbox
from domain import blob_names, nightly, schedule_news
from domain.models import Debt
from domain.nightly import Payment
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def tell_payment(payload: dict[str, Any]) -> None:
    """Tell {"debt", "payment", "at": now}; with {"began": when}, keep the evaluation for the pages as well."""
    settings = current()
    tell(payload, f"{settings.public_url}/api", connect.outbox(settings))


def tell(news: dict[str, Any], site: str, outbox: Outbox) -> None:
    """Say it as often as this runs: the same record, and one comment on each change."""
    debt, payment = read(Debt, news["debt"]), read(Payment, news["payment"])
    if news["began"]:
        record = nightly.payment_record(debt, payment, news["began"])
        outbox.blobs.write_json(blob_names.evaluation_record(record.id), asdict(record))
    outbox.post(*schedule_news.paid(debt, payment, site, news["at"]))
