"""The pages people read: only signed in, whatever the address says, and also while everything is on the move."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest

from domain import blob_names, timeline
from domain.changes import ChangeRecord, ChangeState, Step
from domain.lanes import Lane, Occupant
from domain.models import Comparison, Outcome, ReleaseRecord, RowChange, StageState
from domain.schedules import EvaluationRecord
from tests import samples
from tests.fakes import row
from tests.triggers.edge import Answer, Edge, lines, plain_function, record, request, store_rows
from triggers import change_pages, debts, environments, pages, release_pages

RUNNING = "2026-11-23T09:00:00Z"
HOSTILE = [
    "nothing",
    "..",
    "../releases",
    "..%2F..%2Fsecrets",
    "a/../../b",
    "release\x00",
    "release\r\nSet-Cookie: a=b",
    "<script>alert(1)</script>",
    "'; DROP TABLE releases; --",
    "${jndi:ldap://evil}",
    "%2e%2e",
    "?comp=list",
    "ünïcode",
    "\udcff",
    "r" * 5000,
    "",
]


def visit(edge: Edge, function: Any, path: str, who: str | None = "maria", method: str = "GET", **query: str) -> Answer:
    """Open a page, signed in as maria unless told otherwise."""
    plain = plain_function(function)
    return Answer(asyncio.run(plain(request(path, method, who, params=query), *clients(edge, plain))))


def clients(edge: Edge, function: Any) -> list[Any]:
    """Return the durable client, for functions that want it."""
    return [edge.client] if "client" in function.__code__.co_varnames else []


def keep(edge: Edge, **fields: Any) -> ReleaseRecord:
    """Store a release's record."""
    known = record(**fields)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    return known


def changed(edge: Edge, **fields: Any) -> ChangeRecord:
    """Store what is known about change 7, whose validation failed and printed something."""
    known = ChangeRecord(samples.REPOSITORY, 7, title="Whole sentences", head=samples.SHA, instance=CHANGE)
    known = replace(known, state=ChangeState.FAILED, steps=(Step("validate", StageState.FAILED),), **fields)
    edge.blobs.write_json(blob_names.change(known.repository, known.key), asdict(known))
    line = {"step": "pytest -q", "ok": False, "seconds": 2.5, "output_tail": "E  assert <b>1</b> == 2"}
    edge.blobs.write(blob_names.validation_results(CHANGE), f"{json.dumps(line)}\n".encode())
    return known


def progressing(edge: Edge, status: Mapping[str, Any] | None) -> ReleaseRecord:
    """Store a release whose full evaluation runs; its orchestration says `status`, or is not there for None."""
    instance = f"{samples.RELEASE}.full:shards"
    known = timeline.begin(record(), timeline.FULL, RUNNING, instance)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    if status is not None:
        edge.client.known[instance] = dict(status)
    return known


CHANGE = f"change-acme.helpdesk-7-{samples.SHA}"
PAGES = [
    (pages.releases, "/api/releases"),
    (release_pages.release_details, f"/api/releases/{samples.RELEASE}"),
    (pages.evaluation_report, f"/api/evaluations/{samples.RELEASE}.minimal"),
    (change_pages.change_validation, f"/api/changes/{CHANGE}"),
    (environments.environments, "/api/environments"),
    (debts.debts, "/api/debts"),
]


@pytest.mark.parametrize(("function", "path"), PAGES)
def test_pages_are_for_people_who_are_signed_in(edge: Edge, function: Any, path: str, caplog: Any) -> None:
    """Others get the way to the sign-in and back, and see nothing of what there is."""
    keep(edge)

    answer = visit(edge, function, path, who=None)

    assert answer.status == 401
    assert answer.links() == [f"/.auth/login/aad?post_login_redirect_uri={path.replace('/', '%2F')}"]
    assert samples.SHA[:7] not in answer.text()
    (line,) = lines(caplog, "page")
    assert (line["status"], line["path"]) == (401, path)


