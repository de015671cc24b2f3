"""An opted-out release through real processes: production waits for the night that pays its debt."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import audit
from devhost.person import heading
from domain import blob_names
from tests.end_to_end.conftest import LONG, OPT_OUT_LABEL, REPOSITORY, System
from tests.fakes import audited

pytestmark = pytest.mark.timeout(LONG)


def wait_for_round(system: System, release: str, number: int) -> dict[str, Any]:
    """Wait until the approvers of production are asked for the n-th time; return the request."""

    def asked() -> dict[str, Any] | None:
        request = system.blobs.read_json(blob_names.approval_request(release, "prod"))
        return request if request and request["round"] == number else None

    return dict(system.wait(f"round {number} of {release}", asked))


def wait_for_another_link(system: System, number: int, old: str) -> str:
    """Wait until new evidence has brought Maria a new link."""

    def link() -> str:
        found = system.wait_for_link(number, "maria", "prod")
        return "" if found == old else found

    return str(system.wait("a new link", link))


def test_night_pays_the_debt_and_what_was_voted_before_is_void(system: System) -> None:
    """A vote that waives the debt counts for nothing once it is paid; the audit log has both rounds, and is whole."""
    number = system.merge_without_full_evaluation({"README.md": "hello"}, "Say hello")
    release = system.release_of(number)
    old = system.wait_for_link(number, "maria", "prod")
    maria = system.sign_in("maria")
    refused = maria.send(maria.read_form(old), decision="approve", comment="fine")
    waived = maria.send(maria.read_form(old), decision="approve", comment="only words", waives="yes")
    first = wait_for_round(system, release, 1)

    system.call_night()
    second = wait_for_round(system, release, 2)
    link = wait_for_another_link(system, number, old)
    stale = maria.open(old)
    assert maria.vote(link, "approve", "the night says so too") == "Recorded"
    assert system.vote(number, "jonas", "prod", "approve") == "Recorded"
    record = system.wait_for_end(release)

    assert (refused.status_code, "waive" in refused.text.casefold()) == (409, True)
    assert heading(waived.text) == "Recorded"
    assert "full evaluation" in stale.text
    assert "void" in stale.text
    assert record.outcome == "released", record.reason
    assert record.debt is not None
    assert record.debt.state == "paid"
    assert record.debt.opt_outs[0].reason == "documentation only"
    prod = next(one for one in record.deployments if one.environment == "prod")
    assert record.debt.settled_at <= prod.deployed_at
    assert {(vote.approver, vote.waives) for vote in record.votes["prod"]} == {("maria", False), ("jonas", False)}
    said = [(one["what"], one["who"], one["evidence"]) for one in audited(system.blobs) if one["what"] == "vote"]
    who = {login: f"{login}@acme.example" for login in ("maria", "jonas")}
    assert said[0] == ("vote", who["maria"], first["digest"])
    assert {(by, on) for _, by, on in said[1:]} == {(who["maria"], second["digest"]), (who["jonas"], second["digest"])}
    assert "debt-paid" in {one["what"] for one in audited(system.blobs)}
    pull = system.wait_for_verdict(number, "released")
    skipped = [one for one in pull["statuses"] if one["context"] == "drawbridge/evaluate-full"]
    assert not any(one["state"] == "success" and "skipped" in one["description"] for one in skipped)

    assert audit.verify(system.blobs).problems == ()
    file = min(name for name in system.blobs.names(blob_names.AUDIT) if name.endswith(".jsonl"))
    before = system.blobs.read(file) or b""
    system.blobs.write(file, before.replace(b"only words", b"more words"))
    assert any("altered" in problem for problem in audit.verify(system.blobs).problems)


def test_label_that_is_taken_off_after_the_merge_brings_the_full_evaluation_back(system: System) -> None:
    """The release pays its own debt, asks again on the new evidence, and the toggle stands in the audit log."""
    number = system.merge_without_full_evaluation({"README.md": "hello"}, "Say hello")
    release = system.release_of(number)
    old = system.wait_for_link(number, "maria", "prod")
    system.github.remove_label(REPOSITORY, number, OPT_OUT_LABEL, by="sam")
    wait_for_another_link(system, number, old)
    system.approve(number)
    record = system.wait_for_end(release)

    assert record.outcome == "released", record.reason
    assert [summary.kind for summary in record.evaluations] == ["minimal", "full"]
    assert record.debt is not None
    assert (record.debt.state, record.debt.settled_by) == ("paid", release)
    # On before the merge, off after it: each is a line of its own.
    assert [one["who"] for one in audited(system.blobs) if one["what"] == "toggle"] == ["alex", "sam"]
