"""Input that a person has to correct: one clear line, before any row runs."""

from __future__ import annotations

import pytest

from domain.errors import Invalid
from tests.evaluation.conftest import EXACT


def refusal(repository, **changes) -> str:
    with pytest.raises(Invalid) as caught:
        repository.run(**changes)
    return str(caught.value)


def test_empty_dataset(repository):
    """No rows is no evaluation."""
    repository.write("data/full.jsonl", "\n\n")

    assert refusal(repository) == "data/full.jsonl: the dataset is empty: expected one JSON object per line"


def test_missing_dataset(repository):
    """A dataset that is not there is named as in the config."""
    assert refusal(repository) == "data/full.jsonl: cannot be read: No such file or directory"


def test_column_that_no_row_has(repository):
    """A reference that can never be resolved is refused, with the columns there are."""
    repository.questions("x")

    message = refusal(repository, columns={"question": "${data.query}"})

    assert message == "columns.question: no row of the dataset has a column 'query': there are answer, id, question"


def test_reference_of_a_wrong_form(repository):
    """A typing mistake in a reference is not taken for a constant."""
    repository.questions("x")

    message = refusal(repository, columns={"question": "${row.question}"})

    assert message == "columns.question: '${row.question}' is not a reference: expected ${data.name}"


def test_input_that_columns_do_not_give(repository):
    """A required input of the flow without a column is refused."""
    repository.questions("x")

    message = refusal(repository, columns={"topic": "${data.question}"})

    assert message == "columns: the target needs question, which columns do not give"


def test_column_for_an_input_that_is_not_there(repository):
    """A column for no input would be dropped silently by Prompt Flow."""
    repository.questions("x")

    message = refusal(repository, columns={"question": "${data.question}", "topic": "${data.answer}"})

    assert message == "columns.topic: the target has no such input, only question"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("evaluators.exactly:score", "there is no module evaluators.exactly in the repository"),
        ("evaluators.exact:scores", "the module has no callable 'scores'"),
        ("azure.ai.evaluation.F2ScoreEvaluator", "azure-ai-evaluation has no 'F2ScoreEvaluator': it has "),
        ("flows/grade", "flow flows/grade: there is nothing: expected flow.dag.yaml, flow.flex.yaml or one .prompty"),
    ],
)
def test_unknown_evaluator(repository, use, message):
    """An evaluator that is not there is named, with what is."""
    repository.questions("x")

    refused = refusal(repository, evaluators={"exact": EXACT, "mine": {**EXACT, "use": use}})

    assert refused.startswith("evaluators.mine: ")
    assert message in refused


def test_evaluator_that_cannot_be_built(repository):
    """Wrong constructor arguments are an error of the config, not of each row."""
    repository.questions("x")
    use = {**EXACT, "use": "azure.ai.evaluation.F1ScoreEvaluator", "init": {"limit": 1}}

    refused = refusal(repository, evaluators={"f1": use})

    assert refused.startswith("evaluators.f1: azure.ai.evaluation.F1ScoreEvaluator cannot be loaded: TypeError: ")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_library\n", "No module named 'no_such_library'"),
        ("def answer(:\n", "invalid syntax"),
        ("import sys\nsys.exit('not today')\n", "not today"),
        ("x = 1\n", "No tool found"),
    ],
)
def test_flow_that_does_not_import(repository, code, reason):
    """A flow that cannot be loaded says why, once."""
    repository.questions("x")
    repository.flow(code)

    refused = refusal(repository)

    assert refused.startswith("flow flows/chat cannot be loaded: ")
    assert reason in refused


def test_directory_without_a_flow(repository):
    """A wrong path to the flow is said so."""
    repository.questions("x")

    refused = refusal(repository, target={"promptflow": "data"})

    assert refused == "flow data: there is no flow: expected flow.dag.yaml, flow.flex.yaml or one .prompty file"


def test_unset_variable_of_a_connection(repository):
    """A `${env:NAME}` that is not set where the evaluation runs is named, with its key."""
    repository.questions("x")
    connections = {"model": {"type": "open_ai", "api_key": "${env:NO_SUCH_VARIABLE}"}}

    refused = refusal(repository, target={"promptflow": "flows/chat", "connections": connections})

    assert refused == (
        "target.connections.model.api_key: the environment variable NO_SUCH_VARIABLE is not set "
        "where the evaluation runs"
    )


def test_unknown_type_of_connection(repository):
    """A type of connection that Prompt Flow does not have is refused with those it has."""
    repository.questions("x")

    refused = refusal(repository, target={"promptflow": "flows/chat", "connections": {"model": {"type": "openai"}}})

    assert refused.startswith("target.connections.model: type 'openai' is unknown: expected one of open_ai, ")


def test_target_of_an_unknown_kind(repository):
    """A target that this version cannot run is refused."""
    repository.questions("x")

    assert refusal(repository, target={"agent": "x"}) == "target: one of these is expected: promptflow; found agent"