@pytest.mark.parametrize(("function", "path"), PAGES)
def test_looking_at_pages_changes_nothing(edge: Edge, function: Any, path: str) -> None:
    """By GET or HEAD; and no page can be posted to."""
    keep(edge)
    edge.blobs.write_json(blob_names.summary(f"{samples.RELEASE}.minimal"), asdict(samples.summary()))
    changed(edge)
    before = edge.everything()

    answers = [visit(edge, function, path, method=method) for method in ("GET", "HEAD")]

    assert [answer.status for answer in answers] == [200, 200]
    assert edge.everything() == before
    assert [str(getattr(way, "value", way)) for way in function.build().get_trigger().methods] == ["GET"]


def test_release_that_never_was_is_not_found(edge: Edge, caplog: Any) -> None:
    """The page says what starts one."""
    answer = visit(edge, release_pages.release_details, "/api/releases/release-acme.helpdesk-none")

    assert (answer.status, answer.title) == (404, "Not found")
    assert "A merge to the release branch starts one" in answer.text()
    (line,) = lines(caplog, "page")
    assert (line["decision"], line["status"]) == ("refused", 404)


def test_evaluation_that_is_not_over_is_not_found(edge: Edge) -> None:
    """The page says where to look meanwhile."""
    answer = visit(edge, pages.evaluation_report, f"/api/evaluations/{samples.RELEASE}.full")

    assert answer.status == 404
    assert "Its release page shows how far it is" in answer.text()


@pytest.mark.parametrize(
    "function",
    [
        release_pages.release_details,
        release_pages.validation_log,
        pages.evaluation_report,
        change_pages.change_validation,
    ],
)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_id_is_not_found(edge: Edge, function: Any, hostile: str) -> None:
    """It becomes neither a blob's name nor markup nor a header; another container stays out of reach."""
    asked = request("/api/page", who="maria", segment=hostile)
    plain = plain_function(function)

    answer = Answer(asyncio.run(plain(asked, *clients(edge, plain))))

    assert answer.status == 404
    assert "<script>" not in answer.html
    assert hostile not in answer.headers.values()


def test_list_shows_every_release_newest_first(edge: Edge) -> None:
    """Before the first there is a page as well."""
    empty = visit(edge, pages.releases, "/api/releases")
    for day in (1, 3, 2):
        known = replace(record(), id=f"release-acme.helpdesk-{day}", created_at=f"2026-11-0{day}T09:00:00Z")
        edge.blobs.write_json(blob_names.record(known.id), asdict(known))

    answer = visit(edge, pages.releases, "/api/releases")

    assert empty.status == 200
    shown = [link for link in answer.links() if "helpdesk-" in link]
    assert shown == [f"/api/releases/release-acme.helpdesk-{day}" for day in (3, 2, 1)]


def test_list_has_pages_of_fifty(edge: Edge) -> None:
    """A number out of range, or none at all, leads to a page that there is."""
    for number in range(51):
        known = replace(record(), id=f"release-{number:02}", created_at=f"2026-11-01T09:00:{number:02}Z")
        edge.blobs.write_json(blob_names.record(known.id), asdict(known))

    sizes = {
        wish: len(visit(edge, pages.releases, "/api/releases", page=wish).tree.css("tbody tr"))
        for wish in ("", "1", "2", "9", "-1", "two", "9" * 50)
    }

    assert sizes == {"": 50, "1": 50, "2": 1, "9": 1, "-1": 50, "two": 50, "9" * 50: 50}


def test_running_stage_shows_how_far_it_is(edge: Edge) -> None:
    """The orchestration's own words: done of total; the page refreshes itself, unless it is asked not to."""
    status = {"stage": "evaluate-full", "since": RUNNING, "done": 120, "total": 300, "expected_end": None}
    progressing(edge, status)

    answer = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert answer.text("progress") == "120 of 300"
    assert answer.tree.css_first("meta[http-equiv=refresh]") is not None
    paused = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}", refresh="off")
    assert paused.tree.css_first("meta[http-equiv=refresh]") is None


