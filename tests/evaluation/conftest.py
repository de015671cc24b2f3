"""Small real repositories to evaluate: Prompt Flow flows of Python nodes, evaluators, data."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluation.pool import Crew
from evaluation.shard import Progress, Shard, run_shard
from tests.samples import FLOW

ROOT = Path(__file__).resolve().parents[2]

ECHO = """
    from promptflow.core import tool

    @tool
    def answer(question: str) -> str:
        return "answer to " + question
"""

EXACT = {"use": "evaluators.exact:score", "columns": {"response": "${target.answer}", "truth": "${data.answer}"}}

_EXACT_CODE = """
    def score(response, truth):
        return 1.0 if response == truth else 0.0
"""


@dataclass
class Repository:
    """A repository under evaluation, and the directory of the job that evaluates it."""

    job: Path

    @property
    def path(self) -> Path:
        return self.job / "repository"

    @property
    def results_file(self) -> Path:
        return self.job / "results.jsonl"

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def rows(self, rows: list[dict[str, Any]], name: str = "data/full.jsonl") -> None:
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def questions(self, *questions: str) -> None:
        self.rows([{"id": f"r{i}", "question": q, "answer": f"answer to {q}"} for i, q in enumerate(questions)])

    def flow(self, code: str, dag: str = FLOW, name: str = "flows/chat") -> None:
        self.write(f"{name}/flow.dag.yaml", dag)
        self.write(f"{name}/answer.py", code)

    def shard(self, **changes: Any) -> Shard:
        crew = Crew(**{"concurrency": 4, "row_timeout": 60, "retries": 3, **changes.pop("crew", {})})
        plain: dict[str, Any] = {
            "target": {"promptflow": "flows/chat"},
            "dataset": "data/full.jsonl",
            "columns": {"question": "${data.question}"},
            "evaluators": {"exact": EXACT},
        }
        return Shard(repository=self.path, crew=crew, **{**plain, **changes})

    def run(self, **changes: Any) -> dict[str, dict[str, Any]]:
        """Run a shard; return its results by row id, having checked that no row is missing or there twice."""
        self.told: list[Progress] = []
        end = run_shard(self.shard(**changes), self.results_file, self.job / "home", self.told.append)
        results = [json.loads(line) for line in self.results_file.read_text(encoding="utf-8").splitlines()]
        assert end.done == end.total == len(results) == len({result["id"] for result in results})
        return {result["id"]: result for result in results}

    def run_job(self, kind: str, spec: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Run a job as the local compute does, in a process of its own; return its exit status and result."""
        (self.job / "job.json").write_text(json.dumps({"name": "job", "kind": kind, "spec": spec, "timeout": 60}))
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.job / "home"), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [sys.executable, "-m", "evaluation", "job", str(self.job)], env=env, cwd=self.job, check=False
        )
        return done.returncode, json.loads((self.job / "result.json").read_text())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.flow(ECHO)
    made.write("evaluators/exact.py", _EXACT_CODE)
    return made
