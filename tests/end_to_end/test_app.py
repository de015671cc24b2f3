"""Signed in as a GitHub App, through real processes: check runs instead of statuses, and the buttons on them."""

from __future__ import annotations

from typing import Any

import pytest

from domain import blob_names
from domain.messages_github import EVALUATE_FULLY
from tests.end_to_end.conftest import CONFIG, LONG, REPOSITORY, System

pytestmark = pytest.mark.timeout(LONG)

BROKEN = CONFIG.replace("python -m compileall -q flows", "python broken.py")


def wait_for_check(system: System, ref: str, name: str, conclusion: str, after: int = 0) -> dict[str, Any]:
    """Wait until a commit's newest check run of a name, and newer than the one with the id `after`, has ended so."""

    def ended() -> dict[str, Any] | None:
        system.deliver()
        runs = system.github.commit(REPOSITORY, ref)["check_runs"]
        found = next((run for run in runs if run["name"] == f"drawbridge/{name}" and run["id"] > after), None)
        return found if found and found["conclusion"] == conclusion else None

    return dict(system.wait(f"the check {name} of {ref[:7]}: {conclusion}", ended))


def wait_for_words(system: System, sha: str, words: str) -> None:
    """Wait for words in the comments on a commit."""
    system.wait(
        f"{words!r} on {sha[:7]}",
        lambda: words in str([one["body"] for one in system.github.commit(REPOSITORY, sha)["commit_comments"]]),
    )


def test_button_evaluates_fully_for_who_may_write(app_system: System) -> None:
    """Who may not is told so, and keeps nobody else from pressing. What was owed is paid by it."""
    number = app_system.merge_without_full_evaluation({"README.md": "hello"}, "Say hello")
    release = app_system.release_of(number)
    sha = release.rpartition("-")[2]
    app_system.wait_for_link(number, "maria", "prod")
    skipped = wait_for_check(app_system, sha, "evaluate-full", "action_required")
    evaluation = f"on-demand-acme.echo-{sha}-full-check{skipped['id']}"
    record = blob_names.evaluation_record(evaluation)
    assert [action["identifier"] for action in skipped["actions"]] == [EVALUATE_FULLY.identifier]

    app_system.github.press(REPOSITORY, skipped["id"], EVALUATE_FULLY.identifier, by="stranger")
    refused = "@stranger, an evaluation is started by people who can write"
    wait_for_words(app_system, sha, refused)
    assert not app_system.blobs.exists(record)

    app_system.github.press(REPOSITORY, skipped["id"], EVALUATE_FULLY.identifier, by="sam")
    app_system.wait("the payment", lambda: (debt := app_system.debt(release)) and debt.state == "paid")
    asked = wait_for_check(app_system, sha, "evaluate-full-on-demand", "success")
    paid = wait_for_check(app_system, sha, "evaluate-full", "success")
    assert asked["external_id"] == evaluation
    assert all("**Full evaluation: passed**" in run["output"]["summary"] for run in (asked, paid))
    assert paid["actions"] == []
    check_what_is_shown(app_system, sha)


def check_what_is_shown(system: System, sha: str) -> None:
    """Hold what hangs on a released commit to what people do with it: read it, and follow it to our pages."""
    shown = system.github.commit(REPOSITORY, sha)
    maria = system.sign_in("maria")
    pages = {run["name"]: maria.open(run["details_url"]) for run in shown["check_runs"]}
    (dev,) = shown["deployments"]
    deployed = next(one for one in dev["statuses"] if one["state"] == "success")

    assert shown["statuses"] == []
    assert {"drawbridge/validate", "drawbridge/evaluate-minimal", "drawbridge/build"} <= set(pages)
    assert all(run["details_url"].startswith(system.url) for run in shown["check_runs"])
    assert {page.status_code for page in pages.values()} == {200}
    assert all("**" in run["output"]["summary"] for run in shown["check_runs"])
    assert dev["environment"] == "dev"
    assert maria.open(f"{deployed['environment_url']}/health").ok
    assert maria.open(deployed["log_url"]).ok


def test_run_again_validates_once_more(app_system: System) -> None:
    """For one check and for all of them; told twice it runs once, and its check run ends anew."""
    app_system.github.push(REPOSITORY, "alex/1-flaky", {"drawbridge.yaml": BROKEN}, author="alex")
    pull = app_system.github.open_pull_request(REPOSITORY, "alex/1-flaky", "Flaky", author="alex")
    sha = pull["head"]["sha"]
    first = wait_for_check(app_system, sha, "change", "failure")
    attempts = [first["external_id"], f"{first['external_id']}.2", f"{first['external_id']}.3"]

    app_system.github.rerequest(REPOSITORY, first["id"], by="alex")
    app_system.github.rerequest(REPOSITORY, first["id"], by="sam")
    second = wait_for_check(app_system, sha, "change", "failure", after=first["id"])
    app_system.github.rerequest_all(REPOSITORY, second["check_suite"]["id"], by="sam")
    third = wait_for_check(app_system, sha, "change", "failure", after=second["id"])

    ran = {name.split("/")[1] for name in app_system.blobs.names(f"releases/{first['external_id']}")}
    assert [run["external_id"] for run in (first, second, third)] == attempts
    assert ran == set(attempts)
    assert "**Needed:** @alex mends it" in third["output"]["summary"]
    assert sha[:7] in app_system.sign_in("alex").open(third["details_url"]).text
    assert len(app_system.github.pull(REPOSITORY, pull["number"])["comments"]) == 1