@pytest.mark.parametrize("status", [None, {}, {"stage": "deploying"}, {"since": None, "done": 1}])
def test_stage_whose_orchestration_says_nothing_yet_shows_no_progress(edge: Edge, status: Any) -> None:
    """The record names a child before it is there."""
    progressing(edge, status)

    answer = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert "Full evaluation" in answer.text()
    assert answer.tree.css("progress") == []


def test_release_page_stands_while_durable_is_away(edge: Edge) -> None:
    """Without live progress; all else comes from the record."""
    progressing(edge, {"since": RUNNING, "done": 1, "total": 2})
    edge.client.trouble = ConnectionError("away")

    answer = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert answer.tree.css("progress") == []


def test_release_that_is_over_asks_nobody_and_stays_as_it_is(edge: Edge) -> None:
    """No refresh, no live progress, the reason of its end."""
    ended = timeline.close(record(), Outcome.REJECTED, "maria rejected the deployment to prod: too slow", RUNNING)
    edge.blobs.write_json(blob_names.record(ended.id), asdict(ended))
    edge.client.trouble = AssertionError("nobody may be asked")

    answer = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert "maria rejected the deployment to prod: too slow" in answer.text()
    assert answer.tree.css_first("meta[http-equiv=refresh]") is None


def test_release_page_shows_the_text_of_the_worst_rows(edge: Edge) -> None:
    """Row text lives in blobs and is shown here, behind the sign-in."""
    keep(edge)
    store_rows(edge.blobs, f"{samples.RELEASE}.minimal", ["r1"])

    assert "q r1" in visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}").text()


def test_hostile_words_in_a_record_are_shown_as_words(edge: Edge) -> None:
    """Titles, authors and reasons are from outside."""
    title = "<img src=x onerror=alert(1)> 'quoted' \"twice\""
    change = replace(samples.origin().changes[0], title=title, url="javascript:alert(1)")
    keep(edge, changes=(change,), notes=("<b>note</b>",), reason="<i>why</i>")

    answer = visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert title in answer.text()
    assert answer.tree.css("main img[onerror], main b, main i") == []
    assert not [link for link in answer.links() if link.startswith("javascript")]


def report(edge: Edge, **query: str) -> Answer:
    """Open the report of the minimal evaluation."""
    return visit(edge, pages.evaluation_report, f"/api/evaluations/{samples.RELEASE}.minimal", **query)


def test_report_shows_metrics_gates_and_the_rows(edge: Edge) -> None:
    """What failed and what scored lowest, with its text, and the way back to the release."""
    summary = samples.summary(failed_rows=("r2",), errored=1, lowest=(RowChange("r1", "f1", None, 0.1),))
    edge.blobs.write_json(blob_names.summary(summary.id), asdict(summary))
    store_rows(edge.blobs, summary.id, ["r1", "r2", "r3"])

    answer = report(edge)

    assert answer.status == 200
    for part in ("0.610", "f1 >= 0.45", "q r1", "a r1"):
        assert part in answer.text(), part
    assert f"/api/releases/{samples.RELEASE}" in answer.links()
    assert answer.tree.css("svg")


def test_report_of_a_comparison_shows_both_answers(edge: Edge) -> None:
    """A row that got worse is shown as it was and as it is."""
    comparison = Comparison("release-before.minimal", "b" * 40, None, (), (RowChange("r1", "f1", 0.9, 0.1),))
    summary = samples.summary(comparison=comparison)
    edge.blobs.write_json(blob_names.summary(summary.id), asdict(summary))
    store_rows(edge.blobs, summary.id, ["r1"])
    before = {**row("r1", 0.9), "output": {"answer": "the better answer"}}
    edge.blobs.write(blob_names.shard("release-before.minimal", 0), json.dumps(before).encode() + b"\n")

    answer = report(edge)

    assert answer.status == 200
    for part in ("q r1", "a r1", "the better answer"):
        assert part in answer.text(), part


