"""What makes an evaluation another one, and what does not."""

from __future__ import annotations

import hashlib

import pytest

from domain.config import Config
from domain.fingerprints import File, link, of_full_evaluation, python_file
from tests import samples

REPOSITORY = {
    "flows/chat/flow.dag.yaml": b"nodes: []",
    "flows/chat/answer.py": b"import json\nfrom shared.words import clean\n",
    "flows/other/flow.dag.yaml": b"nodes: [x]",
    "data/full.jsonl": b"{}",
    "data/minimal.jsonl": b"{}",
    "evaluators/exact.py": b"def score(): ...",
    "evaluators/words.txt": b"yes no",
    "shared/words.py": b"import numbers_of_ours\n",
    "numbers_of_ours.py": b"ONE = 1",
    "tests/test_exact.py": b"import evaluators",
    "README.md": b"# Helpdesk",
    "drawbridge.yaml": b"version: 1",
}


def config(**evaluation: object) -> Config:
    """Return the sample's config with an evaluator of the repository's own, and other keys of its evaluation."""
    wire = samples.wire_config()
    wire["evaluation"]["evaluators"]["exact"] = {"use": "evaluators.exact:score", "columns": {}}
    wire["evaluation"].update(evaluation)
    return Config.model_validate(wire)


def fingerprint(files: dict[str, bytes], rules: Config | None = None, links: dict[str, str] | None = None) -> str:
    listed = [
        python_file(path, hashlib.sha256(content).hexdigest(), content)
        if path.endswith(".py")
        else File(path, hashlib.sha256(content).hexdigest())
        for path, content in files.items()
    ]
    return of_full_evaluation(rules or config(), [*listed, *(link(*one) for one in (links or {}).items())])


@pytest.mark.parametrize(
    "path",
    [
        "flows/chat/flow.dag.yaml",
        "flows/chat/answer.py",
        "data/full.jsonl",
        "evaluators/exact.py",
        "evaluators/words.txt",
        "shared/words.py",
        "numbers_of_ours.py",
    ],
)
def test_a_change_to_what_is_evaluated_or_evaluates_counts(path: str) -> None:
    """The flow, the dataset, the evaluators' code, and what either imports of the repository."""
    assert fingerprint({**REPOSITORY, path: b"# another"}) != fingerprint(REPOSITORY)


@pytest.mark.parametrize(
    "path", ["README.md", "drawbridge.yaml", "data/minimal.jsonl", "flows/other/flow.dag.yaml", "tests/test_exact.py"]
)
def test_a_change_elsewhere_does_not_count(path: str) -> None:
    """Another flow, the small dataset, tests, words."""
    assert fingerprint({**REPOSITORY, path: b"# another"}) == fingerprint(REPOSITORY)


def test_a_new_file_beside_an_evaluator_counts() -> None:
    """The evaluator may read it."""
    assert fingerprint({**REPOSITORY, "evaluators/more.txt": b""}) != fingerprint(REPOSITORY)


def test_a_renamed_file_counts() -> None:
    """Its content stays, its meaning may not."""
    moved = {path.replace("words.txt", "terms.txt"): content for path, content in REPOSITORY.items()}

    assert fingerprint(moved) != fingerprint(REPOSITORY)


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": {"question": "${data.other}"}},
        {"seed": 1},
        {"full": {"data": "data/full.jsonl", "gates": ["f1 >= 0.9"]}},
    ],
)
def test_other_rules_count(changed: dict[str, object]) -> None:
    """Columns, the order of the rows, and what the rows must show."""
    assert fingerprint(REPOSITORY, config(**changed)) != fingerprint(REPOSITORY)


def test_how_it_is_run_does_not_count() -> None:
    """More shards or workers come to the same result."""
    shards = {"full": {"data": "data/full.jsonl", "gates": samples.wire_config()["evaluation"]["full"]["gates"]}}

    assert fingerprint(REPOSITORY, config(**shards, workers=4)) == fingerprint(REPOSITORY)


def test_what_a_link_leads_to_counts() -> None:
    """An evaluator's package may be a link to where it really lies."""
    links = {"evaluators/lists": "../lists"}
    before = fingerprint({**REPOSITORY, "lists/a.txt": b"a"}, links=links)

    assert fingerprint({**REPOSITORY, "lists/a.txt": b"b"}, links=links) != before


def test_code_that_cannot_be_read_is_no_error() -> None:
    """Evaluating it says so; here it is a file like others. A circle of imports ends as well."""
    broken = {**REPOSITORY, "evaluators/exact.py": b"def (", "shared/words.py": b"import shared\n"}

    assert fingerprint(broken) != fingerprint(REPOSITORY)
