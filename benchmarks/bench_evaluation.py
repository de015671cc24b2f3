"""Evaluation: 200 rows with a simulated model call beside the ideal, pf.run and inspect_ai; one row from a cold start.

Every number is the wall clock of a whole process, from its start to its exit, everything it imports included.
inspect_ai runs when there is an environment with it:
`python -m venv .venv-bench && .venv-bench/bin/pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
INSPECT = ROOT / ".venv-bench" / "bin" / "python"
ROWS, CALL, CONCURRENCY = 200, 0.5, 16
IDEAL = ROWS * CALL / CONCURRENCY

DAG = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${answer.output}"}
nodes:
- name: answer
  type: python
  source: {type: code, path: answer.py}
  inputs: {question: "${inputs.question}"}
"""
NODE = f"""\
import time
from promptflow.core import tool

@tool
def answer(question: str) -> str:
    time.sleep({CALL})  # where a model would answer
    return "answer to " + question
"""
EXACT = "def score(response, truth):\n    return float(response == truth)\n"
EVALUATORS = {"exact": {"use": "exact:score", "columns": {"response": "${target.answer}", "truth": "${data.answer}"}}}
PF_RUN = """\
import sys
from promptflow.client import PFClient

if __name__ == "__main__":
    run = PFClient().run(flow="flow", data=sys.argv[1], column_mapping={"question": "${data.question}"})
    assert run.status == "Completed", run.status
"""
INSPECT_EVAL = f"""\
import asyncio, json, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import solver

@solver
def simulated():
    async def solve(state, generate):
        await asyncio.sleep({CALL})
        state.output.completion = "answer to " + state.input_text
        return state
    return solve

rows = [json.loads(line) for line in open(sys.argv[1])]
samples = [Sample(input=row["question"], target=row["answer"], id=row["id"]) for row in rows]
task = Task(dataset=samples, solver=simulated(), scorer=exact())
(log,) = eval(task, model="mockllm/model", max_samples={CONCURRENCY}, display="none", log_dir="logs")
assert log.status == "success", log.error
"""


def main(runs: int) -> list[dict[str, Any]]:
    """Run ours and the peers in turn and compare the medians."""
    with tempfile.TemporaryDirectory() as folder:
        place = _make_place(Path(folder))
        many = _medians(runs, place, ROWS, [_ours, _pf_run, *([_inspect] if INSPECT.exists() else [])])
        one = _medians(runs, place, 1, [_ours, _pf_run])
        memory = [_peak_memory(command, place) for command in (_ours, _pf_run)]
    work = f"{ROWS} rows x {CALL} s, concurrency {CONCURRENCY}"
    waves = -(-ROWS // CONCURRENCY)
    note = f"whole process; in whole waves of rows the ideal is {waves} x {CALL} = {waves * CALL:g} s"
    rows = [_row(work, many[0], "ideal", IDEAL, 1.15, note), _row(work, many[0], "pf.run", many[1], None, "")]
    if len(many) > 2:
        rows.append(_row(work, many[0], "inspect_ai", many[2], None, "sleeps on one event loop, runs no flow"))
    rows.append(_row("one row, cold start", one[0], "pf.run", one[1], 0.5, "whole process"))
    return [*rows, _memory_row(work, *memory)]


def _row(name: str, ours: float, peer: str, theirs: float, goal: float | None, note: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": f"{ours:.2f} s",
        "peer": f"{peer}: {theirs:.2f} s",
        "ratio": ours / theirs,
        "goal": goal,
        "note": note,
    }


def _memory_row(work: str, ours: tuple[float, float], theirs: tuple[float, float]) -> dict[str, Any]:
    return {
        "name": f"peak memory, {work}",
        "ours": f"{ours[0]:.0f} MB",
        "peer": f"pf.run: {theirs[0]:.0f} MB",
        "ratio": ours[0] / theirs[0],
        "goal": None,
        "note": f"resident memory of all its processes together, once; our largest, a worker, {ours[1]:.0f} MB",
    }


def _peak_memory(command: Callable[[Path, int], None], place: Path) -> tuple[float, float]:
    """Return the peaks, in MB, of the sum over the processes it starts and of the largest of them."""
    sums, largest, over = [0.0], [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            sizes = [_resident(child) for child in psutil.Process().children(recursive=True)]
            sums.append(sum(sizes))
            largest.append(max(sizes, default=0.0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        command(place, ROWS)
    finally:
        over.set()
        watcher.join()
    return max(sums), max(largest)


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def _medians(runs: int, place: Path, rows: int, commands: list[Callable[[Path, int], None]]) -> list[float]:
    for command in commands:  # once unmeasured: bytecode and the disk cache are warm for all
        command(place, 1)
    times = [[_timed(command, place, rows) for command in commands] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def _timed(command: Callable[[Path, int], None], place: Path, rows: int) -> float:
    started = time.perf_counter()
    command(place, rows)
    return time.perf_counter() - started


def _make_place(folder: Path) -> Path:
    repository = folder / "repository"
    (repository / "flow").mkdir(parents=True)
    (repository / "flow" / "flow.dag.yaml").write_text(DAG)
    (repository / "flow" / "answer.py").write_text(NODE)
    (repository / "exact.py").write_text(EXACT)
    (repository / "pf_run.py").write_text(PF_RUN)
    (repository / "inspect_eval.py").write_text(INSPECT_EVAL)
    for count in (1, ROWS):
        rows = [{"id": f"r{i}", "question": f"q{i}", "answer": f"answer to q{i}"} for i in range(count)]
        (repository / f"{count}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _ours(folder: Path, rows: int) -> None:
    (folder / "results.jsonl").unlink(missing_ok=True)
    spec = {
        "target": {"promptflow": "flow"},
        "dataset": f"{rows}.jsonl",
        "columns": {"question": "${data.question}"},
        "evaluators": EVALUATORS,
        "concurrency": CONCURRENCY,
    }
    (folder / "job.json").write_text(json.dumps({"name": "bench", "kind": "rows", "spec": spec, "timeout": 600}))
    _run([sys.executable, "-m", "evaluation", "job", str(folder)], ROOT, {})
    result = json.loads((folder / "result.json").read_text())
    if result["scored"] != rows:
        raise RuntimeError(f"ours scored {result['scored']} of {rows} rows")


def _pf_run(folder: Path, rows: int) -> None:
    home = folder / "promptflow-home"
    home.mkdir(exist_ok=True)
    (home / "pf.yaml").write_text("telemetry:\n  enabled: false\n")
    settings = {
        "PF_HOME_DIRECTORY": str(home),
        "PF_DISABLE_TRACING": "true",
        "PF_WORKER_COUNT": str(min(rows, CONCURRENCY)),
        "HOME": str(folder),
    }
    try:
        _run([sys.executable, "pf_run.py", f"{rows}.jsonl"], folder / "repository", settings)
    finally:
        _end_service(str(folder))


def _end_service(home: str) -> None:
    """End the local service that Prompt Flow starts for a run and leaves behind."""
    for process in psutil.process_iter(["cmdline"]):
        if "promptflow._cli._pf._service:get_app" in (process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME") == home:
                    process.kill()


def _inspect(folder: Path, rows: int) -> None:
    _run([str(INSPECT), "inspect_eval.py", f"{rows}.jsonl"], folder / "repository", {})
    shutil.rmtree(folder / "repository" / "logs")


def _run(command: list[str], directory: Path, settings: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")


if __name__ == "__main__":
    for measured in main(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(json.dumps(measured))