@pytest.mark.parametrize("number", ["0", "-1", "two", "²", "1e9", "9" * 6, "9" * 5000, ""])
def test_report_page_number_from_outside_is_only_a_wish(edge: Edge, number: str) -> None:
    """Whatever stands there, some page of the report is shown."""
    edge.blobs.write_json(blob_names.summary(f"{samples.RELEASE}.minimal"), asdict(samples.summary()))
    store_rows(edge.blobs, f"{samples.RELEASE}.minimal", [f"r{number}" for number in range(30)])

    assert report(edge, page=number).status == 200


def test_pages_load_nothing_and_run_nothing(edge: Edge) -> None:
    """Every page says so to the browser, and is kept by nobody."""
    keep(edge)

    answer = visit(edge, pages.releases, "/api/releases")

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.tree.css("script, link[rel=stylesheet][href^=http], img[src^=http]") == []


def details(edge: Edge, who: str = "maria", **query: str) -> Answer:
    """Open the release's page."""
    return visit(edge, release_pages.release_details, f"/api/releases/{samples.RELEASE}", who, **query)


def waiting(edge: Edge, stage: str = "approve-prod", **fields: Any) -> ReleaseRecord:
    """Store the release as it waits in a stage."""
    known = timeline.begin(record(**fields), stage, RUNNING)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    return known


def test_approver_who_is_asked_finds_the_link_on_the_release_page(edge: Edge) -> None:
    """Each their own, nobody else's; none after the vote, none for who may not vote."""
    waiting(edge)
    asked = edge.open(excluded=("alex",))
    links = {who: edge.link(asked, who) for who in ("maria", "jonas", "alex")}

    assert f"/api/approvals/{links['maria']}" in details(edge, "maria").links()
    assert not any(link in details(edge, "maria").html for link in (links["jonas"], links["alex"]))
    assert not any(link in details(edge, who).html for who in ("alex", "priya") for link in links.values())
    edge.send(links["maria"], "maria", edge.form(links["maria"], "maria"))
    assert links["maria"] not in details(edge, "maria").html


def test_question_that_is_not_open_any_more_has_no_link(edge: Edge) -> None:
    """The release has gone on, or ended."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    waiting(edge, "deploy-prod")
    assert token not in details(edge).html
    edge.blobs.write_json(
        blob_names.record(samples.RELEASE), asdict(timeline.close(record(), Outcome.EXPIRED, "", RUNNING))
    )
    assert token not in details(edge).html


def test_override_is_asked_on_the_release_page_too(edge: Edge) -> None:
    """By its own kind of link."""
    known = timeline.begin(timeline.add_stage(record(), timeline.OVERRIDE, timeline.FULL), timeline.OVERRIDE, RUNNING)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    token = edge.link(edge.open("override"), "maria")

    assert f"/api/overrides/{token}" in details(edge).links()


def test_votes_of_all_rounds_are_on_the_release_page(edge: Edge) -> None:
    """While they come in; those on older evidence as void."""
    waiting(edge)
    for decision, evidence in (("approve", {}), ("reject", {"opt_outs": (), "approvals": 9})):
        token = edge.link(edge.open(evidence=evidence), "maria")
        edge.send(token, "maria", edge.form(token, "maria", decision))

    answer = details(edge)

    votes = answer.text("section[aria-labelledby=votes] li")
    assert "approved by @maria (maria@acme.example) for prod" in answer.text("li.void")
    assert "rejected by @maria" in votes
    assert len(answer.tree.css("section[aria-labelledby=votes] li")) == 2


def test_release_page_offers_what_the_reader_may_do(edge: Edge) -> None:
    """Cancelling to authors and approvers, going back to approvers, an evaluation to all: GitHub knows who may."""
    known = waiting(edge)
    elsewhere = Occupant("release-newer", "d" * 40, 9, samples.IMAGE, RUNNING)
    for name, current in (("dev", elsewhere), ("prod", None)):
        lane = Lane(samples.REPOSITORY, name, current, approvers=("maria",))
        edge.blobs.write_json(blob_names.lane(samples.REPOSITORY, name), asdict(lane))

    offered = {
        who: [node.attributes["action"] for node in details(edge, who, refresh="off").tree.css("form")]
        for who in ("maria", "alex", "jonas")
    }

    here = f"/api/releases/{known.id}"
    assert offered == {
        "maria": ["/api/evaluations", f"{here}/rollback", f"{here}/cancel"],
        "alex": ["/api/evaluations", f"{here}/cancel"],
        "jonas": ["/api/evaluations"],
    }


def on_demand(edge: Edge) -> EvaluationRecord:
    """Store an evaluation of the release's commit that jonas asked for and that runs."""
    name = f"on-demand-acme.helpdesk-{samples.SHA}-full-1"
    known = EvaluationRecord(
        name, samples.REPOSITORY, samples.SHA, "full", "on-demand", "jonas", RUNNING, f"{name}.run"
    )
    edge.blobs.write_json(blob_names.evaluation_record(name), asdict(known))
    return known


