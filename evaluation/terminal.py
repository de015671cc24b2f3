"""What a person sees who evaluates on a laptop: a progress bar, then metrics and gates."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.models import GateResult, Verdict
from evaluation import shard
from evaluation.summary import Totals

_COLORS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.INCONCLUSIVE: "yellow"}


@contextmanager
def progress_bar(console: Console, title: str) -> Iterator[Callable[[shard.Progress], None]]:
    """Show a bar with rows done, rows a second, time left and errors; yields what to tell each step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[errors]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, rate="loading the target", errors="")
        begin: list[tuple[int, float]] = []  # rows that were done before, and when the first new one started

        def tell(progress: shard.Progress) -> None:
            if not begin:
                begin.append((progress.done, time.monotonic()))
            done, elapsed = progress.done - begin[0][0], time.monotonic() - begin[0][1]
            rate = f"{done / elapsed:.1f} rows/s" if done and elapsed else "loading the target"
            errors = f"[red]{progress.errored} errors[/red]" if progress.errored else "no errors"
            bar.update(task, total=progress.total, completed=progress.done, rate=rate, errors=errors)

        yield tell


@contextmanager
def standard_error_in(file: Path) -> Iterator[None]:
    """Write what worker processes say to a file meanwhile: flows print, and would tear the bar apart."""
    kept = os.dup(2)
    with file.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def show_totals(console: Console, totals: Totals, seconds: float) -> None:
    """Print the metrics with their intervals, and what else there is to know about the run."""
    table = Table("metric", "rows", "mean", "95 % interval")
    for metric in totals.metrics:
        known = metric.low is not None and metric.high is not None
        interval = f"{metric.low:.3f} to {metric.high:.3f}" if known else "none"
        table.add_row(metric.name, str(metric.count), f"{metric.mean:.3f}", interval)
    console.print(table)
    latency = "no latency"
    if totals.latency_p50 is not None and totals.latency_p95 is not None:
        latency = f"latency p50 {totals.latency_p50:.2f} s, p95 {totals.latency_p95:.2f} s"
    console.print(f"{totals.rows} rows: {totals.scored} scored, {totals.errored} errored, in {seconds:.1f} s")
    console.print(f"{latency}, {totals.tokens} tokens")


def show_errors(console: Console, errors: Sequence[tuple[str, str]], most: int = 3) -> None:
    """Print the first errored rows with their reasons."""
    for row, reason in errors[:most]:
        console.print(f"[red]row {escape(row)}[/red]: {escape(reason)}", highlight=False)
    if len(errors) > most:
        console.print(f"and {len(errors) - most} more rows with errors")


def show_gates(console: Console, results: Sequence[GateResult], verdict: Verdict) -> None:
    """Print each gate with its verdict, and what they come to."""
    table = Table("gate", "verdict", "why")
    for result in results:
        color = _COLORS[result.verdict]
        table.add_row(escape(result.rule), f"[{color}]{result.verdict}[/{color}]", escape(result.detail))
    console.print(table)
    console.print(f"[{_COLORS[verdict]} bold]{verdict}[/]")
