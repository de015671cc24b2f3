"""The main job from start to end: one release goes out, one is stopped, one pays a debt first.

`python -m devhost.demo`.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters import audit
from adapters.blobs import Blobs
from adapters.records import read_rows
from devhost.person import PageProblem, Person, approval_link
from devhost.ports import free_port, holder
from devhost.sample_repository import (
    BETTER,
    OPTED_OUT,
    REPOSITORY,
    WORSE,
    ProposedChange,
    ensure_repository,
    propose,
)
from devhost.system import APP_PORT, ROOT, System, UpError
from devhost.up import run_until_stopped
from devhost.watch import Beside, Source, Timeline
from domain import blob_names, timeline
from domain.commands import FULL
from domain.debts import block_production
from domain.git_flow import release_id
from domain.messages import stage_title
from domain.models import DebtState, EvaluationSummary, Outcome, ReleaseRecord, StageState, Verdict

STATE = ROOT / ".drawbridge" / "demo"
LONGEST = 900.0  # seconds one release may take before something must be wrong
LOOK_EVERY = 1.0  # seconds; each look costs the app a few requests
PRODUCTION = "prod"
WORST = 5  # rows to show of those that got worse
VOTES = {  # who approves what, and says
    "nonprod": (("maria", "The numbers are better than before. Good."),),
    "prod": (("jonas", "Held in nonprod."), ("priya", "Go.")),
}


@dataclass(frozen=True)
class Underway:
    """A merged change on its way."""

    change: ProposedChange
    number: int
    release: str
    started: float  # by the monotonic clock


@dataclass(frozen=True)
class Ended:
    """A release that is over, and how long it took."""

    change: ProposedChange
    record: ReleaseRecord
    seconds: float


class Demo:
    """The people of the demo and what they do."""

    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console
        self._blobs = Blobs(system.blob_connection, system.container)
        self._source = Source(self._blobs, system.app_url)
        self._reports = system.state / "reports"
        self._timeline = Timeline(console)
        self._voted: set[str] = set()  # links; there are new ones when new evidence makes votes void
        self._nights: set[str] = set()  # releases whose debt the night was called for

    def run(self) -> int:
        """Send three changes on their way. Returns 0 exactly when each ended as it should."""
        clone_path = ensure_repository(self._system.github)["clone_path"]
        self._keep_night_away()
        better = self._merge(clone_path, BETTER)
        self._follow(better, until=is_fully_evaluated)
        owing = self._merge(clone_path, OPTED_OUT)
        self._turn_to(better, "which goes on to production meanwhile")
        ended = [self._see_through(better, beside=owing)]
        if went_out(ended[0].record):  # without a baseline the rest would show nothing
            self._turn_to(owing, "which skipped its full evaluation")
            self._follow(owing, until=waits_for_its_debt)
            worse = self._see_through(self._merge(clone_path, WORSE), beside=owing)  # it needs nobody's night
            self._show_worse_rows(worse.record)
            self._turn_to(owing, "whose debt the night pays")
            ended += [self._see_through(owing), worse]
        self._show_end(ended)
        return 0 if as_they_should([one.record for one in ended]) else 1

    def _merge(self, clone_path: str, change: ProposedChange) -> Underway:
        """Open a pull request and merge it."""
        started = time.monotonic()
        number = propose(self._system.github, clone_path, change)
        sha = self._system.github.merge(REPOSITORY, number, by=change.author)["merge_commit_sha"]
        release = release_id(REPOSITORY, sha)
        self._announce(change, number, release)
        return Underway(change, number, release, started)

    def _turn_to(self, underway: Underway, why: str) -> None:
        self._console.print(f"\n[bold]Back to “{underway.change.title}”[/], {why}", soft_wrap=True)

    def _see_through(self, underway: Underway, beside: Underway | None = None) -> Ended:
        """Follow a release until it is over."""
        record = self._follow(underway, until=lambda record: record.outcome is not Outcome.RUNNING, beside=beside)
        self._console.print(f"  {escape(record.reason)}", soft_wrap=True)
        self._keep_pages(record)
        return Ended(underway.change, record, time.monotonic() - underway.started)

    def _follow(
        self, underway: Underway, until: Callable[[ReleaseRecord], bool], beside: Underway | None = None
    ) -> ReleaseRecord:
        """Show a release and act on its way, until it is where it should be or over. `beside` is only shown."""
        deadline = time.monotonic() + LONGEST
        with self._timeline as shown:
            while time.monotonic() < deadline:
                self._system.check()
                record = self._source.record(underway.release)
                if record:
                    shown.show(record, self._source.progress(record), self._seen(beside))
                    self._call_night(record)
                    self._approve(record, underway)
                    if until(record) or record.outcome is not Outcome.RUNNING:
                        return record
                broken = self._source.failure(underway.release)
                if broken:
                    raise UpError(f"the release broke: {broken.splitlines()[0][:300]}")
                time.sleep(LOOK_EVERY)
        raise UpError(f"the release is not over after {LONGEST:.0f} s: see {self._system.app_url}/api/releases")

    def _seen(self, underway: Underway | None) -> Beside | None:
        record = self._source.record(underway.release) if underway else None
        return Beside(underway.change.title, record, self._source.progress(record)) if underway and record else None

    def _announce(self, change: ProposedChange, number: int, release: str) -> None:
        self._console.print(f"\n[bold]{change.author} merges “{change.title}”[/]")
        self._console.print(f"  pull request  {self._system.github_url}/{REPOSITORY}/pull/{number}", soft_wrap=True)
        self._console.print(f"  release       {self._system.app_url}/api/releases/{release}", soft_wrap=True)

    def _approve(self, record: ReleaseRecord, underway: Underway) -> None:
        """Let each approver who is asked open the link in the pull request's comment and send the form there."""
        for environment, votes in VOTES.items():
            owes = environment == PRODUCTION and block_production(record)
            for login, comment in votes if is_asked(record, environment) and not owes else ():
                self._vote(record, underway, environment, login, comment)

    def _call_night(self, record: ReleaseRecord) -> None:
        """Let the night come as soon as a debt is there: it pays while the release goes on as far as it may."""
        if record.debt is None or record.id in self._nights:
            return
        by = record.debt.opt_outs[0]
        self._console.print(
            f"  [bold]{by.by}[/] skipped the full evaluation because “{escape(by.reason)}”, and that is a debt: "
            f"{PRODUCTION} waits until it is paid. The night comes early and pays it ...",
            soft_wrap=True,
        )
        self._nights.add(record.id)
        self._set_last_night(days_ago=1)
        answer = requests.post(f"{self._system.app_url}/admin/functions/nights", json={}, timeout=30)
        if not answer.ok:
            raise UpError(f"the night did not come: the host answered {answer.status_code}")

    def _keep_night_away(self) -> None:
        """Let nobody but the demo decide when it is night, at whatever hour it runs."""
        self._set_last_night(days_ago=0)

    def _set_last_night(self, days_ago: int) -> None:
        # A date's night is due from one o'clock on.
        date = (datetime.now(UTC) - timedelta(days=days_ago, hours=1)).date()
        night = {"date": str(date), "instance": ""}
        self._blobs.write_json(blob_names.night_started(REPOSITORY), night)

    def _vote(self, record: ReleaseRecord, underway: Underway, environment: str, login: str, comment: str) -> None:
        comments = self._system.github.pull(REPOSITORY, underway.number)["comments"]
        links = [link for entry in comments if (link := approval_link(entry["body"], login, environment))]
        if not links or links[-1] in self._voted:
            return  # not asked yet, or not anew
        person = self._person(login)
        self._keep(f"{record.commit.sha[:7]}-evidence-{environment}.html", person.open(links[-1]).text)
        try:
            person.vote(links[-1], "approve", comment)
        except PageProblem:
            return  # new evidence has just replaced the link: the next look finds the new one
        self._voted.add(links[-1])
        self._console.print(
            f"  [bold]{login}[/] approves {environment} for “{underway.change.title}” "
            f"through the form behind the link: “{comment}”",
            soft_wrap=True,
        )

    def _keep_pages(self, record: ReleaseRecord) -> None:
        person = self._person("maria")
        pages = {f"{record.commit.sha[:7]}-release.html": f"/api/releases/{record.id}"}
        for summary in record.evaluations:
            pages[f"{record.commit.sha[:7]}-evaluation-{summary.kind}.html"] = f"/api/evaluations/{summary.id}"
        for name, url in pages.items():
            self._keep(name, person.open(url).text)

    def _keep(self, name: str, page: str) -> None:
        self._reports.mkdir(parents=True, exist_ok=True)
        (self._reports / name).write_text(page, encoding="utf-8")

    def _person(self, login: str) -> Person:
        person = Person(login, self._system.app_url)
        person.sign_in()
        return person

    def _show_worse_rows(self, record: ReleaseRecord) -> None:
        """Show what people would now read instead of the right answer, worst rows first."""
        summary = next((one for one in reversed(record.evaluations) if one.comparison and one.comparison.worse), None)
        if summary is None or summary.comparison is None:
            return
        before, after = self._rows(summary.comparison.baseline), self._rows(summary.id)
        metric = summary.comparison.worse[0].metric
        table = Table(title="Rows that got worse", title_justify="left", show_lines=True)
        for heading in ("question", "answer before", "answer now", metric):
            table.add_column(heading, overflow="fold")
        for row in [row for row in summary.comparison.worse if row.metric == metric][:WORST]:
            question = str(after[row.id]["inputs"].get("question", row.id))
            answers = (_answer(rows.get(row.id, {})) for rows in (before, after))
            table.add_row(escape(question), *map(escape, answers), f"{row.before or 0:.2f} → {row.after:.2f}")
        self._console.print()
        self._console.print(table)

    def _rows(self, evaluation: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in read_rows(self._blobs, evaluation)}

    def _show_end(self, ended: Sequence[Ended]) -> None:
        table = Table(title="What happened", title_justify="left")
        for heading in ("change", "by", "outcome", "evaluated", "f1", "exact fact", "took"):
            table.add_column(heading, overflow="fold")
        for one in ended:
            table.add_row(
                one.change.title, one.change.author, _outcome(one.record), *_numbers(one.record), f"{one.seconds:.0f} s"
            )
        self._console.print()
        self._console.print(table)
        report = audit.verify(self._blobs)
        found = "none altered, none missing" if not report.problems else "; ".join(report.problems)
        self._console.print(f"Audit log: {report.records} records, {found}.", soft_wrap=True)
        self._console.print(
            f"Saved pages: {os.path.relpath(self._reports)}   logs: {os.path.relpath(self._system.logs)}"
        )


