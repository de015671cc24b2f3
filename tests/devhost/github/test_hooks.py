"""Webhooks' addresses, the log of deliveries, and deliveries that get lost."""

from __future__ import annotations

import json

import pytest
import requests

from tests.devhost.github.world import SECRET, Inbox, payloads, said, wait_for

CONFIG = {"content_type": "json", "secret": "theirs"}


@pytest.fixture
def other():
    """Somebody else webhooks go to."""
    box = Inbox()
    yield box
    box.close()


def register(api, url, **fields):
    return api("POST", "/hooks", json={"name": "web", "config": {**CONFIG, "url": url}, **fields})


def test_hook_is_registered_pinged_and_hears_what_it_asked_for(double, repository, api, inbox, other):
    """A second address gets the events it names, signed with its own secret."""
    made = register(api, other.url, events=["pull_request"])
    double.push(repository, "alex/1-x", {"a": "a"})
    double.open_pull_request(repository, "alex/1-x", "X")

    assert made.status_code == 201
    assert made.json()["config"] == {**CONFIG, "secret": "********", "url": other.url, "insecure_ssl": "0"}
    payloads(other, "pull_request", "opened")
    assert [one.event for one in other.taken] == ["ping", "pull_request"]
    assert other.taken[0].headers["X-GitHub-Hook-ID"] == str(made.json()["id"])
    ours = payloads(inbox, "pull_request", "opened")[0]
    assert ours == payloads(other, "pull_request", "opened")[0]


def test_one_address_is_registered_once(api, inbox, other):
    """Neither the double's own hook nor one that is there can be registered again."""
    register(api, other.url)

    refused = (422, "Validation Failed", "Hook already exists on this repository")
    assert said(register(api, other.url)) == said(register(api, inbox.url)) == refused
    assert [hook["config"]["url"] for hook in api("GET", "/hooks").json()] == [inbox.url, other.url]


def test_hook_is_changed_and_deleted(double, repository, api, other):
    """Events are added and taken away; one that is not active hears nothing."""
    number = register(api, other.url, events=["push"]).json()["id"]
    changed = api("PATCH", f"/hooks/{number}", json={"add_events": ["issues"], "remove_events": ["push"]}).json()
    api("PATCH", f"/hooks/{number}", json={"active": False})
    double.open_issue(repository, "X")
    gone = api("DELETE", f"/hooks/{number}")

    assert changed["events"] == ["issues"]
    assert gone.status_code == 204
    assert said(api("GET", f"/hooks/{number}")) == (404, "Not Found")
    wait_for(lambda: other.taken)
    assert [one.event for one in other.taken] == ["ping"]


def test_bad_hooks_are_refused(api):
    """An address has to be one, an event one of GitHub's."""
    assert said(register(api, "ftp://x/"))[2] == "url is missing or not http(s)"
    assert said(register(api, "http://127.0.0.1:9/", events=["pushes"]))[2] == "Event 'pushes' is not known"


def test_app_reads_its_log_page_by_page(app, inbox):
    """Newest first, from a cursor on; each line says how it was answered and which repository it was about."""
    for number in range(5):
        app.double.push(app.repository, "main", {"a": str(number)})
    payloads(inbox, "push", count=5)
    wait_for(lambda: all(one["status_code"] for one in app.double.deliveries()))
    first = app.itself("GET", "app/hook/deliveries", params={"per_page": 2})
    token = {"Authorization": first.request.headers["Authorization"]}
    second = requests.get(first.links["next"]["url"], headers=token, timeout=10)

    ids = [one["id"] for one in app.itself("GET", "app/hook/deliveries").json()]
    assert [one["id"] for one in [*first.json(), *second.json()]] == ids[:4]
    assert ids == sorted(ids, reverse=True)
    line = first.json()[0]
    assert (line["event"], line["status"], line["status_code"], line["installation_id"]) == ("push", "OK", 202, 1)
    assert line["repository_id"] == app.double.repository(app.repository)["id"]
    assert said(app.person("GET", "app/hook/deliveries"))[0] == 401


