"""What is not as GitHub publishes it is found: in requests, answers, webhooks, and at the end of every double."""

from __future__ import annotations

import json

import pytest
import requests

from devhost.github import description
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.description import GAPS, answer, request, webhook
from devhost.github.server import Options
from devhost.github.shapes import Shapes

REPOSITORY = "contoso/app"
HERE = f"/repos/{REPOSITORY}"
PYGITHUB = {"User-Agent": "PyGithub/Python"}


def found(method, path, query=None, body=None):
    return list(request(method, path, query or {}, json.dumps(body).encode() if body is not None else b""))


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"asked": ("GET", f"{HERE}/pulls"), "query": {"state": "all", "per_page": "100"}}, []),
        ({"asked": ("GET", f"{HERE}/pull")}, ["GitHub has no such operation"]),
        ({"asked": ("PUT", f"{HERE}/pulls")}, ["GitHub has no such operation"]),
        ({"asked": ("GET", f"{HERE}/pulls"), "query": {"stat": "all"}}, ["GitHub knows no query parameter stat here"]),
        (
            {"asked": ("GET", f"{HERE}/pulls"), "query": {"state": "merged"}},
            ["query parameter state: 'merged' is not one of ['open', 'closed', 'all']"],
        ),
        (
            {"asked": ("GET", f"{HERE}/pulls"), "query": {"page": "x"}},
            ["query parameter page: 'x' is not of type 'integer'"],
        ),
        ({"asked": ("POST", f"{HERE}/statuses/abc"), "body": {}}, ["body: 'state' is a required property"]),
        ({"asked": ("POST", f"{HERE}/statuses/abc")}, ["GitHub wants a body here"]),
        ({"asked": ("DELETE", f"{HERE}/labels/x"), "body": {"name": "x"}}, ["GitHub takes no body here"]),
        (
            {"asked": ("POST", f"{HERE}/statuses/abc"), "body": {"state": "success", "text": "x"}},
            ["GitHub knows no field body.text"],
        ),
        (
            {
                "asked": ("PATCH", f"{HERE}/check-runs/1"),
                "body": {"output": {"summary": "x", "annotations": [{"path": "a", "line": 1}]}},
            },
            [
                "body.output.annotations[0]: 'start_line' is a required property",
                "body.output.annotations[0]: 'end_line' is a required property",
                "body.output.annotations[0]: 'annotation_level' is a required property",
                "body.output.annotations[0]: 'message' is a required property",
                "GitHub knows no field body.output.annotations[].line",
            ],
        ),
    ],
)
def test_requests_are_held_to_the_description(asked, wrong):
    """Operation, query parameters and body are GitHub's, down to names it would leave aside without a word."""
    assert found(*asked.pop("asked"), **asked) == wrong


@pytest.mark.parametrize(
    ("path", "status", "body", "wrong"),
    [
        ("/labels/x", 200, b'{"id": "x"}', "answer: 'node_id' is a required property"),
        ("/labels/x", 204, b"", "GitHub does not answer 204 here"),
        ("/labels/x", 418, b"{}", "GitHub does not answer 418 here"),
        ("/labels/x", 404, b'{"message": 404}', "answer.message: 404 is not of type 'string'"),
        ("/labels/x", 502, b'{"message": 502}', "answer.message: 502 is not of type 'string'"),
        ("/pulls/1/merge", 204, b'{"merged": true}', "GitHub answers 204 without a body here"),
    ],
)
def test_answers_are_held_to_the_description(path, status, body, wrong):
    """A documented status with its shape; refusals that GitHub gives anywhere with theirs."""
    assert wrong in list(answer("GET", HERE + path, status, body))


def test_webhooks_are_held_to_their_schemas():
    """Neither an unknown event nor a payload with too much or too little passes."""
    assert list(webhook("push", {"action": "pushed"})) == ["GitHub has no webhook push$pushed"]
    assert "payload: 'zen' is a required property" in list(webhook("ping", {"hook_id": 1}))
    too_much = list(webhook("ping", {"zen": "x", "hook_id": 1, "head": 1}))
    assert "payload: Additional properties are not allowed ('head' was unexpected)" in too_much


def test_paths_with_slashes_find_their_operation():
    """Branches, files and references hold slashes, other names do not."""
    assert found("GET", f"{HERE}/branches/alex/1-answer/protection") == []
    assert found("GET", f"{HERE}/contents/flows/chat/flow.dag.yaml", query={"ref": "alex/1-answer"}) == []
    assert found("DELETE", f"{HERE}/git/refs/heads/alex/1-answer") == []
    assert found("GET", f"{HERE}/collaborators/../permission") == []
    assert found("GET", f"{HERE}/collaborators//permission") == ["GitHub has no such operation"]


