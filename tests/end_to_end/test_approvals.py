"""People decide, through their links, on pages of the running system: who may, on what, once, and what GitHub says."""

from __future__ import annotations

import json
from typing import Any

import requests
from selectolax.lexbor import LexborHTMLParser

from devhost.person import heading
from domain import blob_names
from tests.end_to_end.conftest import System


def words(page: requests.Response) -> str:
    """Return what a person reads on a page."""
    tree = LexborHTMLParser(page.text)
    return " ".join(" ".join(node.text(separator=" ") for node in tree.css("main")).split())


def refusals(system: System) -> list[dict[str, Any]]:
    """Return the refused votes in the host's log."""
    found = [line[line.index("{") :] for line in system.host.log.splitlines() if '"event": "vote"' in line]
    return [line for line in map(json.loads, found) if line["decision"] == "refused"]


def test_rejection_ends_the_release_and_everybody_else_is_kept_out(system: System) -> None:
    """Evidence first; then a stranger, a second vote and a late one are refused; GitHub says who rejected and why."""
    number = system.merge({"README.md": "hello"}, "Say hello")
    link = system.wait_for_link(number, "maria", "prod")
    release = system.release_of(number)
    record = system.record(release)
    assert record is not None
    assert record.image is not None
    maria, jonas, alex = (system.sign_in(login) for login in ("maria", "jonas", "alex"))

    shown = words(maria.open(link))
    evidence = system.blobs.read_json(blob_names.approval_request(release, "prod"))["digest"]
    for part in (
        *(record.commit.sha[:8], "#1 Say hello", "exact", "1.000", "exact >= 0.5"),
        *(record.image.digest, evidence[:12], "2 approvals needed", "May approve: @maria, @jonas."),
    ):
        assert part in shown, part

    form = maria.read_form(link)
    stranger = requests.get(link, timeout=60)
    assert (stranger.status_code, heading(stranger.text)) == (401, "Sign in to continue")
    assert record.image.digest not in stranger.text
    assert alex.open(link).status_code == 403
    assert "this link is for maria" in words(alex.send(form, decision="approve"))

    assert heading(maria.send(form, decision="approve", comment="looks right").text) == "Recorded"
    again = maria.send(form, decision="reject")
    assert again.status_code == 409
    assert "You have voted already" in words(again)
    assert "your vote is recorded. 1 more approval is needed" in words(maria.open(link))

    decided = jonas.vote(system.wait_for_link(number, "jonas", "prod"), "reject", "it shouts <b>at</b> people")
    assert decided == "Recorded"
    ended = system.wait_for_end(release)
    assert ended.outcome == "rejected"
    assert ended.reason == "jonas rejected the deployment to prod: it shouts <b>at</b> people"
    # Votes of one second have no order.
    assert {vote.approver: vote.decision for vote in ended.votes["prod"]} == {"maria": "approve", "jonas": "reject"}

    pull = system.wait_for_verdict(number, "rejected")
    (comment,) = [one["body"] for one in pull["comments"]]
    assert "jonas rejected the deployment to prod: it shouts" in comment
    assert "<b>" not in comment
    assert "- prod: approved by maria – looks right" in comment
    assert "Talk to the approver who rejected it" in comment
    assert "/api/approvals/" not in comment
    system.wait_for_statuses(number, {"drawbridge/approve-prod": "failure"})
    system.wait_for_deployments(number, ["dev"])

    assert "Rejected by @jonas" in words(maria.open(link))
    late = maria.send(form, decision="reject", comment="me too")
    assert late.status_code == 409
    assert [line["status"] for line in refusals(system)] == [403, 409, 409]
    assert {line["link"] for line in refusals(system)} == {f"{release}~prod~0"}
