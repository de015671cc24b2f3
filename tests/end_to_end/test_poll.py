"""A network with no way in: GitHub's deliveries are refused, and everything happens all the same."""

from __future__ import annotations

import requests

from tests.end_to_end.conftest import REPOSITORY, System


def test_without_webhooks_a_merge_is_released_and_an_open_change_validated(system: System) -> None:
    """The delay is the interval; health says where events come from."""
    system.host.kill()
    system.environment |= {"DRAWBRIDGE_GITHUB_EVENTS": "poll", "DRAWBRIDGE_RECONCILE_SECONDS": "1"}
    system.environment |= {"DRAWBRIDGE_DEVELOP_BRANCH": "main"}  # this repository has no other
    system.start_host()
    # Not before the first look: it only remembers.
    system.wait("the first look", lambda: system.blobs.exists("seen/acme.echo.json"))
    number = system.merge({"notes.txt": "merged"}, "Merged")
    system.github.push(REPOSITORY, "alex/7-open", {"notes.txt": "open"}, author="alex")
    change = system.github.open_pull_request(REPOSITORY, "alex/7-open", "Open", author="alex")
    claim = f"claims/change-acme.echo-{change['number']}-{change['head']['sha']}"
    record = system.wait("the release", lambda: system.record(system.release_of(number)))
    system.wait("the validation", lambda: system.blobs.exists(claim))
    health = requests.get(f"{system.url}/api/health", timeout=60).json()
    pushes = [one for one in system.github.deliveries() if one["event"] == "push"]

    assert record.branch == "main"
    assert health["checks"]["events"].startswith("ok: GitHub is polled every 1 s, last at ")
    assert {one["status_code"] for one in pushes[-2:]} == {409}