def test_other_evaluations_of_the_commit_are_listed(edge: Edge) -> None:
    """Those that are no part of the release, running or not."""
    keep(edge)
    name = f"on-demand-acme.helpdesk-{samples.SHA}-full-1"
    known = EvaluationRecord(
        name, samples.REPOSITORY, samples.SHA, "full", "on-demand", "jonas", RUNNING, f"{name}.run"
    )
    edge.blobs.write_json(blob_names.evaluation_record(name), asdict(known))
    store_rows(edge.blobs, known.id, ["r1"])

    answer = details(edge)

    assert "Full evaluation running on-demand, asked by jonas" in answer.text("section[aria-labelledby=others] li")
    assert f"/api/evaluations/{known.id}" in answer.links()


def test_evaluation_that_runs_shows_how_far_it_is(edge: Edge) -> None:
    """Until its report is there; the page refreshes itself meanwhile."""
    name = f"on-demand-acme.helpdesk-{samples.SHA}-full-1"
    known = EvaluationRecord(
        name, samples.REPOSITORY, samples.SHA, "full", "on-demand", "jonas", RUNNING, f"{name}.run"
    )
    edge.blobs.write_json(blob_names.evaluation_record(name), asdict(known))
    edge.client.known[f"{known.id}.run:shards"] = {"stage": "evaluate-full", "since": RUNNING, "done": 3, "total": 9}

    answer = visit(edge, pages.evaluation_report, f"/api/evaluations/{known.id}")

    assert answer.title == f"Full evaluation of {samples.SHA[:8]}"
    assert answer.text("progress") == "3 of 9"
    assert answer.tree.css_first("meta[http-equiv=refresh]") is not None
    failed = replace(known, state="error", reason="The model did not answer.")
    edge.blobs.write_json(blob_names.evaluation_record(known.id), asdict(failed))
    ended = visit(edge, pages.evaluation_report, f"/api/evaluations/{known.id}")
    assert "The model did not answer." in ended.text()
    assert ended.tree.css_first("meta[http-equiv=refresh]") is None


def test_report_leads_back_only_to_the_release_it_belongs_to(edge: Edge) -> None:
    """Also the payment of a release's debt; an evaluation on demand has no release."""
    for name, link in (
        (f"{samples.RELEASE}.full-2026-11-24", [f"/api/releases/{samples.RELEASE}"]),
        (f"on-demand-acme.helpdesk-{samples.SHA}-full-1", []),
    ):
        edge.blobs.write_json(blob_names.summary(name), asdict(samples.summary(id=name)))
        answer = visit(edge, pages.evaluation_report, f"/api/evaluations/{name}")
        assert [one for one in answer.links() if "/releases/" in one] == link


