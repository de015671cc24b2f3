"""`python -m evaluation run`: a data scientist on a laptop."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.evaluation.conftest import ROOT, Repository

CONFIG = """
    version: 1
    target: {promptflow: flows/chat}
    validate: {sample: data/full.jsonl}
    evaluation:
      columns: {question: "${data.question}"}
      evaluators:
        exact:
          use: evaluators.exact:score
          columns: {response: "${target.answer}", truth: "${data.answer}"}
      minimal: {data: data/full.jsonl, gates: ["exact >= 0.5", "errors <= 0.0"]}
      full: {data: data/full.jsonl, shards: 4, gates: ["exact >= 0.9", "exact drop <= 0.05"]}
    environments: [{name: dev}]
"""


@pytest.fixture
def laptop(repository):
    repository.write("drawbridge.yaml", CONFIG)
    repository.rows([{"id": f"r{i}", "question": "q", "answer": "answer to q" if i else "else"} for i in range(4)])
    return repository


def run(laptop: Repository, *arguments: str) -> tuple[int, str, str]:
    """Run the command from another directory; return (status, standard output, standard error)."""
    command = [sys.executable, "-m", "evaluation", "run", "--config", "repository/drawbridge.yaml", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=laptop.job, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_passed_gates_are_status_0(laptop):
    """The table shows each metric with its rows, mean and interval, and each gate with its verdict."""
    status, out, err = run(laptop, "--kind", "minimal", "--out", "out")

    assert (status, err) == (0, "")
    assert "exact" in out
    assert "0.750" in out
    assert "4 rows: 4 scored, 0 errored" in out
    assert "exact >= 0.5" in out
    assert out.rstrip().endswith("passed")
    summary = json.loads((laptop.job / "out/summary.json").read_text())
    assert (summary["verdict"], summary["metrics"][0]["mean"]) == ("passed", 0.75)


def test_failed_gates_are_status_1(laptop):
    """A gate that does not hold fails the command and says by how much."""
    status, out, _ = run(laptop, "--kind", "full", "--out", "out")

    assert status == 1
    assert "expected at least 0.9" in " ".join(out.split())
    assert out.rstrip().endswith("failed")


def test_rows_limits_and_a_second_run_goes_on(laptop):
    """--rows takes the first rows of the seeded order; a run for more keeps them."""
    run(laptop, "--kind", "minimal", "--out", "out", "--rows", "2")
    first = (laptop.job / "out/results.jsonl").read_text()

    _, out, _ = run(laptop, "--kind", "minimal", "--out", "out")

    assert len(first.splitlines()) == 2
    assert (laptop.job / "out/results.jsonl").read_text().startswith(first)
    assert "4 rows: 4 scored" in out


def test_results_of_changed_sources_are_not_mixed(laptop):
    """Results in --out from before a change would be a wrong mean: they are refused, not kept and not deleted."""
    run(laptop, "--kind", "minimal", "--out", "out")
    laptop.flow("# changed\n" + (laptop.path / "flows/chat/answer.py").read_text())

    status, _, err = run(laptop, "--kind", "minimal", "--out", "out")

    assert status == 2
    assert err == "error: out has results of other sources or another config: choose another --out\n"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("version: 1", "version: 2"), "error: repository/drawbridge.yaml:1: version: is 2; expected 1\n"),
        (("data/full.jsonl", "data/none.jsonl"), "error: data/none.jsonl: cannot be read: No such file or directory\n"),
        (("flows/chat", "flows/no"), "error: flow flows/no: there is nothing: expected flow.dag.yaml, "),
    ],
)
def test_bad_input_is_status_2(laptop, change, error):
    """What a person has to correct is one line, without a traceback."""
    laptop.write("drawbridge.yaml", CONFIG.replace(*change))

    status, _, err = run(laptop, "--kind", "minimal", "--out", "out")

    assert status == 2
    assert err.startswith(error)
    assert err.count("\n") == 1


def test_errored_rows_are_shown_with_their_reason(laptop):
    """The first errors stand under the metrics; a gate on errors sees them."""
    laptop.flow((laptop.path / "flows/chat/answer.py").read_text().replace("return", "1 / 0\n    return"))

    status, out, err = run(laptop, "--kind", "minimal", "--out", "out")

    assert (status, err) == (1, "")
    assert "4 rows: 0 scored, 4 errored" in out
    assert "ZeroDivisionError" in out
    assert "and 1 more rows with errors" in out
