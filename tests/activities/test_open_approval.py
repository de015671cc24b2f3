"""Asking: the evidence as it is now, the people of the config, once."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

import settings
from activities.open_approval import open_approval
from adapters import audit, github_origin, records
from domain import approvals, blob_names, debts, timeline
from domain.config import Environment
from domain.errors import Unavailable
from domain.models import ApprovalRequest, Evidence, OptOut, Vote
from domain.wire import read
from tests import samples
from tests.activities.conftest import AT, World, run
from tests.fakes import audited

PROD = {
    "name": "prod",
    "approvers": ["maria", "jonas", "alex"],
    "approvals": 2,
    "prevent_self_approval": True,
    "expires_after": "3d",
}


def ask(world: World, **rules: Any) -> dict[str, Any]:
    """Ask the approvers of prod."""
    environment = Environment.model_validate({**PROD, **rules}).model_dump(mode="json")
    payload = {"record": asdict(world.record), "environment": environment, "instance": "child", "at": AT, "last": True}
    answer: dict[str, Any] = run(open_approval, payload)
    return answer


def asked(world: World, **rules: Any) -> ApprovalRequest:
    """Ask the approvers of prod and return the question."""
    return read(ApprovalRequest, ask(world, **rules)["request"])


def test_request_says_who_decides_until_when(world: World) -> None:
    """All of it comes from the config and the clock of the orchestration."""
    request = asked(world)

    assert (request.approvers, request.approvals, request.instance) == (("maria", "jonas", "alex"), 2, "child")
    assert request.opened_at == AT
    assert request.remind_at == "2026-11-24T21:00:00Z"
    assert request.expires_at == "2026-11-26T09:00:00Z"
    stored = world.blobs.read_json(blob_names.approval_request(request.release, "prod"))
    assert read(ApprovalRequest, stored) == request


def test_evidence_is_what_the_digest_was_taken_of(world: World) -> None:
    """Commit, changes, image, verdicts, opt-outs, where it runs already, and the rules."""
    world.record = replace(
        world.record,
        deployments=(samples.deployment("dev"),),
        opt_outs=(OptOut("skip-e2e-evaluation", 1, "alex", AT),),
    )

    request = asked(world)

    stored = world.blobs.read_json(blob_names.evidence(request.release, "prod"))
    evidence = approvals.check_evidence(stored, request)
    assert evidence == read(Evidence, stored)
    assert approvals.digest(evidence) == request.digest
    assert (evidence.commit, evidence.changes, evidence.image) == (
        world.record.commit,
        world.record.changes,
        world.record.image,
    )
    assert evidence.evaluations == world.record.evaluations
    assert evidence.opt_outs == world.record.opt_outs
    assert [deployment.environment for deployment in evidence.deployments] == ["dev"]
    assert (evidence.approvers, evidence.approvals, evidence.prevent_self_approval) == (request.approvers, 2, True)


def test_asked_twice_it_is_the_same_question(world: World) -> None:
    """An activity that runs again must not take the links from under anybody."""
    first, second = asked(world), asked(world)

    assert first == second


def test_links_derive_from_randomness_that_nobody_shares(world: World) -> None:
    """Long, different for each person and each question."""
    nonces = [*asked(world).nonces, *asked(world, name="nonprod").nonces]

    assert len(set(nonces)) == 6
    assert min(len(nonce) for nonce in nonces) >= 32


def test_stored_question_gives_nobody_a_link(world: World) -> None:
    """The secret behind the links is not in storage."""
    request = asked(world)

    stored = json.dumps([world.blobs.read_json(name) for name in world.blobs.names("releases/")])
    for number in range(3):
        assert approvals.link_token(request, number, world.settings.link_secret).rpartition("~")[2] not in stored
    assert world.settings.link_secret not in stored


def test_authors_are_excluded_only_where_the_config_bars_them(world: World) -> None:
    """Everybody who wrote something in the release."""
    assert world.record.authors == ("alex",)
    assert asked(world).excluded == ("alex",)
    assert asked(world, name="nonprod", prevent_self_approval=False).excluded == ()


def test_question_nobody_could_answer_is_not_asked(world: World) -> None:
    """The release ends at once and says what to mend, instead of waiting for days."""
    answer = ask(world, approvals=3)

    assert answer == {
        "error": "prod needs 3 approvals, and without those who wrote or merged it (alex) there are too few approvers "
        "(several logins of one person count once): add approvers in drawbridge.yaml."
    }
    assert world.blobs.names("releases/") == []


def test_two_logins_of_one_person_are_one_approver(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second approval that nobody can give."""
    people = {"maria": "maria@acme.example", "maria-ops": "maria@acme.example"}
    monkeypatch.setenv("DRAWBRIDGE_PEOPLE", json.dumps(people))
    settings.current.cache_clear()

    answer = ask(world, approvers=["maria", "maria-ops"], prevent_self_approval=False)

    assert answer == {
        "error": "prod needs 2 approvals, and there are too few approvers (several logins of one person count once): "
        "add approvers in drawbridge.yaml."
    }
    assert "request" in ask(world, approvers=["maria", "maria-ops", "jonas"])


