"""Going back and cancelling: by the right people only, never twice, and nothing that deploys is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from adapters import closing, connect, lanes, records
from adapters.blobs import Blobs
from domain import blob_names, timeline
from domain.errors import NotFound, Unavailable
from domain.lanes import Answer as Turned
from domain.lanes import Holder, Lane, Occupant, Turn
from domain.models import Outcome, ReleaseRecord
from settings import Settings
from tests import samples
from tests.domain.test_lanes import ask as enter
from tests.triggers.edge import Answer, Edge, in_groups, plain_function, record
from triggers import forms, releases_api, rights, start
from triggers.identity import Person

NOW = "2026-11-23T10:00:00Z"
NEWER = f"release-acme.helpdesk-{'d' * 40}"
WHY = {"environment": "prod", "reason": "refunds are wrong"}


def in_prod(edge: Edge, *approvers: str, **fields: Any) -> Lane:
    """Let a newer release run in prod, where samples.RELEASE ran before."""
    edge.blobs.write_json(blob_names.record(samples.RELEASE), samples.wire(record(outcome=Outcome.RELEASED)))
    edge.blobs.write_json(blob_names.deployed(samples.RELEASE, "prod"), {"release": samples.RELEASE})
    current = Occupant(NEWER, "d" * 40, 9, samples.IMAGE, NOW)
    known = Lane(samples.REPOSITORY, "prod", current, approvers=approvers or ("maria",))
    return lanes.change(edge.blobs, samples.REPOSITORY, "prod", lambda _: replace(known, **fields))


def sealed(edge: Edge, who: str, action: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the form as our page makes it for a person."""
    return {**fields, "csrf": forms.seal(edge.settings, Person(f"{who}@acme.example"), action)}


def go_back(edge: Edge, who: str, fields: Mapping[str, str] = WHY, script: bool = False, **headers: str) -> Answer:
    """Ask to go back to samples.RELEASE."""
    action = releases_api.rollback_action(samples.RELEASE)
    sent = dict(fields) if script else sealed(edge, who, action, fields)
    function = plain_function(releases_api.ask_for_rollback)
    return edge.post(function, action, who, sent, script=script, id=samples.RELEASE, **headers)


def cancel(edge: Edge, who: str | None, script: bool = False, **headers: str) -> Answer:
    """Ask to cancel samples.RELEASE."""
    action = releases_api.cancel_action(samples.RELEASE)
    fields = {"reason": "wrong branch"}
    sent = fields if script else sealed(edge, who or "", action, fields)
    return edge.post(
        plain_function(releases_api.cancel_release), action, who, sent, script=script, id=samples.RELEASE, **headers
    )


@pytest.mark.parametrize("script", [False, True])
def test_approver_goes_back_to_a_release_that_ran_there(edge: Edge, script: bool) -> None:
    """From the page or by a script; the orchestration learns who wants it and why."""
    in_prod(edge)

    answer = go_back(edge, "maria", script=script)

    assert answer.status == (202 if script else 200)
    ((orchestrator, instance, wanted),) = edge.client.started
    assert (orchestrator, instance) == ("rollback", f"{samples.RELEASE}.rollback-prod-1")
    assert {**wanted, "at": ""} == {"release": samples.RELEASE, "by": "maria@acme.example", "at": "", **WHY}
    (trace,) = edge.audited("rollback-asked")
    assert (trace["who"], trace["details"]["reason"]) == ("maria@acme.example", "refunds are wrong")