def test_what_a_validation_printed_is_shown_as_text(edge: Edge) -> None:
    """For a release; half a line of a worker that was killed is left out."""
    keep(edge)
    line = json.dumps({"step": "pytest -q", "ok": True, "seconds": 61.0, "output_tail": "<b>3 passed</b>"})
    edge.blobs.write(blob_names.validation_results(samples.RELEASE), f'{line}\n{{"step": "half'.encode())
    asked = request(f"/api/releases/{samples.RELEASE}/validation", who="maria", segment=samples.RELEASE)

    answer = Answer(asyncio.run(plain_function(release_pages.validation_log)(asked)))

    assert answer.status == 200
    assert "pytest -q 1 min 1 s" in answer.text("summary")
    assert answer.text("pre") == "<b>3 passed</b>"


def change(edge: Edge, repository: str, number: str) -> Answer:
    """Open a change's page by its number."""
    route = {"repository": repository, "number": number}
    asked = request(f"/api/changes/{repository}/{number}", who="maria", route=route)
    return Answer(asyncio.run(plain_function(change_pages.change_details)(asked)))


def test_change_shows_its_steps_and_what_they_printed(edge: Edge) -> None:
    """By number, or by the validation that GitHub links to; and the release that carries it."""
    changed(edge, reason="pytest -q failed", needed="alex: fix it")
    edge.blobs.write_json(blob_names.carrier(samples.REPOSITORY, 7), {"release": samples.RELEASE})

    by_number = change(edge, "acme.helpdesk", "7")
    by_instance = visit(edge, change_pages.change_validation, f"/api/changes/{CHANGE}")

    for answer in (by_number, by_instance):
        assert answer.title == "Whole sentences"
        for words in ("pytest -q failed", "alex: fix it", "E assert <b>1</b> == 2"):
            assert words in answer.text()
        assert f"/api/releases/{samples.RELEASE}" in answer.links()
        assert answer.tree.css("main b") == []


def test_earlier_validation_says_where_the_newest_is(edge: Edge) -> None:
    """Links on GitHub stay; what the newest one says is not shown as theirs."""
    changed(edge, instance=f"{CHANGE}.2", reason="the newest reason")

    answer = visit(edge, change_pages.change_validation, f"/api/changes/{CHANGE}")

    assert "This validation is not the newest of this change" in answer.text()
    assert "/api/changes/acme.helpdesk/7" in answer.links()
    assert "E assert <b>1</b> == 2" in answer.text()
    assert "the newest reason" not in answer.text()


def test_group_of_a_merge_queue_has_its_own_page(edge: Edge) -> None:
    """Beside that of the change it ends with, which has the same number; no release carries a group."""
    sha = "d" * 40
    instance = f"group-acme.helpdesk-{sha}"
    changed(edge, head=sha, instance=instance, title="Merge queue: #5, #7", group=True)
    changed(edge)
    edge.blobs.write_json(blob_names.carrier(samples.REPOSITORY, 7), {"release": samples.RELEASE})

    answer = visit(edge, change_pages.change_validation, f"/api/changes/{instance}")

    assert answer.title == "Merge queue: #5, #7"
    assert "This validation is not the newest" not in answer.text()
    assert f"/api/releases/{samples.RELEASE}" not in answer.links()


@pytest.mark.parametrize(
    ("repository", "number"),
    [
        ("acme.helpdesk", "8"),
        ("acme.helpdesk", "²"),
        ("acme.helpdesk", "9" * 5000),
        ("..", "7"),
        ("<script>", "7"),
        ("", ""),
    ],
)
def test_change_that_nobody_knows_is_not_found(edge: Edge, repository: str, number: str) -> None:
    """Whatever the address says."""
    changed(edge)

    answer = change(edge, repository, number)

    assert answer.status == 404
    assert "<script>" not in answer.html
