"""A shard of an evaluation: a slice of the ordered rows, run to the end, resumable at every row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.columns import check_columns
from evaluation.dataset import Row, order, read_dataset
from evaluation.pool import Crew, Pool


@dataclass(frozen=True)
class Shard:
    """What to run: one target, dataset[start:stop] and the evaluators, in the words of the config."""

    repository: Path
    target: Mapping[str, Any]
    dataset: str
    evaluators: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    start: int = 0
    stop: int | None = None
    crew: Crew = field(default_factory=Crew)


@dataclass(frozen=True)
class Progress:
    """How far a shard is."""

    done: int
    total: int
    errored: int
    last: Mapping[str, Any] | None = None  # the result that was just added


def run_shard(shard: Shard, results: Path | None, home: Path, tell: Callable[[Progress], None]) -> Progress:
    """Run the rows that `results` does not have yet, append each as it finishes, and tell how far it is.

    Without a `results` file they are only told. `home` is where Prompt Flow may keep files.
    Raises Invalid for input that a person has to correct.
    """
    setup = {
        "repository": str(shard.repository.resolve()),
        "target": dict(shard.target),
        "evaluators": {name: dict(spec) for name, spec in shard.evaluators.items()},
    }
    with Pool(setup, shard.columns, shard.crew, home) as pool:  # workers import while rows are read
        rows = choose_rows(shard)
        kept = read_results(results) if results else {}
        finished = [kept[row.id] for row in rows if row.id in kept]
        progress = Progress(len(finished), len(rows), sum(1 for result in finished if result["error"]))
        tell(progress)
        with results.open("a", encoding="utf-8") if results else nullcontext() as file:
            for result in pool.run([row for row in rows if row.id not in kept]):
                if file is not None:
                    file.write(json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n")
                    file.flush()
                progress = Progress(progress.done + 1, progress.total, progress.errored + bool(result["error"]), result)
                tell(progress)
    return progress


def choose_rows(shard: Shard) -> list[Row]:
    """Return the shard's rows in their order, after checking what its columns refer to."""
    rows = read_dataset(shard.repository / shard.dataset, shard.dataset)
    check_columns(shard.columns, rows, "columns", ("data",))
    for name, spec in shard.evaluators.items():
        check_columns(spec.get("columns") or {}, rows, f"evaluators.{name}.columns", ("data", "target"))
    return order(rows, shard.seed)[shard.start : shard.stop]


def read_results(path: Path) -> dict[str, dict[str, Any]]:
    """Return the results a file has by row id; a last line that was cut off is removed from it."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    results = [json.loads(line) for line in whole.splitlines() if line.strip()]
    return {result["id"]: result for result in results}