def test_release_without_an_image_has_nothing_to_approve(world: World) -> None:
    """The orchestration never asks before the build; if it did, nobody may be asked about nothing."""
    world.record = replace(world.record, image=None)

    with pytest.raises(ValueError, match="has no image to approve"):
        ask(world)


def test_new_evidence_is_a_new_round_and_voids_the_votes_on_the_old_one(world: World) -> None:
    """The old door is shut, its votes stay where they are, and who gave them is told."""
    first = asked(world)
    vote = Vote("maria", "maria@acme.example", "approve", "", first.digest, AT)
    world.blobs.create_json(blob_names.vote(first.release, "prod", 1, vote.principal), asdict(vote))
    world.record = timeline.add_evaluation(world.record, samples.summary("full"))

    answer = ask(world)

    second = read(ApprovalRequest, answer["request"])
    assert answer["voided"] == ["maria"]
    assert (second.round, second.digest != first.digest) == (2, True)
    assert not set(second.nonces) & set(first.nonces)
    door = world.blobs.read_json(blob_names.approval_outcome(first.release, "prod", 1))
    assert door == {"decision": "replaced", "round": 2}
    assert records.read_votes(world.blobs, second) == []
    assert world.blobs.read_json(blob_names.evidence(first.release, "prod", 1))["evaluations"] != []
    again = ask(world)
    assert (again["request"]["round"], again["voided"]) == (2, [])


