"""Issues, labels, comments, and the histories they leave."""

from __future__ import annotations

import pytest

from tests.devhost.github.world import payloads, said


@pytest.fixture
def change(double, repository):
    """An open pull request, #1."""
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, author="alex")
    return double.open_pull_request(repository, "alex/1-answer", "Answer", "why", "alex")


def test_issue_lives(api, inbox):
    """Opened with labels, edited, closed with a reason, reopened: answers and webhooks say so."""
    opened = api("POST", "/issues", json={"title": "Worse", "body": "f1 fell", "labels": ["nightly"]}).json()
    api("PATCH", "/issues/1", json={"body": "f1 fell again"})
    closed = api("PATCH", "/issues/1", json={"state": "closed", "state_reason": "not_planned"}).json()
    again = api("PATCH", "/issues/1", json={"state": "open"}).json()

    assert (opened["number"], [label["name"] for label in opened["labels"]]) == (1, ["nightly"])
    assert (closed["state"], closed["state_reason"], closed["closed_by"]["login"]) == (
        "closed",
        "not_planned",
        "drawbridge-ci",
    )
    assert (again["state"], again["closed_at"]) == ("open", None)
    actions = ["opened", "labeled", "edited", "closed", "reopened"]
    assert [payloads(inbox, "issues", action)[0]["issue"]["number"] for action in actions] == [1] * 5


def test_issues_and_changes_share_their_numbers(api, change):
    """A pull request is an issue with a key of its own, and its number is taken."""
    api("POST", "/issues", json={"title": "Worse"})
    both = api("GET", "/issues", params={"direction": "asc"}).json()

    assert [one["number"] for one in both] == [1, 2]
    assert ["pull_request" in one for one in both] == [True, False]
    assert said(api("GET", "/pulls/2")) == (404, "Not Found")


def test_issue_lists_are_narrowed(double, repository, api):
    """By state, labels that are all there, creator, and the last change."""
    double.open_issue(repository, "one", author="sam", labels=["nightly", "bug"])
    double.open_issue(repository, "two", author="maria", labels=["nightly"])
    double.close(repository, 2, by="maria")

    def listed(**query):
        return [one["number"] for one in api("GET", "/issues", params=query).json()]

    assert listed() == [1]
    assert listed(state="all") == [2, 1]
    assert listed(state="all", labels="Nightly") == [2, 1]
    assert listed(state="all", labels="nightly,bug") == [1]
    assert listed(state="all", creator="maria") == [2]
    assert listed(state="all", since="2100-01-01T00:00:00Z") == []


def test_label_is_made_by_using_it_and_is_one_whatever_its_case(double, repository, api, change):
    """GitHub makes labels on the way; a second spelling is the same label."""
    double.add_label(repository, 1, "Skip-Evaluation", by="alex")
    double.add_label(repository, 1, "skip-evaluation", by="sam")

    assert [label["name"] for label in api("GET", "/labels").json()] == ["Skip-Evaluation"]
    assert [one["actor"]["login"] for one in api("GET", "/issues/1/events").json()] == ["alex"]


def test_renamed_label_stays_where_it_is(double, repository, api, inbox, change):
    """What carries a label carries its new name; what was said about the old one stays said."""
    double.add_label(repository, 1, "skip", by="alex")
    double.rename_label(repository, "skip", "skip-evaluation", by="maria")

    assert [label["name"] for label in double.pull(repository, 1)["labels"]] == ["skip-evaluation"]
    assert [one["label"]["name"] for one in api("GET", "/issues/1/events").json()] == ["skip"]
    assert payloads(inbox, "label", "edited")[0]["changes"] == {"name": {"from": "skip"}}


