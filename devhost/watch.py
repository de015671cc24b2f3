"""Shows a release in the terminal while it runs, from the same record and progress that its page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from adapters import debts
from adapters.blobs import Blobs
from domain import blob_names, timeline
from domain.messages import stage_title
from domain.models import DebtState, Outcome, ReleaseRecord, Stage, StageState
from domain.nightly import payment_id
from domain.schedules import running_instance
from domain.wire import read

SIGNS = {
    StageState.WAITING: "[dim]·[/]",
    StageState.RUNNING: "[cyan]▶[/]",
    StageState.PASSED: "[green]✓[/]",
    StageState.FAILED: "[red]✗[/]",
    StageState.INCONCLUSIVE: "[yellow]?[/]",
    StageState.SKIPPED: "[yellow]»[/]",
    StageState.REJECTED: "[red]✗[/]",
    StageState.EXPIRED: "[red]✗[/]",
    StageState.CANCELLED: "[dim]–[/]",
}
QUIET_SECONDS = 15.0  # between two lines about the same stage, where no terminal can be redrawn
Progress = Mapping[str, Mapping[str, Any]]  # the custom status of each running stage that has one, by its name


@dataclass(frozen=True)
class Beside:
    """Another release that is on its way meanwhile."""

    title: str
    record: ReleaseRecord
    progress: Progress


class Source:
    """Reads what a release has come to, and how far its running stages are."""

    def __init__(self, blobs: Blobs, app_url: str) -> None:
        self._blobs = blobs
        self._instances = f"{app_url}/runtime/webhooks/durabletask/instances"
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the network does not know our loopback

    def record(self, release: str) -> ReleaseRecord | None:
        """Return the release's record; None until its first stage is over."""
        kept = self._blobs.read_json(blob_names.record(release))
        return read(ReleaseRecord, kept) if kept else None

    def progress(self, record: ReleaseRecord) -> Progress:
        """Return the custom status of each running stage that has one, by stage name.

        A skipped full evaluation has that of the evaluation which pays for it at night.
        """
        instances = {stage.name: stage.instance for stage in timeline.current_stages(record) if stage.instance}
        payment = self._payment(record)
        if payment:
            instances[timeline.FULL] = payment
        found = {name: self._status(instance) for name, instance in instances.items()}
        return {name: status for name, status in found.items() if status}

    def _payment(self, record: ReleaseRecord) -> str:
        """Return the instance that evaluates what a release owes, while a night pays it."""
        debt = debts.find(self._blobs, record.repository, record.commit.sha) if record.debt else None
        night = self._blobs.read_json(blob_names.night_started(record.repository))
        if debt is None or debt.state is not DebtState.PAYING or not night:
            return ""
        return f"{running_instance(payment_id(debt, night['date']))}:shards"

    def failure(self, release: str) -> str:
        """Return why the orchestration of a release broke, or "" when it did not."""
        answer = self._session.get(f"{self._instances}/{release}", timeout=30)
        status = answer.json() if answer.ok else {}
        return str(status.get("output")) if status.get("runtimeStatus") in {"Failed", "Terminated"} else ""

    def _status(self, instance: str) -> Mapping[str, Any]:
        answer = self._session.get(f"{self._instances}/{instance}", timeout=30)
        status = answer.json().get("customStatus") if answer.ok else None
        return status if isinstance(status, dict) else {}