def as_they_should(records: Sequence[ReleaseRecord]) -> bool:
    """Say whether one release went out, one paid its debt before production, and one was stopped by its gates."""
    if len(records) != 3:
        return False
    first, second, third = records
    return went_out(first) and paid_before_production(second) and was_stopped_by_gates(third)


def is_asked(record: ReleaseRecord, environment: str) -> bool:
    """Say whether the approvers of an environment are asked now."""
    wanted = timeline.approve(environment)
    return any(stage.name == wanted and stage.state is StageState.RUNNING for stage in record.stages)


def is_fully_evaluated(record: ReleaseRecord) -> bool:
    """Say whether the full evaluation has its verdict."""
    return any(summary.kind == FULL for summary in record.evaluations)


def waits_for_its_debt(record: ReleaseRecord) -> bool:
    """Say whether only its debt keeps a release from production."""
    return is_asked(record, PRODUCTION) and block_production(record)


def paid_before_production(record: ReleaseRecord) -> bool:
    """Say whether a release skipped its full evaluation, and production waited until that was made good."""
    deployed = next((one.deployed_at for one in record.deployments if one.environment == PRODUCTION), None)
    debt = record.debt
    paid = debt is not None and debt.state is DebtState.PAID
    return went_out(record) and paid and deployed is not None and debt is not None and debt.settled_at <= deployed


