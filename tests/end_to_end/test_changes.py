"""Changes through real processes: validated, merged or refused, and superseded while they run."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import changes
from domain.git_flow import change_id
from domain.models import ChangeRequest
from tests.end_to_end.conftest import CONFIG, LONG, REPOSITORY, System, newest

pytestmark = pytest.mark.timeout(LONG)

CAREFUL = CONFIG.replace("  sample: data", "  required_checks: [unit tests]\n  sample: data")
SLOW = CONFIG.replace('"python -m compileall -q flows"', '"sleep 60"')


def opened(system: System, branch: str, files: dict[str, str | None]) -> dict[str, Any]:
    """Let alex open a change to develop, which merges what passed."""
    if "develop" not in system.github.repository(REPOSITORY)["heads"]:
        system.github.push(REPOSITORY, "develop", {"drawbridge.yaml": f"{CONFIG}merge: {{auto: true}}\n"})
    system.github.push(REPOSITORY, branch, files, "Change", author="alex", base="develop")
    return dict(system.github.open_pull_request(REPOSITORY, branch, "Change", author="alex", base="develop"))


def headline(system: System, number: int, words: str) -> dict[str, Any]:
    """Wait until the one comment on a change says this, and return the change then."""

    def told() -> dict[str, Any] | None:
        pull = system.github.pull(REPOSITORY, number)
        return pull if any(words in comment["body"] for comment in pull["comments"]) else None

    return dict(system.wait(f"{words!r} on #{number}", told))


def test_feature_is_merged_by_itself_and_a_wrong_name_is_corrected(system: System) -> None:
    """Each has one comment and one status."""
    good = opened(system, "alex/1-hello", {"README.md": "hello"})
    wrong = opened(system, "Fix-Login-42", {"login.md": "hello"})

    pull = headline(system, good["number"], "merged")
    refused = headline(system, wrong["number"], "`alex/42-fix-login`")

    assert (pull["merged"], len(pull["comments"])) == (True, 1)
    assert newest(pull["statuses"])["drawbridge/change"] == "success"
    assert (refused["merged"], len(refused["comments"])) == (False, 1)
    system.wait(
        "the red status",
        lambda: (
            newest(system.github.pull(REPOSITORY, wrong["number"])["statuses"]).get("drawbridge/change") == "failure"
        ),
    )


def test_push_during_a_validation_supersedes_it(system: System) -> None:
    """The slow command of the older head is ended, and the newer head is validated and merged."""
    pull = opened(system, "alex/1-slow", {"drawbridge.yaml": SLOW})
    old = pull["head"]["sha"]
    headline(system, pull["number"], f"`{old[:7]}` – being validated")

    new = system.github.push(
        REPOSITORY, "alex/1-slow", {"drawbridge.yaml": f"{CONFIG}merge: {{auto: true}}\n"}, author="alex"
    )

    headline(system, pull["number"], f"`{new[:7]}` – passed")
    system.wait(
        "the older head's status",
        lambda: (
            f"superseded by {new[:7]}"
            in str([one["description"] for one in system.github.commit(REPOSITORY, old)["statuses"]])
        ),
    )
    instance = change_id(ChangeRequest(REPOSITORY, pull["number"], old, ""))
    assert system.blobs.exists(f"releases/{instance}/validation.json.cancelled")


def test_change_waits_for_the_check_that_its_config_requires(system: System) -> None:
    """The repository's own CI decides as well; one that failed by accident is run again, and that is all."""
    pull = opened(system, "alex/1-careful", {"drawbridge.yaml": CAREFUL})
    waiting = headline(system, pull["number"], "unit tests")
    system.github.report_check(REPOSITORY, pull["head"]["sha"], "unit tests", "failure")
    headline(system, pull["number"], "starts again by itself")
    system.github.report_check(REPOSITORY, pull["head"]["sha"], "unit tests", "success")

    headline(system, pull["number"], f"`{pull['head']['sha'][:7]}` – passed")
    assert "being validated" in str([one["body"] for one in waiting["comments"]])
    system.wait_for_statuses(pull["number"], {"drawbridge/change": "success"})


def test_merge_queue_gets_our_status_and_what_lands_is_released(system: System) -> None:
    """On its own commit, with the end-to-end run over the sample rows; the change itself says nothing of that."""
    system.github.push(REPOSITORY, "alex/1-queued", {"README.md": "hello"}, author="alex")
    number = system.github.open_pull_request(REPOSITORY, "alex/1-queued", "Hello", author="alex")["number"]
    (group,) = system.github.queue(REPOSITORY, [number], by="sam")

    def told() -> bool:
        statuses = newest(system.github.commit(REPOSITORY, group["head"])["statuses"])
        return statuses.get("drawbridge/change") == "success"

    system.wait("the status of the group", told)
    system.wait_for_statuses(number, {"drawbridge/change": "success"})
    record = changes.find(system.blobs, REPOSITORY, group["head"])
    assert record
    assert [step.name for step in record.steps] == ["validate", "evaluate-syntax"]
    assert group["head"][:7] not in str(system.github.pull(REPOSITORY, number)["comments"])

    system.github.land_queue(REPOSITORY, group["branch"])
    release = system.release_of(number)
    system.wait("the release", lambda: (known := system.record(release)) and known.changes)
    known = system.record(release)
    assert known
    assert [(change.number, change.merged_by) for change in known.changes] == [(number, "sam")]