def test_who_asked_for_a_rollback_that_could_not_start_is_known(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded before it starts: what people did must not be lost with what came of it."""
    in_prod(edge)
    monkeypatch.setattr(releases_api, "start_once", failing(Unavailable("storage is away")))

    assert go_back(edge, "maria").status == 503
    assert [trace["who"] for trace in edge.audited("rollback-asked")] == ["maria@acme.example"]


def test_rollback_that_runs_is_not_started_again(edge: Edge) -> None:
    """The form sent twice is one rollback; after it has ended there can be another."""
    in_prod(edge)

    first, second = (json.loads(go_back(edge, "maria", script=True).html) for _ in range(2))
    edge.client.terminated[first["instance"]] = "done"
    third = json.loads(go_back(edge, "maria", script=True).html)

    assert [answer["decision"] for answer in (first, second, third)] == ["started", "already started", "started"]
    assert [answer["instance"][-1] for answer in (first, second, third)] == ["1", "1", "2"]


@pytest.mark.parametrize(("days", "remembered", "number"), [(8, False, 2), (8, True, 2), (1, True, 2), (1, False, 1)])
def test_rollback_that_was_purged_can_be_asked_for_again(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, days: int, remembered: bool, number: int
) -> None:
    """Something runs, once: under its own name where its start may have been lost, else under the next."""
    in_prod(edge)
    first = json.loads(go_back(edge, "maria", script=True).html)["instance"]
    edge.client.known.clear()
    if not remembered:
        monkeypatch.setattr(start, "_started", WeakKeyDictionary())

    def age(blobs: Blobs, instance: str) -> timedelta:
        return timedelta(days=days if instance == first and blobs.exists(blob_names.claim(instance)) else 0)

    monkeypatch.setattr(start, "_age", age)
    answers = [json.loads(go_back(edge, "maria", script=True).html) for _ in range(2)]

    assert [answer["decision"] for answer in answers] == ["started", "already started"]
    assert [instance[-1] for _, instance, _ in edge.client.started] == ["1", str(number)]


def test_rollback_that_waits_for_weeks_is_not_started_again(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a deployment that does not end, say."""
    in_prod(edge)
    go_back(edge, "maria")
    monkeypatch.setattr(start, "_age", lambda *_: timedelta(days=30))

    assert json.loads(go_back(edge, "maria", script=True).html)["decision"] == "already started"
    assert len(edge.client.started) == 1


def test_answers_say_what_happens_now_and_what_to_do(edge: Edge) -> None:
    """To people and to scripts, in the same words."""
    in_prod(edge)
    first, again = go_back(edge, "maria"), go_back(edge, "maria", script=True)
    on_its_way(edge)
    ended = cancel(edge, "alex")

    until = "Nobody is promoted to it until somebody lifts the hold."
    assert f"prod goes back to c0ffee0 as soon as nothing else is deployed there. {until}" in first.text()
    assert json.loads(again.html)["reason"] == (
        f"prod is going back to c0ffee0 already, so nothing new was started. {until}"
    )
    assert (
        "c0ffee0 goes no further, and what is deployed stays. Push a new commit to release again. "
        "Cancelled by alex@acme.example: wrong branch"
    ) in ended.text()


@pytest.mark.parametrize("who", ["jonas", "alex", "eve@evil.example"])
def test_only_approvers_of_that_environment_go_back(edge: Edge, who: str) -> None:
    """Not its authors, not those of other environments; that they tried is kept."""
    in_prod(edge)
    lanes.change(edge.blobs, samples.REPOSITORY, "dev", lambda _: Lane(samples.REPOSITORY, "dev", approvers=("jonas",)))

    answer = go_back(edge, who, script=True)

    assert answer.status == 403
    assert "Only the approvers of prod may roll it back; ask one of them: @maria." in answer.html
    assert edge.client.started == []
    (trace,) = edge.audited("refusal")
    assert trace["subject"] == samples.RELEASE


def test_environment_without_approvers_is_rolled_back_by_nobody(edge: Edge) -> None:
    """The message says what is missing."""
    in_prod(edge)
    lanes.change(edge.blobs, samples.REPOSITORY, "prod", lambda lane: replace(lane, approvers=()))

    assert "its configuration names none" in go_back(edge, "maria").text()


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"reason": "why"}, 400, "Say in which environment"),
        ({"environment": "../../x", "reason": "why"}, 400, "Say in which environment"),
        ({"environment": "prod"}, 400, "Give a reason"),
        ({"environment": "prod", "reason": " \n"}, 400, "Give a reason"),
        ({"environment": "nonprod", "reason": "why"}, 403, "Only the approvers of nonprod"),
    ],
)
def test_rollback_that_says_too_little_is_refused(edge: Edge, fields: dict[str, str], status: int, words: str) -> None:
    """In words."""
    in_prod(edge)

    answer = go_back(edge, "maria", fields)

    assert answer.status == status
    assert words in answer.text()
    assert edge.client.started == []