def test_each_gap_of_the_description_is_one(monkeypatch):
    """An exception that nothing needs any more would hide a mistake."""
    monkeypatch.setattr(description, "GAPS", ())
    bare = found("POST", f"{HERE}/issues/1/labels", body=["x"])
    pull = list(answer("GET", f"{HERE}/pulls/1", 200, b'{"head": {"repo": null}}'))
    pulls = list(answer("GET", f"{HERE}/pulls", 200, b'[{"labels": [{"description": null}]}]'))
    wrong = [*bare, *(one for one in pull if "head.repo" in one), *(one for one in pulls if "description: None" in one)]
    monkeypatch.setattr(description, "_MOST", 99)
    wrong += [one for one in webhook("ping", {"hook": {"events": ["merge_group"]}}) if "hook.events" in one]
    monkeypatch.setattr(description, "GAPS", GAPS)

    assert len(wrong) == len(GAPS)
    assert found("POST", f"{HERE}/issues/1/labels", body=["x"]) == []


@pytest.fixture
def fresh(tmp_path):
    with running(Options(tmp_path / "github")) as origin:
        client = Client(origin)
        client.create_repository(REPOSITORY)
        yield client


def test_wrong_answer_is_found(fresh, monkeypatch):
    """A field that is missing is named with the request that showed it."""
    whole = Shapes.label
    monkeypatch.setattr(Shapes, "label", lambda *about: {**whole(*about), "color": None})
    requests.post(f"{fresh.origin}{HERE}/labels", json={"name": "debt"}, timeout=10)

    assert fresh.findings() == [
        "webhook label created: payload.label.color: None is not of type 'string'",
        f"POST {HERE}/labels -> 201: answer.color: None is not of type 'string'",
    ]


def test_wrong_webhook_is_found(fresh, monkeypatch):
    """Too little or too much in a payload is named with its event."""
    monkeypatch.setattr(Shapes, "_ping", lambda *_: {"zen": "x", "hook_id": 1, "extra": 1})
    fresh.create_repository("contoso/other")

    assert sorted(fresh.findings()) == [
        "webhook ping: payload: 'hook' is a required property",
        "webhook ping: payload: Additional properties are not allowed ('extra' was unexpected)",
    ]


def test_wrong_request_of_the_adapter_is_found_even_when_it_is_refused(fresh):
    """A test may send nonsense to see it refused; what PyGithub sends has no excuse."""
    wrong = f"{fresh.origin}{HERE}/statuses/nothing"
    requests.post(wrong, json={"state": "green"}, timeout=10)
    assert fresh.findings() == []
    requests.post(wrong, json={"state": "green"}, headers=PYGITHUB, timeout=10)
    requests.get(f"{fresh.origin}{HERE}/pulls?stat=all", timeout=10)

    assert fresh.findings() == [
        f"POST {HERE}/statuses/nothing -> 422: body.state: 'green' is not one of "
        "['error', 'failure', 'pending', 'success']",
        f"GET {HERE}/pulls -> 200: GitHub knows no query parameter stat here",
    ]


def test_request_that_a_fault_meets_is_held_to_it_all_the_same(fresh):
    """Also when its answer never comes; the answer of a fault is a test's own word, and held to nothing."""
    wrong = f"{fresh.origin}{HERE}/statuses/{'a' * 40}"
    fresh.fault(status=418)
    requests.post(wrong, json={"state": "green"}, headers=PYGITHUB, timeout=10)
    fresh.fault(reset=True, status=503)
    with pytest.raises(requests.ConnectionError):
        requests.post(wrong, json={"state": "red"}, headers=PYGITHUB, timeout=10)

    assert [(finding.split(": ")[0][-3:], finding.split(": ")[2].split()[0]) for finding in fresh.findings()] == [
        ("418", "'green'"),
        ("503", "'red'"),
    ]


def test_findings_fail_whoever_ran_the_double(tmp_path):
    """Nobody has to look: the end of a double in this process raises what was found."""

    def misuse():
        with running(Options(tmp_path / "github")) as origin:
            Client(origin).create_repository(REPOSITORY)
            requests.get(f"{origin}{HERE}/pulls?stat=all", timeout=10)

    with pytest.raises(AssertionError, match="GitHub knows no query parameter stat here"):
        misuse()


def test_missing_files_are_told(monkeypatch, tmp_path):
    """Without the published files nothing passes unseen."""
    monkeypatch.setattr(description, "API", tmp_path / "none.json")
    description._api.cache_clear()
    description._paths.cache_clear()
    with pytest.raises(FileNotFoundError, match="run `make setup`"):
        found("GET", f"{HERE}/pulls")
