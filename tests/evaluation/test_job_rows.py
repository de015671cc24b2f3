"""`python -m evaluation job DIR` for jobs of kind `rows`, as a process of its own."""

from __future__ import annotations

import json
from typing import Any

F1 = {
    "use": "azure.ai.evaluation.F1ScoreEvaluator",
    "columns": {"response": "${target.answer}", "ground_truth": "${data.answer}"},
}


def spec(**changes: Any) -> dict[str, Any]:
    plain = {
        "target": {"promptflow": "flows/chat"},
        "dataset": "data/full.jsonl",
        "columns": {"question": "${data.question}"},
        "evaluators": {"f1": F1},
        "seed": 7,
        "concurrency": 4,
    }
    return {**plain, **changes}


def test_rows_are_answered_and_scored_by_f1(repository):
    """A Python DAG flow and F1 of azure-ai-evaluation give one scored line per row and a result that says so."""
    repository.questions("one", "two", "three")

    status, result = repository.run_job("rows", spec())

    lines = [json.loads(line) for line in repository.results_file.read_text().splitlines()]
    assert status == 0
    assert result == {"ok": True, "rows": 3, "scored": 3, "errored": 0}
    assert {line["id"]: line["scores"] for line in lines} == {f"r{i}": {"f1": 1.0} for i in range(3)}
    assert lines[0].keys() == {"id", "inputs", "output", "scores", "error", "latency", "tokens", "attempts"}
    assert json.loads((repository.job / "progress.json").read_text()) == {"done": 3, "total": 3}


def test_shards_cover_each_row_once(repository):
    """Slices of the seeded order do not overlap and leave nothing out."""
    repository.questions(*"abcdef")
    exact = {"exact": {"use": "evaluators.exact:score", "columns": {"response": "x", "truth": "${data.answer}"}}}

    repository.run_job("rows", spec(evaluators=exact, start=0, stop=4))
    status, result = repository.run_job("rows", spec(evaluators=exact, start=4, stop=6))

    ids = [json.loads(line)["id"] for line in repository.results_file.read_text().splitlines()]
    assert (status, result["rows"]) == (0, 2)
    assert sorted(ids) == [f"r{i}" for i in range(6)]


def test_bad_input_is_one_clear_line(repository):
    """A dataset that cannot be read ends the job with the reason in its result, and status 1."""
    repository.write("data/full.jsonl", '{"question": "a"}\n{oops\n')

    status, result = repository.run_job("rows", spec())

    assert status == 1
    assert result == {
        "ok": False,
        "error": "data/full.jsonl:2: not JSON: Expecting property name enclosed in double quotes at column 2",
    }


def test_unknown_kind_is_refused(repository):
    """A job of a kind this version does not know says which kinds it knows."""
    status, result = repository.run_job("guess", {})

    assert status == 1
    assert result["error"].startswith("job.json: kind 'guess' is unknown: expected one of rows")