def test_nobody_goes_back_to_what_never_ran_there_or_runs_there(edge: Edge) -> None:
    """Both say what to do."""
    in_prod(edge)
    lanes.change(
        edge.blobs, samples.REPOSITORY, "nonprod", lambda _: Lane(samples.REPOSITORY, "nonprod", approvers=("maria",))
    )

    never = go_back(edge, "maria", {"environment": "nonprod", "reason": "why"})
    here = Occupant(samples.RELEASE, samples.SHA, 1, samples.IMAGE, NOW)
    lanes.change(edge.blobs, samples.REPOSITORY, "prod", lambda lane: replace(lane, current=here))
    already = go_back(edge, "maria")

    assert (never.status, already.status) == (409, 409)
    assert "never ran in nonprod: go back to a release that did." in never.text()
    assert "runs in prod already: open the release to go back to" in already.text()


FORGED = [{"origin": "https://evil.example"}, {"origin": ""}, {"sec_fetch_site": "cross-site"}]


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("send", [go_back, cancel])
def test_form_from_elsewhere_changes_nothing(edge: Edge, send: Any, headers: dict[str, str]) -> None:
    """Even with everything else right."""
    in_prod(edge)

    assert send(edge, "maria", **headers).status == 403
    assert (edge.client.started, edge.client.terminated) == ([], {})


@pytest.mark.parametrize("headers", [FORGED[0], FORGED[2]])
@pytest.mark.parametrize("send", [go_back, cancel])
def test_json_from_a_foreign_page_changes_nothing(edge: Edge, send: Any, headers: dict[str, str]) -> None:
    """A browser says where it stands; a script need not."""
    in_prod(edge)

    assert send(edge, "maria", script=True, **headers).status == 403
    assert (edge.client.started, edge.client.terminated) == ([], {})


