"""`python -m evaluation`: `run` evaluates on a laptop, `job` runs the job in a directory."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import DrawbridgeError, Invalid

if TYPE_CHECKING:
    from domain.config import Config
    from evaluation.shard import Shard
    from evaluation.summary import Totals


def main(arguments: list[str]) -> int:
    """Run one command; return its exit status: 0 passed, 1 failed, 2 bad input, 130 stopped."""
    options = _read_arguments(arguments)
    # As an exception, so that worker processes are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return int(options.run(options))
    except DrawbridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; finished rows are kept, the same command goes on from there", file=sys.stderr)
        return 130


def _read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description="Evaluate a target over rows.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="evaluate what a drawbridge.yaml describes and judge its gates")
    run.add_argument("--config", type=Path, default=Path("drawbridge.yaml"), help="in the root of the repository")
    run.add_argument("--kind", choices=("minimal", "full"), required=True)
    run.add_argument("--out", type=Path, required=True, help="directory for results.jsonl, summary.json, log.txt")
    run.add_argument("--rows", type=int, help="only the first N rows of the seeded order")
    run.set_defaults(run=_run)
    job = commands.add_parser("job", help="run the job in a directory")
    job.add_argument("directory", type=Path)
    job.add_argument("--sealed", action="store_true", help="the code is a stranger's: wall it off")
    job.set_defaults(run=_run_job)
    return parser.parse_args(arguments)


def _run_job(options: argparse.Namespace) -> int:
    from evaluation.job import run_job  # noqa: PLC0415  each command imports what it needs: start-up counts

    return 0 if run_job(options.directory, options.sealed) else 1


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415

    from domain import gates  # noqa: PLC0415
    from evaluation import terminal  # noqa: PLC0415

    config = _read_config(options.config)
    shard = _shard(options, config)
    results = _claim(options, config, shard)
    console, started = Console(), time.monotonic()
    totals, errors = _evaluate(options, shard, results, console)
    seconds = time.monotonic() - started
    judged = gates.judge(_gates(options, config), totals, None)
    verdict = gates.verdict(judged)
    summary = {**asdict(totals), "gates": [asdict(gate) for gate in judged], "verdict": verdict, "seconds": seconds}
    _write(options.out / "summary.json", summary)
    terminal.show_totals(console, totals, seconds)
    terminal.show_errors(console, errors)
    terminal.show_gates(console, judged, verdict)
    return 0 if verdict == "passed" else 1


def _read_config(path: Path) -> Config:
    from domain.config import read_config  # noqa: PLC0415

    try:
        return read_config(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise Invalid(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: is not UTF-8 text") from error


def _shard(options: argparse.Namespace, config: Config) -> Shard:
    from evaluation.job import read_shard  # noqa: PLC0415

    if options.rows is not None and options.rows < 1:
        raise Invalid(f"--rows {options.rows}: expected at least 1")
    rules = config.evaluation.model_dump(mode="json")
    spec = {**rules, "target": config.target.model_dump(mode="json"), "dataset": rules[options.kind]["data"]}
    return read_shard({**spec, "stop": options.rows}, options.config.resolve().parent)


def _gates(options: argparse.Namespace, config: Config) -> list[str]:
    gates: list[str] = getattr(config.evaluation, options.kind).gates
    return gates


def _claim(options: argparse.Namespace, config: Config, shard: Shard) -> Path:
    """Return the results file, having made sure that what it holds comes from the same sources and config."""
    from evaluation.sources import sources_digest  # noqa: PLC0415

    options.out.mkdir(parents=True, exist_ok=True)
    wanted = {
        "kind": options.kind,
        "config": config.evaluation.model_dump(mode="json"),
        "sources": sources_digest(shard.repository, options.out),
    }
    plan, results = options.out / "plan.json", options.out / "results.jsonl"
    known = json.loads(plan.read_text(encoding="utf-8")) if plan.exists() else None
    if results.exists() and known != wanted:
        raise Invalid(f"{options.out} has results of other sources or another config: choose another --out")
    _write(plan, wanted)
    return Path(results)


def _evaluate(
    options: argparse.Namespace, shard: Shard, results: Path, console: Any
) -> tuple[Totals, list[tuple[str, str]]]:
    from evaluation import terminal  # noqa: PLC0415
    from evaluation.aggregation import run_aggregation  # noqa: PLC0415
    from evaluation.shard import choose_rows, read_results, run_shard  # noqa: PLC0415
    from evaluation.summary import summarize  # noqa: PLC0415

    home = options.out / ".promptflow"
    with terminal.standard_error_in(options.out / "log.txt"):
        with terminal.progress_bar(console, f"{options.kind} evaluation") as tell:
            run_shard(shard, results, home, tell)
        metrics = run_aggregation(shard.target, shard.evaluators, [results], shard.repository, home)
    wanted = {row.id for row in choose_rows(shard)}
    rows = [row for name, row in read_results(results).items() if name in wanted]
    return summarize(rows, metrics), [(row["id"], row["error"]) for row in rows if row["error"]]


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
