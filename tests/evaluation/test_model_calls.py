"""Flows that call a model: DAG with an llm node, flex flow, prompty. The model is a double that fails on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.evaluation.model_double import ModelDouble, serve_model

LLM = """
    inputs:
      question: {type: string}
    outputs:
      answer: {type: string, reference: "${answer.output}"}
    nodes:
    - name: answer
      type: llm
      source: {type: code, path: prompt.jinja2}
      inputs: {model: double, temperature: 0, max_tokens: 16, question: "${inputs.question}"}
      connection: model
      api: chat
      module: promptflow.tools.openai
"""

PROMPTY = """
    ---
    name: chat
    model:
      api: chat
      configuration: {connection: model, model: double}
      parameters: {max_tokens: 16}
    inputs:
      question: {type: string}
    ---
    user:
    {{question}}
"""

FLEX = """
    import os

    from openai import OpenAI

    client = OpenAI(base_url=os.environ["MODEL_DOUBLE_URL"], api_key="none", max_retries=0)

    def answer(question: str) -> dict:
        messages = [{"role": "user", "content": question}]
        return {"answer": client.chat.completions.create(model="double", messages=messages).choices[0].message.content}
"""

ASYNC = """
    import os

    from openai import AsyncOpenAI
    from promptflow.core import tool

    client = AsyncOpenAI(base_url=os.environ["MODEL_DOUBLE_URL"], api_key="none", max_retries=0)

    @tool
    async def answer(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        return (await client.chat.completions.create(model="double", messages=messages)).choices[0].message.content
"""

LATE = """
    import os

    from promptflow.core import tool

    @tool
    def answer(question: str) -> str:
        from openai import OpenAI

        client = OpenAI(base_url=os.environ["MODEL_DOUBLE_URL"], api_key="none", max_retries=0)
        messages = [{"role": "user", "content": question}]
        return client.chat.completions.create(model="double", messages=messages).choices[0].message.content
"""


@pytest.fixture
def model(monkeypatch) -> Iterator[ModelDouble]:
    with serve_model() as server:
        monkeypatch.setenv("MODEL_DOUBLE_URL", server.url)
        monkeypatch.setenv("MODEL_DOUBLE_KEY", "not-a-secret")
        yield server


def make_dag(repository) -> str:
    repository.write("flows/chat/flow.dag.yaml", LLM)
    repository.write("flows/chat/prompt.jinja2", "user:\n{{question}}\n")
    return "flows/chat"


def make_prompty(repository) -> str:
    repository.write("flows/prompty/chat.prompty", PROMPTY)
    return "flows/prompty"


def make_flex(repository) -> str:
    repository.write("flows/flex/flow.flex.yaml", "entry: flow:answer\n")
    repository.write("flows/flex/flow.py", FLEX)
    return "flows/flex"


def make_async(repository) -> str:
    repository.flow(ASYNC)
    return "flows/chat"


def make_late(repository) -> str:
    repository.flow(LATE)
    return "flows/chat"


@pytest.fixture
def ask(repository, model):
    """Return a function that runs questions through a kind of flow and gives (error, attempts, tokens) by question."""

    def run(make, *questions, **changes):
        repository.questions(*questions)
        connection = {"type": "open_ai", "api_key": "${env:MODEL_DOUBLE_KEY}", "base_url": "${env:MODEL_DOUBLE_URL}"}
        target = {"promptflow": make(repository), "connections": {"model": connection}}
        output = "output" if make is make_prompty else "answer"
        columns = {"response": f"${{target.{output}}}", "truth": "${data.answer}"}
        evaluators = {"exact": {"use": "evaluators.exact:score", "columns": columns}}
        return {
            result["inputs"]["question"]: result
            for result in repository.run(target=target, evaluators=evaluators, **changes).values()
        }

    return run


@pytest.mark.parametrize("make", [make_dag, make_prompty, make_flex, make_async, make_late])
def test_each_kind_of_flow_is_answered_with_its_tokens(ask, make):
    """All kinds give answers, scores and token counts."""
    results = ask(make, "one", "two")

    assert [result["error"] for result in results.values()] == [None, None]
    assert {result["scores"]["exact"] for result in results.values()} == {1.0}
    assert {result["tokens"] for result in results.values()} == {7}


@pytest.mark.parametrize("make", [make_dag, make_prompty, make_flex, make_async])
def test_retries_are_ours_and_honour_retry_after(ask, model, make):
    """Two refusals are two more attempts after the time the model asked for; no library retries beside us."""
    model.retry_after = "0.4"

    results = ask(make, "busy 2", crew={"row_timeout": 20})

    assert results["busy 2"]["error"] is None
    assert (results["busy 2"]["attempts"], model.requests["busy 2"]) == (3, 3)
    first, second, third = model.times["busy 2"]
    if make is not make_flex:  # of a flex flow Prompt Flow hands on only the text of an exception
        assert min(second - first, third - second) >= 0.4


@pytest.mark.parametrize("make", [make_dag, make_prompty, make_flex])
def test_attempts_are_bounded(ask, model, make):
    """A model that keeps failing is asked retries + 1 times; the row says so."""
    model.retry_after = "0"

    results = ask(make, "broken 9", "one", crew={"retries": 2})

    assert results["one"]["error"] is None
    assert "double fails with 500" in results["broken 9"]["error"]
    assert results["broken 9"]["error"].endswith("(after 3 attempts)")
    assert (results["broken 9"]["attempts"], model.requests["broken 9"]) == (3, 3)


def test_bad_request_is_not_tried_again(ask, model):
    """A 400 will not become better."""
    results = ask(make_dag, "refused")

    assert "double fails with 400" in results["refused"]["error"]
    assert model.requests["refused"] == 1


def test_model_that_hangs_is_given_up(ask, model):
    """No answer within the row's time is an errored row; the row beside it is answered."""
    results = ask(make_dag, "hang", "one", crew={"row_timeout": 4})

    assert results["hang"]["error"] == "no answer within 4 s: the row was given up"
    assert results["one"]["error"] is None


def test_latency_is_of_the_attempt_that_answered(ask, model):
    """Waiting for Retry-After is not the target's latency."""
    model.retry_after = "1.5"

    results = ask(make_dag, "busy 1")

    assert results["busy 1"]["attempts"] == 2
    assert results["busy 1"]["latency"] < 1.5