def test_labels_of_a_repository_are_made_changed_and_deleted(api, change):
    """A name only once, a colour of six digits; a deleted label is gone from where it was."""
    made = api("POST", "/labels", json={"name": "debt", "color": "ff0000", "description": "to be paid"})
    again = api("POST", "/labels", json={"name": "Debt"})
    pale = api("POST", "/labels", json={"name": "pale", "color": "red"})
    api("POST", "/issues/1/labels", json={"labels": ["debt"]})
    renamed = api("PATCH", "/labels/debt", json={"new_name": "evaluation debt", "color": "00ff00"}).json()
    on_change = api("GET", "/issues/1/labels").json()
    gone = api("DELETE", "/labels/evaluation%20debt")

    assert (made.status_code, made.json()["description"]) == (201, "to be paid")
    assert said(again) == (422, "Validation Failed", "already_exists")
    assert said(pale) == (422, "Validation Failed", "invalid")
    assert (renamed["name"], renamed["color"]) == ("evaluation debt", "00ff00")
    assert on_change == [renamed]
    assert gone.status_code == 204
    assert api("GET", "/issues/1/labels").json() == []
    assert said(api("GET", "/labels/debt")) == (404, "Not Found")


def test_labels_may_come_as_a_bare_array(api, change):
    """GitHub takes the array where it describes an object; PUT leaves exactly those."""
    api("POST", "/issues/1/labels", json=["one", "two"])
    left = api("PUT", "/issues/1/labels", json={"labels": ["two", "three"]}).json()

    assert [label["name"] for label in left] == ["two", "three"]


def test_comments_are_told_with_what_they_were(double, repository, inbox, change):
    """Created, edited, deleted; the thread says that it is a pull request."""
    said_first = double.comment(repository, 1, "/evaluate minimal", by="sam")["comments"][0]
    double.edit_comment(repository, said_first["id"], "/evaluate full", by="sam")
    double.delete_comment(repository, said_first["id"], by="maria")

    created = payloads(inbox, "issue_comment", "created")[0]
    assert (created["comment"]["body"], created["comment"]["author_association"]) == (
        "/evaluate minimal",
        "COLLABORATOR",
    )
    assert created["issue"]["pull_request"]["merged_at"] is None
    edited = payloads(inbox, "issue_comment", "edited")[0]
    assert edited["changes"] == {"body": {"from": "/evaluate minimal"}}
    assert payloads(inbox, "issue_comment", "deleted")[0]["sender"]["login"] == "maria"


def test_comments_of_all_threads_are_listed_by_time(double, repository, api, change):
    """Each leads to its thread; `since` is about the last change."""
    double.open_issue(repository, "Worse", author="sam")
    double.comment(repository, 2, "here", by="sam")
    double.comment(repository, 1, "there", by="maria")
    listed = api("GET", "/issues/comments", params={"sort": "updated", "direction": "asc"}).json()
    newest = api("GET", "/issues/comments", params={"sort": "created", "direction": "desc"}).json()

    assert [one["body"] for one in listed] == ["here", "there"]
    assert [one["body"] for one in newest] == ["there", "here"]
    assert [one["html_url"].rsplit("/", 2)[1:] for one in listed] == [
        ["issues", f"2#issuecomment-{listed[0]['id']}"],
        ["pull", f"1#issuecomment-{listed[1]['id']}"],
    ]
    assert api("GET", "/issues/comments", params={"since": "2100-01-01T00:00:00Z"}).json() == []


def test_histories_of_one_thread_and_of_all(double, repository, api, change):
    """The events of all threads come newest first, with the thread; a timeline has the comments between."""
    double.add_label(repository, 1, "docs", by="alex")
    double.comment(repository, 1, "fine", by="sam")
    double.merge(repository, 1, by="maria")

    events = api("GET", "/issues/events").json()
    assert [one["event"] for one in events] == ["closed", "merged", "labeled"]
    assert events[0]["issue"]["number"] == 1
    timeline = api("GET", "/issues/1/timeline").json()
    assert [one["event"] for one in timeline] == ["labeled", "commented", "merged", "closed"]
