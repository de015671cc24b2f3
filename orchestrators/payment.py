"""Settle an evaluation debt by what its full evaluation came to, whoever had it run."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, replace
from typing import Any

import azure.durable_functions as df

from activities.settle_debt import settle_debt
from activities.tell_payment import tell_payment
from domain import debts
from domain import messages_schedules as words
from domain.models import Debt, DebtState, EvaluationSummary
from domain.nightly import Payment
from domain.wire import read
from orchestrators.retries import PATIENTLY


def settle(
    context: df.DurableOrchestrationContext, debt: Debt, began: Payment, result: Mapping[str, Any], record: str = ""
) -> Generator[Any, Any, Payment]:
    """Settle the debt, tell those who owe it, and return the payment as it then stands.

    `record` is when the payment began, where pages know its evaluation as a payment only; "" where they know it anyway.
    """
    payment, at = _settled(began, result), str(context.current_utc_datetime.isoformat())
    settling = {"debt": asdict(debt), "state": payment.state, "by": context.instance_id, "at": at, "evidence": ""}
    evaluation = payment.evaluation if "summary" in result else ""
    order = {**settling, "evaluation": evaluation, "detail": payment.detail}
    stands = (yield context.call_activity_with_retry(settle_debt, PATIENTLY, order))["debt"]
    if stands["state"] != payment.state:  # approvers waived it while it was paid
        payment = replace(payment, state=DebtState(stands["state"]), detail=stands["detail"])
    news = {"debt": asdict(debt), "payment": asdict(payment), "began": record, "at": at}
    yield context.call_activity_with_retry(tell_payment, PATIENTLY, news)
    return payment


def _settled(payment: Payment, result: Mapping[str, Any]) -> Payment:
    """Return a payment after its evaluation: what could not run is still owed."""
    if "summary" not in result:
        return replace(payment, state=DebtState.OPEN, detail=words.why_none(result))
    summary = read(EvaluationSummary, result["summary"])
    return replace(payment, state=debts.paid_with(summary.verdict), detail=words.payment_detail(summary))
