"""The guess at `drawbridge.yaml`: what is found, what is asked, and that whatever is guessed loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from domain import messages_onboarding as words
from domain.config import OptOutRule, read_config
from domain.errors import Invalid
from domain.flow_files import Dataset, Files, read_dataset
from domain.onboarding import approvers, guess, template_path
from domain.opt_out import MARKER, Facts, judge

HELPDESK = Path(__file__).parents[2] / "samples" / "helpdesk"

FLOW = """
inputs:
  question: {type: string}
  chat_history: {type: list, is_chat_history: true}
outputs:
  answer: {type: string, reference: "${answer.output}"}
nodes:
  - {name: answer, type: llm, provider: AzureOpenAI, connection: my-llm, inputs: {question: "${inputs.question}"}}
"""
EVALUATION = """
inputs:
  ground_truth: {type: string}
  prediction: {type: string}
outputs:
  grade: {type: string, reference: "${grade.output}"}
nodes:
  - {name: total, type: python, aggregation: true}
"""
SAMPLE, SMALL, FULL = (
    Dataset(f"data/{name}.jsonl", rows, ("answer", "id", "question"))
    for name, rows in (("sample", 3), ("smoke", 30), ("full", 300))
)


def files(texts: dict[str, str], *datasets: Dataset) -> Files:
    return Files([*texts, *(data.path for data in datasets)], texts, datasets)


def config(found, people=("maria",)):
    return read_config(words.config_text(found, people, "develop", "main", "skip-e2e-evaluation"))


def test_the_sample_repository_is_guessed_as_its_own_config_says():
    """From the files alone: the flow, its data, its evaluators, its checks."""
    paths = [str(path.relative_to(HELPDESK)) for path in HELPDESK.rglob("*") if path.is_file()]
    texts = {path: (HELPDESK / path).read_text() for path in paths if path.endswith((".yaml", ".py", ".toml"))}
    lines = {path: (HELPDESK / path).read_text().splitlines() for path in paths if path.endswith(".jsonl")}
    found = [read_dataset(path, rows[:20], len(rows)) for path, rows in lines.items()]
    guessed = config(guess(Files(paths, texts, [data for data in found if data])))
    own = read_config((HELPDESK / "drawbridge.yaml").read_text())

    assert guessed.target.promptflow == own.target.promptflow
    assert guessed.target.connections.keys() == own.target.connections.keys()
    assert guessed.validation == own.validation
    assert guessed.evaluation.columns == own.evaluation.columns
    assert [guessed.evaluation.minimal.data, guessed.evaluation.full.data] == ["data/minimal.jsonl", "data/full.jsonl"]
    assert {one.use: one.columns for one in guessed.evaluation.evaluators.values()} == {
        one.use: one.columns for one in own.evaluation.evaluators.values()
    }


def test_what_is_found_stands_in_the_config():
    """Flow, connection, data by name and size, the evaluation flow, ruff and the tests."""
    texts = {"flows/chat/flow.dag.yaml": FLOW, "flows/grade/flow.dag.yaml": EVALUATION, "pyproject.toml": "[tool.ruff]"}
    found = guess(Files([*texts, "tests/test_chat.py"], texts, [FULL, SAMPLE, SMALL]))
    read = config(found, ["maria", "acme/leads", "Maria"][:2])

    assert found.doubts == {}
    assert read.target.connections["my-llm"]["type"] == "azure_open_ai"
    assert read.validation.sample == "data/sample.jsonl"
    assert [read.evaluation.minimal.data, read.evaluation.full.data] == ["data/smoke.jsonl", "data/full.jsonl"]
    assert read.evaluation.evaluators["grade"].columns == {
        "ground_truth": "${data.answer}",
        "prediction": "${target.answer}",
    }
    assert read.evaluation.evaluators["f1"].columns["response"] == "${target.answer}"
    assert read.validation.commands == ["ruff check .", "pytest -q"]
    assert read.opt_out.forbidden_paths == ["flows/chat/**"]
    assert [one.approvers for one in read.environments] == [[], ["maria", "acme/leads"], ["maria", "acme/leads"]]


def test_what_is_missing_is_asked_for_beside_the_key():
    """Without data and evaluators the config still loads, and says where to look."""
    found = guess(files({"app/flow.dag.yaml": FLOW}))
    text = words.config_text(found, ["maria"], "develop", "main", "skip")

    assert read_config(text).evaluation.columns == {"question": "${data.question}"}
    assert "  minimal:  # CHECK: no *.jsonl here has columns for question: write these three" in text
    assert "  evaluators:  # CHECK: no evaluator fits the data" in text
    assert "`evaluation.minimal`: no \\*.jsonl here has columns for question" in words.pull_body(found, "https://d")


def test_one_dataset_serves_for_everything_until_somebody_looks():
    """Three names, one file, and a line that says so."""
    found = guess(files({"app/flow.dag.yaml": FLOW}, FULL))

    assert {found.sample, found.minimal, found.full} == {"data/full.jsonl"}
    assert found.doubts["evaluation.minimal"].startswith("fewer than three datasets fit the flow")


def test_a_column_of_another_name_for_the_same_thing_fits():
    """The input is `question`, the data calls it `query`, and the right answers `ground_truth`."""
    data = Dataset("rows.jsonl", 5, ("answer", "ground_truth", "query"))
    found = guess(files({"app/flow.dag.yaml": FLOW}, data))

    assert found.columns == {"question": "${data.query}"}
    assert found.scorers["f1"].columns["ground_truth"] == "${data.ground_truth}"


@pytest.mark.parametrize(
    ("texts", "wanted", "message"),
    [
        ({}, "", "no flow found: expected a directory with flow.dag.yaml or flow.flex.yaml. Commit the flow first"),
        ({"e/flow.dag.yaml": EVALUATION}, "", "only evaluation flows (e) found: expected"),
        ({"a/flow.dag.yaml": "inputs: ["}, "", "a/flow.dag.yaml:1: this is not YAML"),
        ({"a/flow.dag.yaml": "- 1"}, "", "a/flow.dag.yaml:1: this is no flow; expected a mapping with inputs"),
        (
            {"a/flow.dag.yaml": FLOW, "b/flow.dag.yaml": FLOW},
            "",
            "several flows could be meant: a, b; name one with FLOW=<its directory>",
        ),
        ({"a/flow.dag.yaml": FLOW}, "b", "there is no flow in b; found: a"),
        ({"a/flow.dag.yaml": FLOW, "b/flow.dag.yaml": "{"}, "b/", "b/flow.dag.yaml:1: this is not YAML"),
    ],
)
def test_what_cannot_be_guessed_is_refused_with_what_to_do(texts, wanted, message):
    """None, several, or a broken one."""
    with pytest.raises(Invalid) as refused:
        guess(files(texts), wanted)

    assert message in str(refused.value)


def test_of_several_flows_the_one_with_data_is_taken_and_a_named_one_always():
    """A broken neighbour is named, and stops nobody."""
    other = FLOW.replace("question", "picture")
    texts = {"a/flow.dag.yaml": other, "b/flow.dag.yaml": FLOW, "c/flow.dag.yaml": "{"}

    assert guess(files(texts, FULL)).flow.folder == "b"
    assert guess(files(texts, FULL), "a").flow.folder == "a"
    assert "c/flow.dag.yaml:1: this is not YAML" in guess(files(texts, FULL)).doubts["target.promptflow"]


names = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["question", "answer", "on", "null", "1", "a b", "é", "x: y"]
)


@settings(deadline=None)  # the first config of a process builds the validators
@given(
    st.dictionaries(names, st.booleans(), max_size=4),
    st.lists(names, max_size=3),
    st.lists(st.tuples(names, st.integers(0, 10**6), st.lists(names, max_size=4)), max_size=4),
    names,
    st.sampled_from(["OpenAI", "AzureOpenAI", None, 3]),
    names,
)
def test_whatever_is_guessed_loads(inputs, outputs, datasets, folder, provider, connection):
    """Odd names of inputs, columns, files, directories and connections never make a config that is refused."""
    flow = {
        "inputs": {name: {"default": 1} if given else {} for name, given in inputs.items()},
        "outputs": {name: {} for name in outputs},
        "nodes": [{"provider": provider, "connection": connection}],
    }
    rows = [
        read_dataset(f"data/{name}.jsonl", [json.dumps(dict.fromkeys(columns, "x"))], size)
        for name, size, columns in datasets
    ]
    texts = {f"{folder}/flow.dag.yaml": json.dumps(flow), "flows/eval/flow.dag.yaml": EVALUATION}
    try:
        found = guess(files(texts, *filter(None, rows)))
    except Invalid:
        return
    text = words.config_text(found, ["maria"], "develop", "main", "skip")

    assert config(found).target.promptflow
    assert YAML(typ="safe").load(text)["evaluation"]["columns"] == found.columns


def test_columns_are_those_that_every_row_has():
    """A column that is missing somewhere cannot be relied on; what is no dataset is none."""
    assert read_dataset("a", ['{"x": 1, "y": 2}', '{"x": 3}'], 2) == Dataset("a", 2, ("x",))
    assert read_dataset("a", ["version https://git-lfs.github.com/spec/v1"], 1) is None
    assert read_dataset("a", ["[1]"], 1) is None
    assert read_dataset("a", [], 0) is None


def test_who_owns_everything_approves():
    """The last line for `*` in CODEOWNERS counts, people and teams; else one person is named."""
    owners = "* @first\n/docs @docs\n*  @Maria @acme/leads someone@example.com # all\n"

    assert approvers(files({".github/CODEOWNERS": owners}), "sam") == ("Maria", "acme/leads")
    assert approvers(files({"CODEOWNERS": "/docs @docs"}), "sam") == ("sam",)


def test_a_template_is_found_where_github_looks():
    """In .github before the root before docs, whatever its case; elsewhere it is none."""
    assert template_path(["PULL_REQUEST_TEMPLATE.md", ".github/Pull_Request_Template.md"]) == (
        ".github/Pull_Request_Template.md"
    )
    assert template_path(["docs/pull_request_template.md"]) == "docs/pull_request_template.md"
    assert template_path(["src/pull_request_template.md"]) == ".github/pull_request_template.md"


def test_the_checklist_is_the_one_that_the_policy_reads():
    """Untouched it opts nobody out; with every box ticked and a reason it does."""
    rule = OptOutRule(forbidden_paths=["flows/**"])
    body = words.template_text(None, words.opt_out_section("skip", "main", rule.forbidden_paths)) or ""
    ticked = f"{body.replace('[ ]', '[x]').rstrip()} only the guide changed\n"
    untouched = judge(rule, Facts(1, "skip", "sam", "2026-11-22", body, ()), may=True)
    done = judge(rule, Facts(1, "skip", "sam", "2026-11-22", ticked, ()), may=True)

    assert untouched.refused.count("not ticked") == 3
    assert "no reason is given" in untouched.refused
    assert (done.refused, done.reason) == ("", "only the guide changed")


def test_an_own_template_keeps_its_words():
    """The section comes once, behind what is there."""
    section = words.opt_out_section("skip", "main", [])
    text = words.template_text("## Mine\n\nwords  \n\n", section)

    assert text == f"## Mine\n\nwords\n\n{section}"
    assert words.template_text(text, section) is None
    assert section.startswith(MARKER)
