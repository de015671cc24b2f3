"""Reading a commit's own rules: what a person must mend is said with file and line, as an answer."""

from __future__ import annotations

import io
import tarfile

import pytest

from activities.read_config import config_of
from adapters.blobs import Blobs
from domain import blob_names
from domain.config import Config
from domain.errors import NotFound

SNAPSHOT = "5" * 64
GOOD = """
version: 1
target: {promptflow: flows/chat}
validate: {sample: data/sample.jsonl}
evaluation:
  columns: {question: "${data.question}"}
  evaluators: {exact: {use: "scores:exact", columns: {answer: "${target.answer}"}}}
  minimal: {data: data/minimal.jsonl, gates: ["exact >= 0.5"]}
  full: {data: data/full.jsonl, gates: ["exact >= 0.5"]}
environments:
  - {name: dev}
"""


def store(blobs: Blobs, name: str = "drawbridge.yaml", content: bytes = GOOD.encode()) -> None:
    """Store a snapshot with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    blobs.write(blob_names.snapshot(SNAPSHOT), packed.getvalue())


def test_config_travels_as_plain_data(blobs: Blobs) -> None:
    """What the orchestration gets can be read back whole."""
    store(blobs)

    found = config_of(SNAPSHOT, "main", blobs)

    config = Config.model_validate(found["config"])
    assert [environment.name for environment in config.environments] == ["dev"]
    assert config.evaluation.minimal.gates == ["exact >= 0.5"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "drawbridge.yaml is not UTF-8 text."),
        (GOOD.replace("version: 1", "version: 2").encode(), "drawbridge.yaml:2"),
        (GOOD.replace("evaluation:", "evaluations:").encode(), "drawbridge.yaml:5"),
        (b"", "drawbridge.yaml:1"),
        (b"[1, 2]", "drawbridge.yaml"),
        (b"{", "drawbridge.yaml"),
        (b"a: &a [*a]", "drawbridge.yaml"),
        (b"!!python/object/apply:os.system ['touch pwned']", "drawbridge.yaml"),
    ],
)
def test_config_that_cannot_be_used_is_an_answer(blobs: Blobs, content: bytes, problem: str) -> None:
    """It names the file, and the line where there is one."""
    store(blobs, content=content)

    assert problem in config_of(SNAPSHOT, "main", blobs)["error"]


def test_repository_without_a_config_is_shown_where_to_begin(blobs: Blobs) -> None:
    """A file of this name somewhere else does not count."""
    store(blobs, "docs/drawbridge.yaml")

    error = config_of(SNAPSHOT, "main", blobs)["error"]

    assert error.startswith("The repository has no drawbridge.yaml at its top.")
    assert "docs/configuration.md" in error


def test_config_of_another_release_branch_is_refused(blobs: Blobs) -> None:
    """Otherwise the app would release what the config does not mean to."""
    store(blobs, content=GOOD.encode() + b"branches: {main: trunk}\n")

    error = config_of(SNAPSHOT, "main", blobs)["error"]

    assert error == (
        "drawbridge.yaml releases branch trunk, and this app releases main of this repository: correct `branches` "
        "there, or put owner/name=trunk into the app's setting DRAWBRIDGE_RELEASE_BRANCH."
    )


def test_evaluation_outside_of_releases_has_no_branch_to_check(blobs: Blobs) -> None:
    """It releases nothing."""
    store(blobs, content=GOOD.encode() + b"branches: {main: trunk}\n")

    assert "config" in config_of(SNAPSHOT, "", blobs)


def test_snapshot_that_is_gone_is_an_error(blobs: Blobs) -> None:
    """That is nothing a person could mend in the config."""
    with pytest.raises(NotFound, match="there is no blob snapshots/"):
        config_of(SNAPSHOT, "main", blobs)
