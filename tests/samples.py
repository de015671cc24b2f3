"""Domain objects for tests: one complete, plausible release to change what a test is about."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from domain import timeline
from domain.config import read_config
from domain.models import (
    Change,
    Commit,
    Deployment,
    EvaluationSummary,
    GateResult,
    Image,
    Metric,
    Origin,
    ReleaseRecord,
    ReleaseRequest,
    Verdict,
)

SHA = "c0ffee" + "0" * 34
REPOSITORY = "acme/helpdesk"
RELEASE = f"release-acme.helpdesk-{SHA}"
IMAGE = Image("sha256:" + "ab" * 32, "images/abab")

FLOW = """
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${answer.output}"}
nodes:
- name: answer
  type: python
  source: {type: code, path: answer.py}
  inputs: {question: "${inputs.question}"}
"""

CONFIG = read_config(
    """
version: 1
target: {promptflow: flows/chat}
validate: {commands: ["pytest -q"], sample: data/sample.jsonl}
evaluation:
  columns: {question: "${data.question}"}
  evaluators:
    f1:
      use: azure.ai.evaluation.F1ScoreEvaluator
      columns: {response: "${target.answer}", ground_truth: "${data.answer}"}
  minimal: {data: data/minimal.jsonl, gates: ["f1 >= 0.45", "errors <= 0.02"]}
  full: {data: data/full.jsonl, shards: 3, gates: ["f1 >= 0.45", "f1 drop <= 0.05"]}
environments:
  - {name: dev, watch: 10s}
  - {name: nonprod, approvers: ["@maria", "@jonas"], watch: 10s}
  - {name: prod, approvers: ["@maria", "@jonas", "@priya"], approvals: 2, prevent_self_approval: true, watch: 10s}
"""
)


def request(**fields: Any) -> ReleaseRequest:
    """Return a push of SHA to main."""
    known = ReleaseRequest(REPOSITORY, SHA, "b" * 40, "main", "sam", "11111111-2222-3333-4444-555555555555")
    return replace(known, **fields)


def record(**fields: Any) -> ReleaseRecord:
    """Return the release of SHA, its stages laid out and none of them run."""
    opened = timeline.open_record(RELEASE, request(), "2026-11-23T09:00:00Z")
    return replace(timeline.plan_stages(timeline.know_origin(opened, origin()), CONFIG), **fields)


def origin(**fields: Any) -> Origin:
    """Return where SHA comes from: one change, by alex."""
    commit = Commit(REPOSITORY, SHA, "alex", "Answer in whole sentences", "2026-11-23T08:59:00Z", "https://github/c")
    change = Change(7, "Answer in whole sentences", "alex", "sam", "2026-11-23T08:59:00Z", (), "https://github/7")
    return replace(Origin(commit, (change,), ()), **fields)


def summary(kind: str = "minimal", verdict: Verdict = Verdict.PASSED, **fields: Any) -> EvaluationSummary:
    """Return an evaluation of SHA with one metric and one gate."""
    known = EvaluationSummary(
        id=f"{RELEASE}.{kind}",
        kind=kind,
        repository=REPOSITORY,
        commit=SHA,
        dataset=f"data/{kind}.jsonl",
        fingerprint="f" * 64,
        rows=30,
        scored=30,
        errored=0,
        metrics=(Metric("f1", 30, 0.61, 0.55, 0.67),),
        gates=(GateResult("f1 >= 0.45", verdict, "0.61 over 30 rows"),),
        verdict=verdict,
        latency_p50=0.4,
        latency_p95=0.9,
        tokens=4200,
        seconds=12.5,
        finished_at="2026-11-23T09:01:00Z",
    )
    return replace(known, **fields)


def deployment(environment: str, **fields: Any) -> Deployment:
    """Return IMAGE running in an environment."""
    known = Deployment(environment, RELEASE, IMAGE, "http://127.0.0.1:8081", "2026-11-23T09:02:00Z", None)
    return replace(known, **fields)


def wire(value: Any) -> dict[str, Any]:
    """Return a dataclass as it crosses process boundaries."""
    return asdict(value)


def wire_config() -> dict[str, Any]:
    """Return CONFIG as it crosses process boundaries."""
    return CONFIG.model_dump(mode="json", by_alias=True)