def went_out(record: ReleaseRecord) -> bool:
    """Say whether a release reached production."""
    return record.outcome is Outcome.RELEASED


def was_stopped_by_gates(record: ReleaseRecord) -> bool:
    """Say whether a release was ended by an evaluation's gates, which is what they are there for."""
    return record.outcome is Outcome.FAILED and any(
        summary.verdict is Verdict.FAILED and summary.errored == 0 for summary in record.evaluations
    )


def _answer(row: Mapping[str, Any]) -> str:
    return textwrap.shorten(str((row.get("output") or {}).get("answer", "")), 100, placeholder=" …")


def _outcome(record: ReleaseRecord) -> str:
    stopped = next((stage.name for stage in record.stages if stage.state is StageState.FAILED), "")
    where = f", stopped at {stage_title(stopped).lower()}" if stopped else ""
    return f"[{'green' if went_out(record) else 'red'}]{record.outcome.value}[/]{where}"


def _numbers(record: ReleaseRecord) -> tuple[str, str, str]:
    """Return rows, F1 and exact fact of the release's largest evaluation."""
    if not record.evaluations:
        return "", "", ""
    largest: EvaluationSummary = max(record.evaluations, key=lambda summary: summary.rows)
    means = {metric.name: f"{metric.mean:.2f}" for metric in largest.metrics}
    return f"{largest.scored} rows", means.get("f1", ""), means.get("exact_fact", "")


def main(arguments: list[str] | None = None) -> int:
    """Run the demo. Returns 0 exactly when all three releases ended as they should."""
    parser = argparse.ArgumentParser(prog="python -m devhost.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="where everything is kept; made anew each time")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    return run_until_stopped(console, lambda: _run(options.state, console))


def _run(state: Path, console: Console) -> int:
    port = free_port(APP_PORT)
    if port != APP_PORT:
        console.print(f"Port {APP_PORT} is used by {holder(APP_PORT)}, so the app takes {port}.")
    started = time.monotonic()
    with System(state, port, console, anew=True) as system:
        status = Demo(system, console).run()
        status = 1 if system.tell_findings() else status
        console.print(f"After {time.monotonic() - started:.0f} s: ending everything that was started ...")
    verdict = (
        "[green]All three releases ended as they should.[/]"
        if status == 0
        else "[red]Not as it should be, see above.[/]"
    )
    console.print(f"{verdict} To look around and approve by hand: make up", soft_wrap=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
