"""Evaluations outside of releases through real processes: after a push, on a comment, for a script, at night."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from adapters import debts
from domain import blob_names
from domain.git_flow import nightly_id, release_id
from domain.models import Debt, OptOut
from domain.nightly import HEAD
from tests.end_to_end.conftest import BAD, CONFIG, GOOD, LONG, REPOSITORY, System, newest

pytestmark = pytest.mark.timeout(LONG)

NIGHTLY = f"{CONFIG}schedule: {{nightly: true}}\n"


def statuses(system: System, sha: str) -> dict[str, str]:
    return newest(system.github.commit(REPOSITORY, sha)["statuses"])


def comment_with(system: System, number: int, words: str) -> str:
    """Wait for a comment on a change and return it."""

    def told() -> str | None:
        comments = [str(comment["body"]) for comment in system.github.pull(REPOSITORY, number)["comments"]]
        return next((body for body in comments if words in body), None)

    return str(system.wait(f"a comment with {words!r}", told))


def night(system: System, date: str = "") -> dict[str, Any]:
    """Let the timer come round, or start the night of a date as an operator does; wait until it is over."""
    before = set(system.blobs.names(blob_names.nights(REPOSITORY)))
    if date:
        work = {"repository": REPOSITORY, "date": date, "branch": "main"}
        path = f"runtime/webhooks/durabletask/orchestrators/nightly/{nightly_id(REPOSITORY, date)}"
        requests.post(f"{system.url}/{path}", json=work, timeout=30).raise_for_status()
    else:
        system.call_night()

    def over() -> dict[str, Any] | None:
        names = [name for name in system.blobs.names(blob_names.nights(REPOSITORY)) if name not in before]
        kept = system.blobs.read_json(names[0]) if names else None
        return kept if kept and kept["ended_at"] else None

    return dict(system.wait("the end of the night", over))


def test_push_a_comment_and_a_script_each_get_an_evaluation(system: System) -> None:
    """A push to develop is evaluated minimally; people with write access ask for more; all of them see it."""
    pushed = system.github.push(REPOSITORY, "develop", {"README.md": "hello"}, "Say hello", author="alex")
    system.wait(
        "the evaluation of the push",
        lambda: statuses(system, pushed).get("drawbridge/evaluate-minimal") == "success",
    )

    system.github.push(REPOSITORY, "alex/1-better", {"more.md": "x"}, "More", author="alex", base="develop")
    change = system.github.open_pull_request(REPOSITORY, "alex/1-better", "More", author="alex", base="develop")
    system.github.comment(REPOSITORY, change["number"], "/evaluate full", by="alex")
    system.github.comment(REPOSITORY, change["number"], "> /evaluate minimal", by="alex")
    system.github.comment(REPOSITORY, change["number"], "/evaluate minimal", by="stranger")
    assert "/api/evaluations/on-demand-" in comment_with(system, change["number"], "runs now")
    comment_with(system, change["number"], "**Full evaluation: passed**")
    comment_with(system, change["number"], "@stranger, an evaluation is started by people who can write")

    wanted = {"repository": REPOSITORY, "kind": "minimal", "ref": "main"}
    answer = system.sign_in("maria").call("/api/evaluations", wanted)
    assert answer.status_code == 202, answer.text
    record = blob_names.evaluation_record(answer.json()["evaluation"])
    system.wait("the script's evaluation", lambda: system.blobs.read_json(record)["state"] == "passed")


def test_night_pays_what_is_owed_and_says_what_got_worse_until_it_is_gone(system: System) -> None:
    """One issue, opened, kept and closed; a night without changes evaluates nothing."""
    main = system.github.push(REPOSITORY, "main", {"drawbridge.yaml": NIGHTLY}, "Ask for nights")
    change = system.merge({"README.md": "hello"}, "Say hello")
    owed = debt(change, main)
    debts.record(system.blobs, owed)

    good = night(system)

    assert [(payment["state"], payment["release"]) for payment in good["payments"]] == [("paid", owed.release)]
    assert debts.find(system.blobs, REPOSITORY, main).state == "paid"  # type: ignore[union-attr]
    comment_with(system, change, "has been made up for, and passed")
    (head,) = (seen for seen in good["targets"] if seen["name"] == HEAD)
    assert (head["verdict"], head["worse"]) == ("passed", [])

    system.github.push(REPOSITORY, "main", {"flows/echo/echo.py": BAD}, "Answer differently")
    bad = night(system, "2030-01-02")
    same = night(system, "2030-01-03")
    issue = system.wait("the issue", lambda: issue_of(system, "open"))
    assert [night["targets"][0]["since"] for night in (bad, same)] == ["2030-01-02", "2030-01-02"]
    assert bad["targets"][0]["evaluation"] == same["targets"][0]["evaluation"]
    assert "exact fell by" in issue["body"]

    system.github.push(REPOSITORY, "main", {"flows/echo/echo.py": GOOD}, "Answer as before")
    night(system, "2030-01-04")
    closed = system.wait("the issue to be closed", lambda: issue_of(system, "closed"))
    assert closed["number"] == issue["number"]


def debt(change: int, sha: str) -> Debt:
    """Return what a release of a commit owes for a change that opted out."""
    opt_out = OptOut("skip-e2e-evaluation", change, "alex", "2026-11-20T09:00:00Z")
    at, expires = "2026-11-20T09:00:00Z", "2036-11-27T09:00:00Z"
    return Debt(REPOSITORY, release_id(REPOSITORY, sha), sha, (opt_out,), "the full evaluation", at, expires)


def issue_of(system: System, state: str) -> dict[str, Any] | None:
    """Return the issue about the main branch, once it is in a state."""
    token = {"Authorization": "Bearer t0ken"}
    address = f"{system.github.origin}/repos/{REPOSITORY}/issues"
    issues = requests.get(address, params={"state": state}, headers=token, timeout=30).json()
    return next((dict(issue) for issue in issues if "got worse" in issue["title"]), None)
