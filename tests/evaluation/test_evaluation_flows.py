"""Prompt Flow evaluation flows as evaluators, with their aggregation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.evaluation.conftest import Repository

GRADE_DAG = """
    inputs:
      response: {type: string}
      truth: {type: string}
    outputs:
      grade: {type: string, reference: "${grade.output}"}
    nodes:
    - name: grade
      type: python
      source: {type: code, path: grade.py}
      inputs: {response: "${inputs.response}", truth: "${inputs.truth}"}
    - name: total
      type: python
      source: {type: code, path: total.py}
      inputs: {grades: "${grade.output}"}
      aggregation: true
"""

GRADE = """
    from promptflow.core import tool

    @tool
    def grade(response: str, truth: str) -> str:
        return "Correct" if response == truth else "Incorrect"
"""

TOTAL = """
    from promptflow.core import log_metric, tool

    @tool
    def total(grades: list) -> int:
        log_metric("accuracy", grades.count("Correct") / len(grades))
        log_metric("rows", len(grades))
        return len(grades)
"""

GRADER = {"use": "flows/grade", "columns": {"response": "${target.answer}", "truth": "${data.answer}"}}


@pytest.fixture
def graded(repository):
    repository.write("flows/grade/flow.dag.yaml", GRADE_DAG)
    repository.write("flows/grade/grade.py", GRADE)
    repository.write("flows/grade/total.py", TOTAL)
    repository.rows([{"id": f"r{i}", "question": "q", "answer": "answer to q" if i else "else"} for i in range(4)])
    return repository


def aggregate(graded: Repository, *files: str) -> tuple[int, dict[str, Any]]:
    spec = {"target": {"promptflow": "flows/chat"}, "evaluators": {"grade": GRADER}, "results": list(files)}
    return graded.run_job("aggregate", spec)


def test_aggregation_runs_over_the_rows_of_all_shards(graded):
    """Metrics that the flow logs are computed once over everything, not per shard."""
    graded.run(evaluators={"grade": GRADER})
    lines = graded.results_file.read_text().splitlines(keepends=True)
    (graded.job / "inputs").mkdir()
    (graded.job / "inputs/0.jsonl").write_text("".join(lines[:1]))
    (graded.job / "inputs/1.jsonl").write_text("".join(lines[1:]))

    status, result = aggregate(graded, "inputs/0.jsonl", "inputs/1.jsonl")

    assert (status, result) == (0, {"ok": True, "metrics": {"grade.accuracy": 0.75, "grade.rows": 4.0}})


def test_flow_without_aggregation_scores_rows(graded):
    """The numbers among a flow's outputs are the row's scores."""
    dag = GRADE_DAG.partition("    - name: total")[0].replace("type: string, reference", "type: double, reference")
    graded.write("flows/grade/flow.dag.yaml", dag)
    graded.write("flows/grade/grade.py", GRADE.replace('"Correct"', "1.0").replace('"Incorrect"', "0.25"))

    results = graded.run(evaluators={"grade": GRADER})

    assert [results[f"r{i}"]["scores"] for i in range(4)] == [{"grade": 0.25}, *[{"grade": 1.0}] * 3]


def test_errored_rows_take_no_part_in_the_aggregation(graded):
    """A row the grader failed on is an error and not counted by the aggregation either."""
    graded.write("flows/grade/grade.py", GRADE.replace('return "C', 'return 1 / 0 if truth == "else" else "C'))

    results = graded.run(evaluators={"grade": GRADER})
    _, result = aggregate(graded, "results.jsonl")

    assert "ZeroDivisionError" in results["r0"]["error"]
    assert result["metrics"] == {"grade.accuracy": 1.0, "grade.rows": 3.0}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("log_metric('accuracy', float('nan'))", "its aggregation logged nan for accuracy: expected a number"),
        ("1 / 0", "its aggregation failed: Execution failure in 'total': (ZeroDivisionError) division by zero"),
        ("pass", "its aggregation logged no metric"),
    ],
)
def test_aggregation_that_gives_no_number_is_an_error(graded, code, error):
    """NaN, an exception or nothing at all is said, with the evaluator's name."""
    total = TOTAL.replace('log_metric("accuracy", grades.count("Correct") / len(grades))', code)
    graded.write("flows/grade/total.py", total.replace('log_metric("rows", len(grades))', "pass"))
    graded.run(evaluators={"grade": GRADER})

    status, result = aggregate(graded, "results.jsonl")

    assert (status, result) == (1, {"ok": False, "error": f"evaluators.grade: {error}"})


def test_flex_flow_with_aggregate_method(graded):
    """A class flow's `__aggregate__` gets the rows' outputs."""
    graded.write("flows/grade2/flow.flex.yaml", "entry: grade:Grade\n")
    graded.write(
        "flows/grade2/grade.py",
        """
        class Grade:
            def __call__(self, response: str, truth: str) -> dict:
                return {"right": 1.0 if response == truth else 0.0}

            def __aggregate__(self, rows: list) -> dict:
                return {"worst": min(row["right"] for row in rows)}
        """,
    )
    evaluators = {"grade": {**GRADER, "use": "flows/grade2"}}

    results = graded.run(evaluators=evaluators)
    spec = {"target": {"promptflow": "flows/chat"}, "evaluators": evaluators, "results": ["results.jsonl"]}
    _, result = graded.run_job("aggregate", spec)

    assert {name: row["scores"] for name, row in results.items()}["r0"] == {"grade": 0.0}
    assert json.dumps(result["metrics"]) == '{"grade.worst": 0.0}'
