"""The pages people read: only signed in, whatever the address says, and also while everything is on the move."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest

from domain import blob_names, timeline
from domain.models import Comparison, Outcome, ReleaseRecord, RowChange
from tests import samples
from tests.fakes import row
from tests.triggers.edge import Answer, Edge, lines, plain_function, record, request, store_rows
from triggers import pages

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
    client = [edge.client] if function is pages.release_details else []
    return Answer(asyncio.run(plain_function(function)(request(path, method, who, params=query), *client)))


def keep(edge: Edge, **fields: Any) -> ReleaseRecord:
    """Store a release's record."""
    known = record(**fields)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    return known


def progressing(edge: Edge, status: Mapping[str, Any] | None) -> ReleaseRecord:
    """Store a release whose full evaluation runs; its orchestration says `status`, or is not there for None."""
    instance = f"{samples.RELEASE}.full:shards"
    known = timeline.begin(record(), timeline.FULL, RUNNING, instance)
    edge.blobs.write_json(blob_names.record(known.id), asdict(known))
    if status is not None:
        edge.client.known[instance] = dict(status)
    return known


PAGES = [
    (pages.releases, "/api/releases"),
    (pages.release_details, f"/api/releases/{samples.RELEASE}"),
    (pages.evaluation_report, f"/api/evaluations/{samples.RELEASE}.minimal"),
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
    before = edge.everything()

    answers = [visit(edge, function, path, method=method) for method in ("GET", "HEAD")]

    assert [answer.status for answer in answers] == [200, 200]
    assert edge.everything() == before
    assert [str(getattr(way, "value", way)) for way in function.build().get_trigger().methods] == ["GET"]


def test_release_that_never_was_is_not_found(edge: Edge, caplog: Any) -> None:
    """The page says what starts one."""
    answer = visit(edge, pages.release_details, "/api/releases/release-acme.helpdesk-none")

    assert (answer.status, answer.title) == (404, "Not found")
    assert "A merge to the release branch starts one" in answer.text()
    (line,) = lines(caplog, "page")
    assert (line["decision"], line["status"]) == ("refused", 404)


def test_evaluation_that_is_not_over_is_not_found(edge: Edge) -> None:
    """The page says where to look meanwhile."""
    answer = visit(edge, pages.evaluation_report, f"/api/evaluations/{samples.RELEASE}.full")

    assert answer.status == 404
    assert "Its release page shows how far it is" in answer.text()


@pytest.mark.parametrize("function", [pages.release_details, pages.evaluation_report])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_id_is_not_found(edge: Edge, function: Any, hostile: str) -> None:
    """It becomes neither a blob's name nor markup nor a header; another container stays out of reach."""
    asked = request("/api/page", who="maria", segment=hostile)
    client = [edge.client] if function is pages.release_details else []

    answer = Answer(asyncio.run(plain_function(function)(asked, *client)))

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

    answer = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert answer.text("progress") == "120 of 300"
    assert answer.tree.css_first("meta[http-equiv=refresh]") is not None
    paused = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}", refresh="off")
    assert paused.tree.css_first("meta[http-equiv=refresh]") is None


@pytest.mark.parametrize("status", [None, {}, {"stage": "deploying"}, {"since": None, "done": 1}])
def test_stage_whose_orchestration_says_nothing_yet_shows_no_progress(edge: Edge, status: Any) -> None:
    """The record names a child before it is there."""
    progressing(edge, status)

    answer = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert "Full evaluation" in answer.text()
    assert answer.tree.css("progress") == []


def test_release_page_stands_while_durable_is_away(edge: Edge) -> None:
    """Without live progress; all else comes from the record."""
    progressing(edge, {"since": RUNNING, "done": 1, "total": 2})
    edge.client.trouble = ConnectionError("away")

    answer = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert answer.status == 200
    assert answer.tree.css("progress") == []


def test_release_that_is_over_asks_nobody_and_stays_as_it_is(edge: Edge) -> None:
    """No refresh, no live progress, the reason of its end."""
    ended = timeline.close(record(), Outcome.REJECTED, "maria rejected the deployment to prod: too slow", RUNNING)
    edge.blobs.write_json(blob_names.record(ended.id), asdict(ended))
    edge.client.trouble = AssertionError("nobody may be asked")

    answer = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}")

    assert "maria rejected the deployment to prod: too slow" in answer.text()
    assert answer.tree.css_first("meta[http-equiv=refresh]") is None


def test_release_page_shows_the_text_of_the_worst_rows(edge: Edge) -> None:
    """Row text lives in blobs and is shown here, behind the sign-in."""
    keep(edge)
    store_rows(edge.blobs, f"{samples.RELEASE}.minimal", ["r1"])

    assert "q r1" in visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}").text()


def test_hostile_words_in_a_record_are_shown_as_words(edge: Edge) -> None:
    """Titles, authors and reasons are from outside."""
    title = "<img src=x onerror=alert(1)> 'quoted' \"twice\""
    change = replace(samples.origin().changes[0], title=title, url="javascript:alert(1)")
    keep(edge, changes=(change,), notes=("<b>note</b>",), reason="<i>why</i>")

    answer = visit(edge, pages.release_details, f"/api/releases/{samples.RELEASE}")

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