def test_new_evidence_is_recorded_also_by_the_run_that_comes_after_a_failed_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored already is not asked anew, so what made votes void has to stand in the audit log by then."""
    first = asked(world)
    vote = Vote("maria", "maria@acme.example", "approve", "", first.digest, AT)
    world.blobs.create_json(blob_names.vote(first.release, "prod", 1, vote.principal), asdict(vote))
    world.record = timeline.add_evaluation(world.record, samples.summary("full"))
    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", fail)
        assert "retry_after" in ask(world)

    second = asked(world)

    (trace,) = audited(world.blobs, "new-evidence")
    assert (trace["evidence"], trace["details"]["void"]) == (second.digest, "maria")


def fail(*_: Any, **__: Any) -> None:
    raise Unavailable("storage is away")


def test_same_evidence_keeps_the_links_and_only_changes_who_waits(world: World) -> None:
    """A release that asks again without news must not take the links from under anybody."""
    first = asked(world)
    environment = Environment.model_validate(PROD).model_dump(mode="json")
    order = {"record": asdict(world.record), "environment": environment, "at": AT, "last": True}

    second = read(ApprovalRequest, run(open_approval, {**order, "instance": "child.2"})["request"])

    assert second == replace(first, instance="child.2")
    stored = world.blobs.read_json(blob_names.approval_request(first.release, "prod"))
    assert read(ApprovalRequest, stored).instance == "child.2"


def test_open_debt_is_asked_about_only_on_the_way_to_production(world: World) -> None:
    """An approval of production is then only taken together with a waiver."""
    world.record = replace(world.record, debt=debts.incur(world.record, samples.CONFIG, AT))
    environment = Environment.model_validate({**PROD, "name": "nonprod"}).model_dump(mode="json")
    payload = {"record": asdict(world.record), "environment": environment, "instance": "child", "at": AT, "last": False}

    assert asked(world).debt_open
    assert not run(open_approval, payload)["request"]["debt_open"]


def test_members_of_a_team_are_asked_one_by_one(world: World) -> None:
    """Each has a link of their own; the question remembers through which team they may vote."""
    world.double.set_team("acme", "release-managers", ["maria", "priya"])

    request = asked(world, approvers=["jonas", "acme/release-managers"], prevent_self_approval=False)

    assert request.approvers == ("jonas", "maria", "priya")
    assert request.groups == {"maria": "acme/release-managers", "priya": "acme/release-managers"}


def test_team_that_does_not_exist_ends_the_release_in_words(world: World) -> None:
    """Nobody waits for people who are not there."""
    answer = ask(world, approvers=["jonas", "acme/nobody-here"])

    assert answer["error"].startswith(
        "Team @acme/nobody-here does not exist or our token may not see it: correct the name in drawbridge.yaml, or "
        "give the App the organization's permission Members: read, a token the scope read:org."
    )


def test_entra_group_is_one_approver_whose_people_nobody_knows_here(world: World) -> None:
    """Its link is for everybody in the group, so two approvals can come through it."""
    group = "entra:01234567-89ab-cdef-0123-456789abcdef"

    request = asked(world, approvers=[group], prevent_self_approval=False)

    assert (request.approvers, request.approvals) == ((group,), 2)


def test_merger_is_excluded_where_the_config_says_so(world: World) -> None:
    """Sam merged the change."""
    request = asked(world, approvers=["maria", "jonas", "sam"], exclude_merger=True)

    assert request.excluded == ("alex", "sam")


def came_without_a_change(world: World, pusher: str = "jonas") -> None:
    """Let GitHub have named no change when the release began."""
    opened = replace(world.record, authors=(pusher,))
    world.record = timeline.know_origin(opened, samples.origin(commit=world.record.commit, changes=(), direct=1))
    world.blobs.write_json(blob_names.beginning(world.record.id), {"before": "0" * 40})


def test_change_that_github_linked_late_excludes_its_people(world: World) -> None:
    """By the time that anybody is asked GitHub names it: alex wrote it, sam merged it, and the approvers see it."""
    came_without_a_change(world)

    request = asked(world, approvers=["maria", "priya", "alex", "sam"], exclude_merger=True)

    assert request.excluded == ("alex", "sam")
    evidence = world.blobs.read_json(blob_names.evidence(request.release, "prod"))
    assert [change["number"] for change in evidence["changes"]] == [1]


@pytest.mark.parametrize("rule", [{"prevent_self_approval": False, "exclude_merger": True}, {}])
def test_merge_that_github_never_links_is_put_before_nobody_where_its_people_are_barred(
    world: World, rule: dict[str, Any]
) -> None:
    """Whoever merged it, or wrote some of it, could be among those who are asked."""
    came_without_a_change(world)
    world.double.fault(path_regex="/commits/.*/pulls$", answer=[], times=100)

    assert ask(world, **rule) == {
        "error": "prod bars those who wrote or merged a release, and nobody knows who they all are: GitHub does not "
        "name the change of every commit that looks merged there, and who merged it, or the push was too long to be "
        "looked through. Revert it, and bring it again through a pull request."
    }
    assert "request" in ask(world, prevent_self_approval=False)


def test_push_that_is_too_long_is_put_before_nobody_where_its_people_are_barred(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows who merged what nobody looked at."""
    came_without_a_change(world)
    monkeypatch.setattr(github_origin, "COMMITS", 0)

    assert "nobody knows who they all are" in ask(world, exclude_merger=True)["error"]


def test_who_pushed_or_wrote_commits_without_a_change_has_merged_them(world: World) -> None:
    """Nobody else brought them in."""
    sha = world.double.push(world.repository, "main", {"x": "x"}, "By hand", author="priya")
    world.record = replace(world.record, commit=replace(world.record.commit, sha=sha))
    came_without_a_change(world)

    rule = {"approvers": ["maria", "sam", "jonas", "priya"], "prevent_self_approval": False, "exclude_merger": True}
    assert {"jonas", "priya"} <= set(asked(world, **rule).excluded)
    assert asked(world, name="nonprod", prevent_self_approval=False).excluded == ()


def test_change_whose_merger_github_does_not_tell_yet_is_looked_at_again(world: World) -> None:
    """Its history may be behind; without it sam could approve."""
    nameless = replace(world.record.changes[0], merged_by="")
    world.record = replace(world.record, changes=(nameless,))
    world.blobs.write_json(blob_names.beginning(world.record.id), {"before": "0" * 40})

    assert asked(world, approvers=["maria", "jonas", "sam"], exclude_merger=True).excluded == ("alex", "sam")
    world.double.fault(path_regex="/issues/.*/events$", answer=[], times=10)
    assert "nobody knows who they all are" in ask(world, name="nonprod", exclude_merger=True)["error"]