def test_failed_deliveries_are_found_and_sent_again(app, inbox):
    """A delivery that never arrived stands in the log as failed; an attempt brings it under the same id."""
    app.double.lose_webhooks(1, status=502)
    app.double.push(app.repository, "main", {"a": "a"})
    app.double.push(app.repository, "main", {"a": "b"})
    payloads(inbox, "push")
    inbox.taken.clear()
    failed = app.itself("GET", "app/hook/deliveries", params={"status": "failure"}).json()[0]
    whole = app.itself("GET", f"app/hook/deliveries/{failed['id']}").json()
    attempt = app.itself("POST", f"app/hook/deliveries/{failed['id']}/attempts")

    assert (failed["event"], failed["status"], failed["status_code"]) == ("push", "failed to connect to host", 502)
    assert whole["request"]["payload"]["ref"] == "refs/heads/main"
    assert whole["request"]["headers"]["X-GitHub-Delivery"] == failed["guid"]
    assert attempt.status_code == 202
    payloads(inbox, "push")
    assert inbox.taken[0].headers["X-GitHub-Delivery"] == failed["guid"]
    newest = app.itself("GET", "app/hook/deliveries").json()[0]
    assert (newest["guid"], newest["redelivery"]) == (failed["guid"], True)


def test_app_knows_where_its_webhooks_go(app, inbox):
    """The address is told, the secret is not."""
    config = app.itself("GET", "app/hook/config").json()

    assert config == {"url": inbox.url, "content_type": "json", "insecure_ssl": "0", "secret": "********"}


def test_event_may_be_lost_without_a_trace(double, repository, inbox):
    """Neither the app nor the log hears of it; what comes later does arrive."""
    double.lose_webhooks(1, status=0)
    double.push(repository, "main", {"a": "a"})
    after = double.push(repository, "main", {"a": "b"})

    (push,) = payloads(inbox, "push")
    assert push["after"] == after
    assert [one["event"] for one in double.deliveries() if one["repository"] == repository] == ["ping", "push"]


def test_repository_hook_has_a_log_of_its_own(api, inbox, other):
    """What went to one hook is not in another's log."""
    number = register(api, other.url).json()["id"]
    (ping,) = api("GET", f"/hooks/{number}/deliveries").json()
    whole = api("GET", f"/hooks/{number}/deliveries/{ping['id']}").json()

    assert (ping["event"], whole["request"]["payload"]["hook_id"]) == ("ping", number)
    unused = {"code": None, "status": "unused", "message": None}
    assert whole["request"]["payload"]["hook"]["last_response"] == unused
    assert said(api("GET", "/hooks/4711/deliveries")) == (404, "Not Found")


def test_hook_tells_how_its_last_delivery_was_answered(double, repository, api, other):
    """Of its own deliveries only."""
    number = register(api, other.url).json()["id"]
    wait_for(lambda: api("GET", f"/hooks/{number}").json()["last_response"]["code"])
    welcome = api("GET", f"/hooks/{number}").json()["last_response"]
    other.status = 401
    double.push(repository, "main", {"a": "a"})
    wait_for(lambda: api("GET", f"/hooks/{number}").json()["last_response"]["code"] != 202)

    assert welcome == {"code": 202, "status": "active", "message": "OK"}
    ours, theirs = (hook["last_response"] for hook in api("GET", "/hooks").json())
    assert theirs == {"code": 401, "status": "misconfigured", "message": "Invalid HTTP Response: 401"}
    assert ours["status"] == "active"


def test_renamed_repository_is_reached_under_its_old_name(double, repository, api, inbox):
    """Reading is sent on with 301, writing with 307; pushes are told under the new name."""
    double.rename_repository(repository, f"{repository}-renamed", by="maria")
    direct = api("GET", "/pulls?state=all", allow_redirects=False)
    followed = api("GET", "")
    written = api("POST", "/issues", json={"title": "X"}, allow_redirects=False)

    assert direct.status_code == 301
    assert direct.headers["Location"] == f"{double.origin}/repos/{repository}-renamed/pulls?state=all"
    assert followed.json()["full_name"] == f"{repository}-renamed"
    assert (written.status_code, written.headers["Location"][-7:]) == (307, "/issues")
    told = payloads(inbox, "repository", "renamed")[0]
    assert told["changes"] == {"repository": {"name": {"from": repository.split("/")[1]}}}
    double.push(f"{repository}-renamed", "main", {"a": "a"})
    assert payloads(inbox, "push")[0]["repository"]["full_name"] == f"{repository}-renamed"


def test_deleted_repository_is_gone(double, repository, api, inbox):
    """It is told once, and nothing of it is found any more, though its deliveries stay in the log."""
    double.delete_repository(repository, by="maria")

    assert said(api("GET", "")) == (404, "Not Found")
    assert payloads(inbox, "repository", "deleted")[0]["sender"]["login"] == "maria"
    assert double.deliveries()[-1]["repository"] == repository
    double.create_repository(repository)
    assert api("GET", "/pulls").json() == []


def test_own_hook_signs_with_the_secret_it_was_started_with(double, repository, inbox):
    """The log never tells a secret."""
    double.push(repository, "main", {"a": "a"})
    payloads(inbox, "push")

    assert SECRET not in json.dumps(double.deliveries())
