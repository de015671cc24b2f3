"""Rows that go wrong: each ends as an errored row with its reason, and none is missing."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import DrawbridgeError

TROUBLE = """
    import os
    import signal
    import sys
    import time

    from promptflow.core import tool

    @tool
    def answer(question: str) -> str:
        print("this is not an event")
        if question == "hang":
            time.sleep(600)
        if question == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if question == "exit":
            sys.exit("enough")
        if question == "raise":
            raise KeyError("no such article")
        if question == "nan":
            return float("nan")
        if question == "slow":
            time.sleep(1.0)
        return "answer to " + question
"""


@pytest.fixture
def trouble(repository):
    repository.flow(TROUBLE)
    return repository


def errors(results: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    return {result["inputs"]["question"]: result["error"] for result in results.values()}


def test_node_that_never_returns_is_one_errored_row(trouble):
    """The hanging row is given up after its time; rows beside it are answered by a new worker, without penalty."""
    trouble.questions("a", "hang", "slow", "b", "c", "d")

    results = trouble.run(crew={"row_timeout": 2.5, "concurrency": 3})

    assert errors(results) == {
        **dict.fromkeys("abcd"),
        "slow": None,
        "hang": "no answer within 2.5 s: the row was given up",
    }
    assert {result["attempts"] for result in results.values()} == {1}


def test_worker_killed_by_the_kernel_costs_only_the_row_that_did_it(trouble):
    """Rows that a worker died with run once more, alone: the one that kills again is an error, the others are not."""
    trouble.questions("slow", "kill", "a", "b")

    results = trouble.run()

    assert errors(results) == {
        **dict.fromkeys(["slow", "a", "b"]),
        "kill": "the worker process was killed by SIGKILL (out of memory?) both times this row ran",
    }
    assert {result["error"] is None: result["attempts"] for result in results.values()}[False] == 2


def test_errors_of_nodes_are_reasons(trouble):
    """What a node raises, even SystemExit, is the row's reason; what it prints does no harm."""
    trouble.questions("raise", "exit", "a")

    reasons = errors(trouble.run())

    assert reasons["a"] is None
    assert reasons["raise"] == "Execution failure in 'answer': (KeyError) 'no such article'"
    assert "enough" in str(reasons["exit"])


def test_output_that_is_no_number_is_an_errored_row(trouble):
    """NaN is not JSON: the row says so instead of breaking the results file."""
    trouble.questions("nan")

    reasons = errors(trouble.run())

    assert str(reasons["nan"]).startswith("the answer cannot be written as JSON: ")


def test_row_without_a_column_is_an_errored_row(repository):
    """A column that only some rows lack makes those rows errors, by name."""
    repository.rows([{"id": "a", "question": "x", "answer": "answer to x"}, {"id": "b", "answer": "y"}])

    results = repository.run()

    assert results["a"]["error"] is None
    assert results["b"]["error"] == "the row has no column 'question', only id, answer"


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ("float('nan')", "evaluator exact returned nan"),
        ("None", "evaluator exact returned nothing"),
        ("{}", "evaluator exact returned nothing"),
        ("{'grade': 'good'}", "evaluator exact returned no number, only grade"),
        ("{'a': 1, 'b': None}", "evaluator exact returned nothing for b"),
        ("{'a': 1, 'b': float('inf')}", "evaluator exact returned inf for b"),
        ("'good'", "evaluator exact returned 'good': expected a number"),
        ("1 / 0", "evaluator exact: ZeroDivisionError: division by zero"),
        ("sys.exit(3)", "evaluator exact: SystemExit: 3"),
    ],
)
def test_unusable_score_is_an_errored_row(repository, returned, reason):
    """An evaluator that returns NaN or nothing, or raises, never changes a mean: its row is an error."""
    repository.write("evaluators/exact.py", f"import sys\n\ndef score(response, truth):\n    return {returned}\n")
    repository.questions("x")

    (result,) = repository.run().values()

    assert (result["error"], result["scores"]) == (reason, {})
    assert result["output"] == {"answer": "answer to x"}


def test_evaluator_that_needs_a_missing_output_says_so(repository):
    """A reference to an output the target does not have names the outputs it has."""
    columns = {"response": "${target.text}", "truth": "${data.answer}"}
    repository.questions("x")

    (result,) = repository.run(evaluators={"exact": {"use": "evaluators.exact:score", "columns": columns}}).values()

    assert result["error"] == "evaluator exact: the target's answer has no output 'text', only answer"


def test_worker_that_always_dies_ends_the_evaluation(repository):
    """A flow that kills its process while it is loaded is an error, not an endless series of workers."""
    repository.flow("import os\n\nos._exit(7)\n")
    repository.questions("x")

    with pytest.raises(DrawbridgeError, match="the worker process exited with status 7 before the target was loaded"):
        repository.run()


def test_node_that_holds_the_interpreter_is_ended(repository):
    """Code that never lets another thread run cannot be asked to stop; it is ended from outside."""
    repository.flow("""
        import re

        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            if question == "hang":
                re.match(r"(a+)+$", "a" * 64 + "b")
            return "answer to " + question
    """)
    repository.questions("hang", "a")

    reasons = errors(repository.run(crew={"row_timeout": 2.0}))

    assert reasons == {"hang": "the worker process stopped answering both times this row ran", "a": None}
