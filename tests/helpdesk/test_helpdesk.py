"""The demo's customer: its repository is in order, and its two changes do what the demo says of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devhost.sample_repository import BETTER, ROOT, SAMPLE, WORSE, ProposedChange
from domain.config import read_config
from domain.opt_out import Facts, judge

# Counts the questions whose expected facts all stand in the note that the model would get.
COUNT = """
import json, sys, types
sys.path.insert(0, "flows/chat")
sys.modules["promptflow"] = types.ModuleType("promptflow")  # seconds to import, for one decorator
sys.modules["promptflow.core"] = types.SimpleNamespace(tool=lambda function: function)
import retrieve
rows = [json.loads(line) for line in open("data/full.jsonl", encoding="utf-8")]
notes = [retrieve.retrieve(row["question"]).lower() for row in rows]
print(sum(all(fact.lower() in note for fact in row["facts"]) for row, note in zip(rows, notes)))
"""


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sample repository, in git."""
    copy = tmp_path / "helpdesk"
    shutil.copytree(SAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache"))
    run(copy, "git", "init", "--quiet")
    return copy


def run(directory: Path, *command: str) -> str:
    """Run a command in the checkout; it must succeed."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def apply(checkout: Path, change: ProposedChange) -> None:
    """Make one of the demo's changes."""
    run(checkout, "git", "apply", str(ROOT / "devhost" / "demo_changes" / change.patch))


def test_the_config_is_one_that_drawbridge_takes():
    """The sample's drawbridge.yaml has the environments, approvers and gates that the demo needs."""
    config = read_config((SAMPLE / "drawbridge.yaml").read_text(encoding="utf-8"))

    assert [environment.name for environment in config.environments] == ["dev", "nonprod", "prod"]
    assert [environment.approvals for environment in config.environments[1:]] == [1, 2]
    assert config.environments[2].prevent_self_approval
    assert any("drop" in gate for gate in config.evaluation.minimal.gates)
    assert any("drop" in gate for gate in config.evaluation.full.gates)


@pytest.mark.parametrize("change", [None, BETTER, WORSE], ids=["as it is", "better", "worse"])
def test_the_repository_passes_its_own_checks(checkout, change):
    """Validation finds nothing wrong with any of the three: only an evaluation can tell them apart."""
    if change:
        apply(checkout, change)

    run(checkout, sys.executable, "-m", "ruff", "check", ".")
    run(checkout, sys.executable, "-m", "ruff", "format", "--check", ".")
    assert "passed" in run(checkout, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_the_better_change_finds_more_and_the_worse_one_hides_facts(checkout):
    """What the demo claims about its changes holds for the retrieval alone, without a model."""
    as_it_is = int(run(checkout, sys.executable, "-c", COUNT))
    apply(checkout, BETTER)
    better = int(run(checkout, sys.executable, "-c", COUNT))
    apply(checkout, WORSE)  # the two can be merged one after the other
    worse = int(run(checkout, sys.executable, "-c", COUNT))

    assert (as_it_is, better) == (288, 292)
    assert worse < 50


def test_the_changes_fit_together_in_the_other_order(checkout):
    """A person may merge the worse one first."""
    apply(checkout, WORSE)
    apply(checkout, BETTER)


def test_the_template_names_the_label_of_the_config():
    """Who follows the checklist uses the label that Drawbridge looks for, and opts out by ticking all of it."""
    rule = read_config((SAMPLE / "drawbridge.yaml").read_text(encoding="utf-8")).opt_out
    template = (SAMPLE / ".github" / "pull_request_template.md").read_text(encoding="utf-8")
    ticked = f"{template.replace('[ ]', '[x]').rstrip()} only the guide changed\n"
    untouched, done = (
        judge(rule, Facts(1, rule.label, "sam", "2026-11-22", body, ()), may=True) for body in (template, ticked)
    )

    assert f"`{rule.label}`" in template
    assert untouched.refused.count("not ticked") == 3
    assert (done.refused, done.reason) == ("", "only the guide changed")


def test_the_smaller_datasets_are_part_of_the_full_one():
    """A row means the same wherever it is evaluated."""
    rows = {
        name: {json.loads(line)["id"]: line for line in (SAMPLE / "data" / name).read_text().splitlines()}
        for name in ("full.jsonl", "minimal.jsonl", "sample.jsonl")
    }

    assert rows["minimal.jsonl"].items() <= rows["full.jsonl"].items()
    assert rows["sample.jsonl"].items() <= rows["full.jsonl"].items()
