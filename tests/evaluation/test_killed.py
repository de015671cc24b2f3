"""Processes that are killed from outside, at moments nobody chose."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.evaluation.conftest import EXACT, ROOT, Repository

SLOW = """
    import time

    from promptflow.core import tool

    @tool
    def answer(question: str) -> str:
        time.sleep(0.05)
        return "answer to " + question
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_comes_back_while_workers_are_killed(repository, seed):
    """With workers killed at random moments no row is missing, there twice, or scored wrongly."""
    repository.flow(SLOW)
    repository.questions(*[f"q{i}" for i in range(60)])
    moments, over = sorted(random.Random(seed).sample(range(2, 50), 2)), threading.Event()

    def kill() -> None:
        for moment in moments:
            while not over.wait(0.01):
                done = repository.results_file.read_text().count("\n") if repository.results_file.exists() else 0
                if done >= moment:
                    for worker in _workers(os.getpid())[:1]:
                        worker.kill()
                    break

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        results = repository.run(crew={"workers": 2, "concurrency": 4})
    finally:
        over.set()
        killer.join()

    errors = [result["error"] for result in results.values() if result["error"]]
    assert len(results) == 60
    assert all(result["scores"] == {"exact": 1.0} for result in results.values() if not result["error"])
    assert all("both times this row ran" in error for error in errors)  # killed again while it ran alone


def test_killed_job_leaves_no_worker_and_resumes(repository):
    """After `kill -9` of a job its workers are gone too, and a rerun runs only the rows that were missing."""
    repository.flow(SLOW)
    repository.questions(*[f"q{i}" for i in range(200)])
    process = _start_job(repository)
    _wait_for_lines(repository.results_file, 5)
    workers = _workers(process.pid)

    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    before = repository.results_file.read_text().splitlines()
    status = _start_job(repository).wait(60)

    results = [json.loads(line) for line in repository.results_file.read_text().splitlines()]
    assert (workers != [], alive, status) == (True, [], 0)
    assert 5 <= len(before) < 200
    assert sorted(result["id"] for result in results) == sorted(f"r{i}" for i in range(200))


def test_ended_job_ends_its_workers(repository):
    """SIGTERM, which a cancelled job gets, takes the workers along."""
    repository.flow(SLOW)
    repository.questions(*[f"q{i}" for i in range(200)])
    process = _start_job(repository)
    _wait_for_lines(repository.results_file, 1)
    workers = _workers(process.pid)

    process.send_signal(signal.SIGTERM)
    status = process.wait(10)

    _, alive = psutil.wait_procs(workers, timeout=10)
    assert (status, alive) == (143, [])
    assert not (repository.job / "result.json").exists()


def _start_job(repository: Repository) -> subprocess.Popen[bytes]:
    spec = {
        "target": {"promptflow": "flows/chat"},
        "dataset": "data/full.jsonl",
        "columns": {"question": "${data.question}"},
        "evaluators": {"exact": EXACT},
        "concurrency": 4,
    }
    (repository.job / "job.json").write_text(json.dumps({"name": "j", "kind": "rows", "spec": spec, "timeout": 60}))
    command = [sys.executable, "-m", "evaluation", "job", str(repository.job)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def _workers(parent: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended just now
            found += [child] if "evaluation.worker" in child.cmdline() else []
    return found


def _wait_for_lines(file: Path, count: int) -> None:
    end = time.monotonic() + 30
    while not file.exists() or file.read_text().count("\n") < count:
        assert time.monotonic() < end, f"{file} did not get {count} lines"
        time.sleep(0.02)