def test_form_made_for_somebody_or_something_else_changes_nothing(edge: Edge) -> None:
    """The seal is for this person and this address."""
    in_prod(edge)
    action = releases_api.rollback_action(samples.RELEASE)
    function = plain_function(releases_api.ask_for_rollback)
    forms_of_others = [
        sealed(edge, "jonas", action, WHY),
        sealed(edge, "maria", releases_api.cancel_action(samples.RELEASE), WHY),
        {**WHY, "csrf": ""},
        WHY,
    ]

    answers = [edge.post(function, action, "maria", fields, id=samples.RELEASE) for fields in forms_of_others]

    assert {answer.status for answer in answers} == {403}
    assert edge.client.started == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"reason": 1}', b"\xff", b'{"a":' * 9999])
def test_body_that_is_no_json_object_is_refused(edge: Edge, body: bytes) -> None:
    """In words, as JSON."""
    in_prod(edge)
    action = releases_api.cancel_action(samples.RELEASE)
    function = plain_function(releases_api.cancel_release)

    answer = edge.raw(function, action, "maria", body, id=samples.RELEASE)

    assert answer.status == 400
    assert json.loads(answer.html)["decision"] == "refused"


def test_who_is_not_signed_in_does_nothing(edge: Edge) -> None:
    """People are sent to the sign-in, scripts are told."""
    on_its_way(edge)

    page, script = cancel(edge, None), cancel(edge, None, script=True)

    assert (page.status, script.status) == (401, 401)
    assert "/.auth/login/" in page.links()[0]
    assert edge.client.terminated == {}


def on_its_way(edge: Edge, stage: str = "approve-nonprod", **fields: Any) -> ReleaseRecord:
    """Let samples.RELEASE wait in a stage."""
    known = timeline.begin(record(**fields), stage, NOW, f"{samples.RELEASE}.{stage}")
    edge.blobs.write_json(blob_names.record(samples.RELEASE), samples.wire(known))
    edge.client.known = {samples.RELEASE: {}, f"{samples.RELEASE}.{stage}": {}}
    return known


@pytest.mark.parametrize("who", ["alex", "maria"])
@pytest.mark.parametrize("script", [False, True])
def test_author_or_approver_cancels_a_release(edge: Edge, who: str, script: bool) -> None:
    """It ends, with what waits for it; the record, the list and GitHub say by whom and why."""
    in_prod(edge)
    on_its_way(edge)

    answer = cancel(edge, who, script=script)

    assert answer.status == (202 if script else 200)
    why = f"Cancelled by {who}@acme.example: wrong branch"
    assert edge.client.terminated == {samples.RELEASE: why, f"{samples.RELEASE}.approve-nonprod": why}
    closed = records.need_record(edge.blobs, samples.RELEASE)
    assert (closed.outcome, closed.reason) == (Outcome.CANCELLED, why)
    (trace,) = edge.audited("cancelled")[:1]
    assert trace["who"] == f"{who}@acme.example"
    assert edge.blobs.names("outbox/")


def test_evaluation_is_told_to_stop_instead_of_being_cut(edge: Edge) -> None:
    """It has jobs to stop; Durable would leave them running."""
    evaluation = f"{samples.RELEASE}.full"
    known = timeline.begin(record(), timeline.FULL, NOW, f"{evaluation}:shards")
    records.save_record(edge.blobs, known)
    edge.client.known = {samples.RELEASE: {}, evaluation: {}, f"{evaluation}:shards": {}}

    cancel(edge, "alex")

    assert list(edge.client.terminated) == [samples.RELEASE]
    assert edge.blobs.exists(blob_names.cancelled(blob_names.plan(evaluation)))


def test_nobody_else_cancels(edge: Edge) -> None:
    """Signed in is not enough."""
    in_prod(edge)
    on_its_way(edge)

    answer = cancel(edge, "jonas")

    assert answer.status == 403
    assert "Only its authors and the approvers of its environments may cancel it: ask one of them." in answer.text()
    assert edge.client.terminated == {}


def test_release_that_deploys_is_not_cancelled(edge: Edge) -> None:
    """Half a deployment helps nobody."""
    on_its_way(edge, "deploy-prod")
    in_prod(edge, holder=Holder(samples.RELEASE, NOW))
    on_its_way(edge, "deploy-prod")

    answer = cancel(edge, "alex")

    assert answer.status == 409
    assert "It is being deployed to prod right now" in answer.text()
    assert edge.client.terminated == {}


def ask_for_prod(edge: Edge) -> Turned:
    """Let samples.RELEASE ask for its turn in prod, as its story does."""
    answers: list[Turned] = []

    def step(lane: Lane) -> Lane:
        after, entry = enter(lane, Turn(samples.RELEASE, samples.SHA, 10))
        answers.append(entry.answer)
        return after

    lanes.change(edge.blobs, samples.REPOSITORY, "prod", step)
    return answers[-1]


def test_release_gets_in_nowhere_once_somebody_cancels_it(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at its lanes and the end of its orchestration it would begin a deployment that nobody ends."""
    on_its_way(edge)
    answers: list[Turned] = []
    terminate = edge.client.terminate

    async def slowly(instance: str, why: str) -> None:
        answers.append(await asyncio.to_thread(ask_for_prod, edge))
        await terminate(instance, why)

    monkeypatch.setattr(edge.client, "terminate", slowly)
    answer = cancel(edge, "alex")

    assert answer.status == 200
    assert set(answers) == {Turned.BARRED}
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").barred == ()


def test_what_the_release_began_last_is_ended_too(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks its approvers while it is being cancelled: Durable does not end the children with it."""
    on_its_way(edge)
    terminate = edge.client.terminate

    async def slowly(instance: str, why: str) -> None:
        if instance == samples.RELEASE:
            on_its_way(edge, "approve-prod")
        await terminate(instance, why)

    monkeypatch.setattr(edge.client, "terminate", slowly)
    cancel(edge, "alex")

    assert list(edge.client.terminated) == [samples.RELEASE, f"{samples.RELEASE}.approve-prod"]


def test_cancelling_that_failed_can_be_repeated(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the release gets in nowhere, and ends by itself when it tries."""
    on_its_way(edge)
    with monkeypatch.context() as patch:
        patch.setattr(edge.client, "terminate", failing(ConnectionError("away")))
        failed = cancel(edge, "alex")
    meanwhile = ask_for_prod(edge)
    repeated = cancel(edge, "alex")

    assert (failed.status, meanwhile, repeated.status) == (503, Turned.BARRED, 200)
    assert "could not be ended yet: send the form again" in failed.text()
    assert records.need_record(edge.blobs, samples.RELEASE).outcome is Outcome.CANCELLED


def test_cancelling_that_broke_off_behind_the_record_is_finished(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left behind, and the first reason stands, whoever sends the form again."""
    in_prod(edge)
    on_its_way(edge)
    with monkeypatch.context() as patch:
        patch.setattr(closing, "tidy", failing(Unavailable("blob storage failed")))
        broken = cancel(edge, "alex")
    repeated = cancel(edge, "maria")

    assert (broken.status, repeated.status) == (503, 200)
    assert "Cancelled by alex@acme.example: wrong branch" in repeated.text()
    assert edge.audited("cancelled")[0]["who"] == "alex@acme.example"
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").barred == ()
    assert edge.blobs.names("outbox/")


def test_release_that_ends_while_it_is_being_cancelled_keeps_its_end(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wanted to cancel it is told."""
    known = on_its_way(edge)
    terminate = edge.client.terminate

    async def late(instance: str, why: str) -> None:
        records.save_record(edge.blobs, timeline.close(known, Outcome.REJECTED, "maria rejected it.", NOW))
        await terminate(instance, why)

    monkeypatch.setattr(edge.client, "terminate", late)
    answer = cancel(edge, "alex")

    assert answer.status == 409
    assert (
        "This release is over: rejected. There is nothing to cancel; to undo it where it was deployed, go back to an "
        "earlier release on that release's page." in answer.text()
    )
    assert lanes.all_lanes(edge.blobs) == []


def failing(error: Exception) -> Any:
    """Return a function that fails."""

    def fail(*_: Any) -> None:
        raise error

    return fail


def test_release_that_is_over_is_not_cancelled(edge: Edge) -> None:
    """Its outcome stays."""
    in_prod(edge)

    answer = cancel(edge, "alex")

    assert answer.status == 409
    assert "This release is over: released" in answer.text()
    assert records.need_record(edge.blobs, samples.RELEASE).outcome is Outcome.RELEASED


def test_release_whose_orchestration_cannot_be_reached_stays(edge: Edge) -> None:
    """Nobody is told that it ended when it may go on."""
    on_its_way(edge)
    edge.client.trouble = ConnectionError("away")

    answer = cancel(edge, "alex")

    assert answer.status == 503
    assert f"Nobody can say now whether {samples.RELEASE} is under way: try again in a moment." in answer.text()
    assert records.need_record(edge.blobs, samples.RELEASE).outcome is Outcome.RUNNING


def test_release_that_never_was_is_not_found(edge: Edge) -> None:
    """Whatever the address says."""
    assert cancel(edge, "alex").status == 404
    assert go_back(edge, "maria").status == 404


class Teams:
    """GitHub as far as its teams are concerned."""

    def __init__(self, members: Any) -> None:
        self.members = members

    def team_members(self, organization: str, slug: str) -> tuple[str, ...]:
        if isinstance(self.members, Exception):
            raise self.members
        return tuple(self.members[f"{organization}/{slug}"])


MARIA = Person("Maria@acme.example", frozenset({"0a1b"}))


@pytest.mark.parametrize(
    ("approvers", "teams", "may"),
    [
        (("maria",), {}, True),
        (("jonas",), {}, False),
        ((), {}, False),
        (("entra:0A1B",), {}, True),
        (("entra:9999",), {}, False),
        (("acme/leads",), {"acme/leads": ["jonas", "Maria"]}, True),
        (("acme/leads",), {"acme/leads": ["jonas"]}, False),
        (("jonas", "acme/leads"), NotFound("no such team"), False),
        (("maria", "acme/leads"), Unavailable("GitHub is away"), True),
    ],
)
def test_approvers_are_people_teams_and_groups(
    app: Settings, monkeypatch: pytest.MonkeyPatch, approvers: tuple[str, ...], teams: Any, may: bool
) -> None:
    """GitHub is asked only about teams, and only when the person is no approver by name."""
    monkeypatch.setattr(connect, "github", lambda _: Teams(teams))

    assert rights.may(MARIA, approvers, app) is may


def test_team_counts_as_it_was_when_it_was_asked_while_github_is_away(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback must not wait for GitHub; without any earlier question it has to."""
    monkeypatch.setattr(connect, "github", lambda _: Teams(Unavailable("GitHub is away")))
    in_prod(edge, "acme/leads")

    assert go_back(edge, "maria").status == 503
    edge.open("prod", approvers=("maria",), groups={"maria": "acme/leads"})
    assert go_back(edge, "maria").status == 200
    assert go_back(edge, "jonas").status == 403


def test_member_of_an_entra_group_goes_back(edge: Edge) -> None:
    """As their sign-in says."""
    group = "11111111-aaaa-4bbb-8ccc-222222222222"
    in_prod(edge, f"entra:{group}")

    assert go_back(edge, "jonas", x_ms_client_principal=in_groups(group)).status == 200
    assert go_back(edge, "jonas", x_ms_client_principal=in_groups("other")).status == 403
