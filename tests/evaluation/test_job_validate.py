"""`python -m evaluation job DIR` for jobs of kind `validate`."""

from __future__ import annotations

import json
from typing import Any

import pytest


def spec(*commands: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "commands": list(commands),
        "target": {"promptflow": "flows/chat"},
        "sample": "data/sample.jsonl",
        "columns": {"question": "${data.question}"},
    }
    return {**plain, **changes}


@pytest.fixture
def sampled(repository):
    repository.rows([{"id": "s1", "question": "one"}, {"id": "s2", "question": "two"}], "data/sample.jsonl")
    return repository


def test_commands_flow_and_sample_rows_are_steps(sampled):
    """A repository that is in order passes each step, and every step is a line of the results."""
    sampled.write("settings.py", "WHOSE = 'the repository'")

    status, result = sampled.run_job("validate", spec("""python -c 'import settings; print(settings.WHOSE)'"""))

    steps = [json.loads(line) for line in sampled.results_file.read_text().splitlines()]
    assert (status, result["ok"], result["steps"]) == (0, True, steps)
    assert [(step["step"].split(" ")[0], step["ok"]) for step in steps] == [
        ("python", True),
        ("load", True),
        ("sample", True),
    ]
    assert steps[0]["output_tail"] == "the repository\n"
    assert steps[2]["output_tail"] == "2 rows answered"


def test_first_failing_command_ends_the_validation(sampled):
    """The error names the command and its exit status; what it wrote is kept with its step; later steps do not run."""
    fail = """python -c 'import sys; print("2 failed"); sys.exit(3)'"""

    status, result = sampled.run_job("validate", spec(fail, "python -c pass"))

    assert status == 1
    assert result["error"] == f"`{fail}` failed with exit status 3"
    assert result["steps"][0]["output_tail"] == "2 failed\n"
    assert [step["ok"] for step in result["steps"]] == [False]


def test_command_that_is_not_there_is_said_so(sampled):
    """A tool that is not installed is an error in words, not a traceback."""
    status, result = sampled.run_job("validate", spec("no-such-tool --check"))

    assert status == 1
    assert result["error"] == "`no-such-tool --check` cannot be started: No such file or directory"


def test_commands_get_no_shell(sampled):
    """What a shell would act on is an argument like any other."""
    _, result = sampled.run_job("validate", spec("""python -c 'import sys; print(sys.argv[1:])' ; touch owned $HOME"""))

    assert result["steps"][0]["output_tail"] == "[';', 'touch', 'owned', '$HOME']\n"
    assert not (sampled.path / "owned").exists()


def test_flow_that_does_not_import_fails_the_validation(sampled):
    """The error names the step; why the flow cannot be loaded stands in the step, for the log."""
    sampled.flow("import no_such_library\n")

    status, result = sampled.run_job("validate", spec())

    assert status == 1
    assert result["error"] == "load the target: it cannot be done, and the log says why"
    assert "No module named 'no_such_library'" in result["steps"][0]["output_tail"]


def test_sample_row_that_fails_fails_the_validation(sampled):
    """The error has counts and ids, the step what went wrong with each row."""
    sampled.flow("""
        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            raise ValueError("cannot answer " + question)
    """)

    status, result = sampled.run_job("validate", spec())

    assert status == 1
    assert sorted(result["error"].rpartition(": ")[2].split(", ")) == ["s1", "s2"]
    assert result["error"].startswith("sample rows data/sample.jsonl: 2 of 2 sample rows failed: ")
    assert "cannot answer one" in result["steps"][1]["output_tail"]


def test_line_of_the_sample_that_cannot_be_used_is_named(sampled):
    """The error says which line; what stands in it stays in the step."""
    sampled.write("data/sample.jsonl", '{"id": "s1", "question": "one"}\n"a secret of a row"\n')

    status, result = sampled.run_job("validate", spec())

    assert status == 1
    assert result["error"] == "sample rows data/sample.jsonl: line 2 cannot be used"
    assert "a secret of a row" in result["steps"][1]["output_tail"]


def test_nothing_that_a_command_prints_is_in_the_error(sampled):
    """GitHub shows the error, and the output may hold anything."""
    _, result = sampled.run_job("validate", spec("""python -c 'print("s3" + "cret"); raise SystemExit(1)'"""))

    assert result["steps"][0]["output_tail"] == "s3cret\n"
    assert "s3cret" not in result["error"]
