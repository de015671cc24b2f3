"""What arrives at the edge: bad input is refused with its reason, and one commit has one release, ever."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.end_to_end.conftest import REPOSITORY, SECRET, System

PUSH = {
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": "a" * 40,
    "repository": {"full_name": REPOSITORY},
    "pusher": {"name": "sam"},
}


def deliver(system: System, payload: Any, event: str = "push", **headers: str) -> requests.Response:
    """Send a delivery, signed unless the headers say otherwise."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    known = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": event, "X-GitHub-Delivery": "d-1"}
    url = f"{system.url}/api/github/webhook"
    return requests.post(url, data=body, headers={**known, **headers}, timeout=60)


def claims(system: System, kind: str = "") -> list[str]:
    """Return the names of all claims, or of those of a kind."""
    return system.blobs.names(f"claims/{kind}")


def test_refusals_have_their_status_and_reason_and_store_nothing(system: System) -> None:
    """Wrong signature, too large, not JSON, none of our business, not configured."""
    other = {**PUSH, "repository": {"full_name": "evil/echo"}}
    cases = [
        (deliver(system, PUSH, **{"X-Hub-Signature-256": "sha256=00"}), 401, "missing or does not fit"),
        (deliver(system, PUSH, **{"X-Hub-Signature-256": "sha256=\u00fc"}), 401, "missing or does not fit"),
        (deliver(system, b" " * (25 * 1024 * 1024 + 1)), 413, "larger than 25 MB"),
        (deliver(system, b"{"), 400, "not JSON"),
        (deliver(system, PUSH, event="pull_request"), 400, "lacks what GitHub sends with it"),
        (deliver(system, PUSH, event="star"), 202, "event star starts nothing"),
        (deliver(system, {**PUSH, "ref": "refs/heads/sam/1-x"}), 202, "branch sam/1-x is neither main nor develop"),
        (deliver(system, other), 202, "repository evil/echo is not configured here"),
    ]

    for answer, status, reason in cases:
        assert (answer.status_code, reason in answer.json()["reason"]) == (status, True), answer.text
    assert claims(system) == []
    lines = [line for line in system.host.log.splitlines() if '"event": "webhook"' in line and '"d-1"' in line]
    assert len(lines) == len(cases)


def test_fifty_deliveries_at_once_and_again_after_the_end_start_one_release(system: System) -> None:
    """The commit does not exist, so the release fails soon; it is not started again either."""
    number = system.merge({"drawbridge.yaml": "version: 2\n"}, "Break the config")
    release = system.release_of(number)
    sha = release.rpartition("-")[2]
    with ThreadPoolExecutor(50) as senders:
        answers = list(senders.map(lambda _: deliver(system, {**PUSH, "after": sha}), range(50)))

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["actions"][0]["instance"] for answer in answers} == {release}

    record = system.wait_for_end(release)
    again = deliver(system, {**PUSH, "after": sha})

    assert record.outcome == "failed"
    assert "drawbridge.yaml:1" in record.reason
    assert again.json()["decision"] == "already started"
    assert claims(system, "release") == [f"claims/{release}"]
    started = [line for line in system.host.log.splitlines() if '"decision": "started"' in line and release in line]
    assert len(started) == 1


HOSTILE = "$(touch pwned) `id` '; rm -rf ~ # <script>alert(1)</script> @everyone **bold** | cell"


def test_hostile_title_branch_and_author_do_no_harm_on_the_way(system: System) -> None:
    """They reach commands, evidence, pages and GitHub as text: nothing runs, nothing becomes markup."""
    branch = "alex/$(touch-pwned)-;'\"<b>-`id`"
    system.github.push(REPOSITORY, branch, {"README.md": "x"}, HOSTILE, author="alex")
    number = int(system.github.open_pull_request(REPOSITORY, branch, HOSTILE, author="alex")["number"])
    system.github.merge(REPOSITORY, number, by="sam")
    link = system.wait_for_link(number, "maria", "prod")
    maria = system.sign_in("maria")
    shown = [maria.open(link).text, maria.open(f"/api/releases/{system.release_of(number)}").text]
    comment = system.github.pull(REPOSITORY, number)["comments"][0]["body"]

    record = system.record(system.release_of(number))
    assert record is not None
    assert record.changes[0].title == HOSTILE
    for page in shown:
        assert "touch pwned" in page
        assert "<script>" not in page
        assert "<b>" not in page
    assert "<script>" not in comment
    assert "@everyone" not in comment
    assert [path for path in system.folder.rglob("*") if "pwned" in path.name and "heads" not in str(path)] == []
