"""The night of one repository: pay what is owed, look at main's head and at what is deployed, say what got worse."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.compare_evaluations import compare_evaluations
from activities.find_deployed import find_deployed
from activities.find_head import find_head
from activities.keep_night import keep_night
from activities.list_debts import list_debts
from activities.read_last_night import read_last_night
from activities.take_debt import take_debt
from activities.take_fingerprint import take_fingerprint
from activities.tell_evaluation import tell_evaluation
from activities.tell_payment import tell_payment
from domain import messages
from domain import messages_schedules as words
from domain import nightly as nights
from domain.commands import FULL
from domain.config import Config
from domain.git_flow import evaluation_id
from domain.models import Comparison, Debt, DebtState, EvaluationSummary
from domain.nightly import HEAD, Night, Payment, Seen, Target
from domain.schedules import ERROR, NIGHTLY, RUNNING, running_instance
from domain.wire import read
from orchestrators.commits import Steps, order, read_commit
from orchestrators.patience import FOR_AN_EVALUATION, ask_github
from orchestrators.payment import settle
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def nightly(context: df.DurableOrchestrationContext) -> Steps:
    """Return the Night. Input: {"repository", "date", "branch": the release branch}.

    Debts are paid whatever the config says, one after the other, and what breaks one of them stops no other.
    """
    tale = _Tale(context)
    try:
        yield from tale.begin()
        yield from tale.pay_debts()
        yield from tale.look_at_targets()
    except Exception as error:
        tale.night = replace(tale.night, note=messages.crashed(error), ended_at=tale.now)
        yield tale.keep()
        raise
    return asdict(tale.night)


class _Tale:
    """What the night holds while it is told. Deterministic: clock and ids come from the context."""

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        work = context.get_input()
        self.context = context
        self.repository: str = work["repository"]
        self.date: str = work["date"]
        self.branch: str = work["branch"]
        self.night = Night(self.repository, self.date, context.instance_id, self.now)
        self.last: Night | None = None
        self.commits: dict[str, dict[str, Any]] = {}  # by sha: snapshot and config, or why there are none
        self.results: dict[str, dict[str, Any]] = {}  # by evaluation: what it came to tonight

    @property
    def now(self) -> str:
        return str(self.context.current_utc_datetime.isoformat())

    def act(self, activity: Any, payload: dict[str, Any]) -> TaskBase:
        return self.context.call_activity_with_retry(activity, PATIENTLY, payload)

    def keep(self, *, final: bool = False) -> TaskBase:
        return self.act(keep_night, {"night": asdict(self.night), "at": self.now, "final": final})

    def begin(self) -> Steps:
        """Show that it runs, and read where the last night left off."""
        self._show("begin")
        yield self.keep()
        last = (yield self.act(read_last_night, {"repository": self.repository}))["night"]
        self.last = read(Night, last) if last else None

    def pay_debts(self) -> Steps:
        """Pay what is owed, oldest first."""
        owed = (yield self.act(list_debts, {"repository": self.repository}))["debts"]
        for number, wire in enumerate(owed):
            self._show("pay-debts", number, len(owed))
            debt = read(Debt, wire)
            try:
                payment = yield from self._pay(debt)
            except Exception as error:  # the next night takes the debt over
                name = nights.payment_id(debt, self.date)
                payment = Payment(debt.release, debt.commit, name, DebtState.OPEN, messages.crashed(error))
            if payment:
                self.night = replace(self.night, payments=(*self.night.payments, payment))

    def _pay(self, debt: Debt) -> Steps:
        """Return what became of a debt, None when somebody else pays it."""
        payer = self.context.instance_id
        taking = {"debt": asdict(debt), "payer": payer, "over_from": nights.left_behind(debt, payer)}
        if (yield self.act(take_debt, taking))["debt"] is None:
            return None
        payment = Payment(debt.release, debt.commit, nights.payment_id(debt, self.date), DebtState.PAYING, "")
        began = self.now
        yield self.act(tell_payment, {"debt": asdict(debt), "payment": asdict(payment), "began": began, "at": began})
        result = yield from self._evaluate(debt.commit, payment.evaluation, FULL)
        return (yield from settle(self.context, debt, payment, result, began))

    def look_at_targets(self) -> Steps:
        """Evaluate main's head and what is deployed, unless nothing that matters has changed."""
        targets, note = yield from self._targets()
        for number, target in enumerate(targets):
            self._show("evaluate", number, len(targets))
            seen = yield from self._look_at(target)
            self.night = replace(self.night, targets=(*self.night.targets, seen))
        gone = nights.departed(self.night.targets, self.last) if targets else ()
        self.night = replace(self.night, targets=(*self.night.targets, *gone), note=note, ended_at=self.now)
        self._show("done", len(targets), len(targets))
        yield self.keep(final=bool(targets))

    def _targets(self) -> Steps:
        """Return the targets, and why there are none."""
        where = {"repository": self.repository, "branch": self.branch}
        found = yield from ask_github(self.context, find_head, where, FOR_AN_EVALUATION)
        if "error" in found:
            return (), found["error"]
        commit = yield from self._commit(found["sha"])
        if "error" in commit:
            return (), commit["error"]
        if not Config.model_validate(commit["config"]).schedule.nightly:
            return (), words.NIGHTLY_OFF
        deployed = (yield self.act(find_deployed, {"repository": self.repository}))["deployed"]
        targets = []
        for name, sha in ((HEAD, found["sha"]), *sorted(deployed.items())):
            targets.append((yield from self._target(name, sha)))
        return tuple(targets), ""

    def _target(self, name: str, sha: str) -> Steps:
        commit = yield from self._commit(sha)
        if "error" in commit:
            return Target(name, sha, error=commit["error"])
        if "fingerprint" not in commit:
            what = {"snapshot": commit["snapshot"], "config": commit["config"]}
            commit["fingerprint"] = (yield self.act(take_fingerprint, what))["fingerprint"]
        return Target(name, sha, commit["fingerprint"])

    def _look_at(self, target: Target) -> Steps:
        """Return what is known of a target from now on."""
        earlier = nights.by_name(self.last)
        before = earlier.get(target.name)
        if target.error:
            return nights.not_evaluated(target, before, target.error)
        same = nights.known(target, [*([before] if before else []), *self.night.targets, *earlier.values()])
        if same and before and same.evaluation == before.evaluation:
            return nights.unchanged(target, before)
        request = nights.request(self.repository, target.commit, self.date)
        name, date = (same.evaluation, same.evaluated) if same else (evaluation_id(request), self.date)
        if same is None:
            result = yield from self._evaluate_and_tell(target.commit, name)
            if "summary" not in result:
                return nights.not_evaluated(target, before, words.why_none(result))
        return (yield from self._judge(target, before, name, date))

    def _judge(self, target: Target, before: Seen | None, evaluation: str, date: str) -> Steps:
        wanted = {"evaluation": evaluation, "before": before.good if before else ""}
        judged = yield self.act(compare_evaluations, wanted)
        summary = read(EvaluationSummary, judged["summary"])
        comparison = read(Comparison, judged["comparison"]) if judged["comparison"] else None
        return nights.judge(target, summary, comparison, before, self.date, date)

    def _evaluate_and_tell(self, sha: str, name: str) -> Steps:
        """Evaluate a commit once in a night, whatever it stands for."""
        if name in self.results:
            return self.results[name]
        request = asdict(nights.request(self.repository, sha, self.date))
        yield self.act(tell_evaluation, {"request": request, "state": RUNNING, "at": self.now})
        result = yield from self._evaluate(sha, name, NIGHTLY)
        news = (
            {"state": result["summary"]["verdict"], "summary": result["summary"]}
            if "summary" in result
            else {"state": ERROR, "reason": words.why_none(result)}
        )
        yield self.act(tell_evaluation, {"request": request, "at": self.now, **news})
        self.results[name] = result
        return result

    def _evaluate(self, sha: str, name: str, kind: str) -> Steps:
        """Return what the full evaluation of a commit came to; a crash of it is an answer too."""
        commit = yield from self._commit(sha)
        if "error" in commit:
            return commit
        wanted = order(name, kind, FULL, self.repository, sha, commit)
        try:
            return (yield self.context.call_sub_orchestrator("evaluation", wanted, running_instance(name)))
        except Exception as error:
            return {"error": messages.crashed(error)}

    def _commit(self, sha: str) -> Steps:
        if sha not in self.commits:
            self.commits[sha] = yield from read_commit(self.context, self.repository, sha)
        return self.commits[sha]

    def _show(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.context.set_custom_status({"stage": stage, "since": self.night.started_at, "done": done, "total": total})
