"""Shows a release in the terminal while it runs, from the same record and progress that its page is made of."""

from __future__ import annotations

from collections.abc import Mapping
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
from domain.models import DebtState, ReleaseRecord, Stage, StageState
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

    def progress(self, record: ReleaseRecord) -> dict[str, Mapping[str, Any]]:
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
    """Draws the stages of one release: redrawn in a terminal, a line for each change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._told: dict[str, tuple[StageState, float]] = {}

    def __enter__(self) -> Timeline:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.__exit__(None, None, None)

    def show(self, record: ReleaseRecord, progress: Mapping[str, Mapping[str, Any]]) -> None:
        """Show how far the release is."""
        if self._live:
            self._live.update(stage_table(record, progress))
            return
        now = datetime.now(UTC).timestamp()
        for stage in record.stages:
            state, told_at = self._told.get(stage.name, (StageState.WAITING, now))
            runs = stage.state is StageState.RUNNING or stage.name in progress
            still_running = runs and stage.state is state and now - told_at >= QUIET_SECONDS
            if stage.state is not state or still_running:
                self._told[stage.name] = stage.state, now
                self._console.print(_line(stage, progress.get(stage.name, {})), soft_wrap=True)


def stage_table(record: ReleaseRecord, progress: Mapping[str, Mapping[str, Any]]) -> RenderableType:
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
    done, total = int(status.get("done", 0)), int(status["total"])
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=total, completed=done, width=30), f"{done} of {total}{_made_up_for(stage)}")
    return Group(bar)


def _line(stage: Stage, status: Mapping[str, Any]) -> str:
    if status.get("total"):
        words = (_seconds(stage), f"{status['done']} of {status['total']} rows{_made_up_for(stage)}")
    else:
        words = (_seconds(stage), escape(stage.detail))
    return f"  {SIGNS[stage.state]} {stage_title(stage.name)} {' '.join(word for word in words if word)}"


def _made_up_for(stage: Stage) -> str:
    return ", made up for at night" if stage.state is StageState.SKIPPED else ""


def _seconds(stage: Stage) -> str:
    if stage.started_at is None:
        return ""
    end = datetime.fromisoformat(stage.ended_at) if stage.ended_at else datetime.now(UTC)
    return f"{(end - datetime.fromisoformat(stage.started_at)).total_seconds():.0f} s"