class Timeline:
    """Draws the stages of one release: redrawn in a terminal, a line for each change elsewhere.

    Entered again it goes on from there; a release that is not over by then leaves nothing behind in a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._told: dict[tuple[str, str], tuple[StageState, float]] = {}  # by release and stage

    def __enter__(self) -> Timeline:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._live:
            self._live.transient = self._live.transient and kind is None
            self._live.__exit__(None, None, None)

    def show(self, record: ReleaseRecord, progress: Progress, beside: Beside | None = None) -> None:
        """Show how far the release is, and in a line how far another one is."""
        if self._live:
            self._live.transient = running = record.outcome is Outcome.RUNNING
            self._live.update(Group(stage_table(record, progress), *_beside(beside if running else None)))
            return
        for stage in record.stages:
            self._tell(record, stage, progress)
        if beside and (busiest := _busiest(beside)):
            self._tell(beside.record, busiest, beside.progress, beside.title)

    def _tell(self, record: ReleaseRecord, stage: Stage, progress: Progress, title: str = "") -> None:
        now, key = datetime.now(UTC).timestamp(), (record.id, stage.name)
        state, told_at = self._told.get(key, (StageState.WAITING, now))
        runs = stage.state is StageState.RUNNING or stage.name in progress
        still_running = runs and stage.state is state and now - told_at >= QUIET_SECONDS
        if stage.state is not state or still_running:
            self._told[key] = stage.state, now
            news = replace(stage, detail="") if still_running else stage
            self._console.print(_line(news, progress.get(stage.name, {}), title), soft_wrap=True)


def _beside(beside: Beside | None) -> list[Text]:
    stage = _busiest(beside) if beside else None
    if beside is None or stage is None:
        return []
    return [Text.from_markup(_line(stage, beside.progress.get(stage.name, {}), beside.title))]


def _busiest(beside: Beside) -> Stage | None:
    """Return the stage that says most about a release now: one that counts rows, else one that runs."""
    stages = [
        stage for stage in beside.record.stages if stage.state is StageState.RUNNING or stage.name in beside.progress
    ]
    counted = [stage for stage in stages if beside.progress.get(stage.name, {}).get("total")]
    return next(iter(counted or stages), None)


def stage_table(record: ReleaseRecord, progress: Progress) -> RenderableType:
    """Draw every stage with its state, its time and what is known about it."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(min_width=24, no_wrap=True)
    table.add_column(justify="right", min_width=6)
    table.add_column(ratio=1)
    for stage in record.stages:
        dim = "dim" if stage.state in {StageState.WAITING, StageState.CANCELLED} else ""
        known = _rows_done(stage, progress.get(stage.name, {})) or Text(stage.detail, style="dim", overflow="ellipsis")
        table.add_row(SIGNS[stage.state], Text(stage_title(stage.name), style=dim), _seconds(stage), known)
    return table


def _rows_done(stage: Stage, status: Mapping[str, Any]) -> RenderableType | None:
    if not status.get("total"):
        return None
    bar = Table.grid(padding=(0, 1))
    done, total = int(status.get("done", 0)), int(status["total"])
    bar.add_row(ProgressBar(total=total, completed=done, width=20), _counted(stage, status))
    return bar


def _line(stage: Stage, status: Mapping[str, Any], title: str = "") -> str:
    known = _counted(stage, status) if status.get("total") else escape(stage.detail)
    whose = f"beside it, “{escape(title)}”:" if title else ""
    words = (whose, stage_title(stage.name), _seconds(stage), known)
    return f"  {SIGNS[stage.state]} {' '.join(word for word in words if word)}"


def _counted(stage: Stage, status: Mapping[str, Any]) -> str:
    """Say how many rows are done, and when the last one probably is."""
    unit = " steps" if stage.name == timeline.VALIDATE else " rows"
    at_night = ", made up for at night" if stage.state is StageState.SKIPPED else ""
    return f"{status.get('done', 0)} of {status['total']}{unit}{at_night}{_left(status.get('expected_end'))}"


def _left(expected_end: str | None) -> str:
    end = datetime.fromisoformat(expected_end) if expected_end else None
    seconds = (end - datetime.now(UTC)).total_seconds() if end else 0
    return f", about {seconds:.0f} s left" if seconds >= 1 else ""


def _seconds(stage: Stage) -> str:
    if stage.started_at is None:
        return ""
    end = datetime.fromisoformat(stage.ended_at) if stage.ended_at else datetime.now(UTC)
    return f"{(end - datetime.fromisoformat(stage.started_at)).total_seconds():.0f} s"
