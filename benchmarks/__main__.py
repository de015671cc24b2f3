"""Run the benchmarks, print them as a table and write docs/benchmarks.md: `python -m benchmarks [--only NAME]`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import peers

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
PACKAGES = ("azure-functions", "azure-functions-durable", "promptflow", "azure-ai-evaluation", "xllamacpp")
HEAD = """# Benchmarks

Each number is a ratio to a peer measured in the same run, the median of several; what falls short stands here too.
"""
COLUMNS = ("benchmark", "ours", "peer", "ratio", "goal", "met", "note")

Row = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Return 0 when every benchmark ran, whether its goal was met or not."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=known, action="append", help="run this one; may be given several times")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured; the median counts")
    parser.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md as it is")
    options = parser.parse_args(arguments)
    console = Console()
    results: dict[str, list[Row]] = {}
    chosen = options.only or known
    if "evaluation" in chosen:
        peers.set_up(console)
    for name in chosen:
        measured = measure(name, options.runs, console)
        if measured is not None:
            results[name] = measured
    console.print(table(row for rows in results.values() for row in rows))
    if not options.no_page and results:
        command = " ".join(["python -m benchmarks", *arguments])
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(page(results, command, before), encoding="utf-8")
        console.print(f"Written to {PAGE.relative_to(ROOT)}")
    return 0 if len(results) == len(chosen) else 1


def names() -> list[str]:
    """Return the names of all benchmarks, from the files that are there."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def measure(name: str, runs: int, console: Console) -> list[Row] | None:
    """Run one benchmark; None, with its reason printed, when it broke."""
    started = time.monotonic()
    console.print(f"{name} ...", end=" ")
    try:
        rows: list[Row] = importlib.import_module(f"benchmarks.bench_{name}").main(runs)
    except Exception as error:  # one broken benchmark must not hide the others
        console.print(f"[red]broke[/red]: {type(error).__name__}: {error}")
        return None
    console.print(f"{time.monotonic() - started:.0f} s")
    return rows


def machine() -> str:
    """Describe where the numbers were made."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{_cpu_model()}, {os.cpu_count()} cores, {memory:.0f} GB memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {packages}"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(rows: Iterable[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    drawn = Table(*COLUMNS, title="Benchmarks", show_lines=True)
    for row in rows:
        *cells, met, note = cells_of(row)
        colour = {"yes": "green", "no": "red"}.get(met, "white")
        drawn.add_row(*cells, f"[{colour}]{met}[/{colour}]", note)
    return drawn


def cells_of(row: Row) -> tuple[str, ...]:
    """Return one row's cells as text. A row without a goal is there to be known."""
    ratio, goal = row["ratio"], row["goal"]
    met = "" if ratio is None or goal is None else "yes" if ratio <= goal else "no"
    return (
        str(row["name"]),
        str(row["ours"]),
        str(row["peer"]),
        "" if ratio is None else f"{ratio:.2f}",
        "" if goal is None else f"<= {goal:g}",
        met,
        str(row["note"]),
    )


def page(measured: Mapping[str, Iterable[Row]], command: str, before: str = "") -> str:
    """Return docs/benchmarks.md: a section for each benchmark, those that were not run now as they stood `before`."""
    sections = {part.partition("\n")[0]: part for part in before.split("\n## ")[1:]}
    sections |= {name: section(name, rows, command) for name, rows in measured.items()}
    return "\n## ".join([HEAD, *(sections[name].rstrip("\n") + "\n" for name in sorted(sections))])


def section(name: str, rows: Iterable[Row], command: str) -> str:
    """Return what one benchmark showed, when, where, and how to see it again."""
    lines = [
        name,
        "",
        f"Made by `{command}` on {datetime.now(UTC).date()}, {machine()}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in cells_of(row))} |" for row in rows),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
