"""Pull requests as GitHub keeps them: drafts, forks, whether they can be merged, how they end."""

from __future__ import annotations

import pytest

from devhost.github.client import DoubleError
from tests.devhost.github.world import payloads, said


@pytest.fixture
def change(double, repository):
    """An open pull request of alex, #1, that adds a file."""
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, author="alex")
    return double.open_pull_request(repository, "alex/1-answer", "Answer", "why", "alex")


def looked(api, number=1):
    """Read a pull request twice: GitHub works out whether it can be merged once somebody asked."""
    api("GET", f"/pulls/{number}")
    return api("GET", f"/pulls/{number}").json()


def state(api, number=1):
    pull = looked(api, number)
    return pull["mergeable"], pull["mergeable_state"]


def test_mergeable_is_unknown_at_first(double, repository, api, change):
    """The first look after a push says null, the next ones the truth."""
    first = api("GET", "/pulls/1").json()
    second = api("GET", "/pulls/1").json()
    double.push(repository, "main", {"b.txt": "b"})
    third = api("GET", "/pulls/1").json()

    assert (first["mergeable"], first["mergeable_state"]) == (None, "unknown")
    assert (second["mergeable"], second["mergeable_state"]) == (True, "clean")
    assert third["mergeable"] is None


def test_conflict_is_dirty_and_cannot_be_merged(double, repository, api, change):
    """What git cannot merge, GitHub does not."""
    double.push(repository, "main", {"a.txt": "another"})

    assert state(api) == (False, "dirty")
    assert said(api("PUT", "/pulls/1/merge", json={})) == (405, "Pull Request is not mergeable")


def test_failed_or_running_checks_make_it_unstable(double, repository, api, change):
    """A status or check that is not good does not keep GitHub from merging; it says so."""
    sha = change["head"]["sha"]
    double.report_check(repository, sha, "ci", None)
    running = state(api)
    double.report_check(repository, sha, "ci", "skipped")
    skipped = state(api)
    double.report_status(repository, sha, "jenkins", "failure")

    assert [running, skipped, state(api)] == [(True, "unstable"), (True, "clean"), (True, "unstable")]


def test_required_checks_and_reviews_block(double, repository, api, change):
    """A protected branch takes nothing before its checks passed and somebody who may write approved."""
    double.protect(repository, "main", checks=["ci"], reviews=1)
    unchecked = said(api("PUT", "/pulls/1/merge", json={}))
    double.report_check(repository, change["head"]["sha"], "ci", "success")
    double.review(repository, 1, "stranger", "APPROVED")
    unreviewed = said(api("PUT", "/pulls/1/merge", json={}))
    blocked = state(api)
    double.review(repository, 1, "sam", "APPROVED")

    assert unchecked == (405, 'Required status check "ci" is expected.')
    assert unreviewed == (405, "At least 1 approving review is required by reviewers with write access.")
    assert blocked == (True, "blocked")
    assert state(api) == (True, "clean")
    assert api("PUT", "/pulls/1/merge", json={}).json()["merged"] is True


def test_reviews_are_listed_and_answer_requests(double, repository, api, change):
    """Who was asked is asked no longer once they said something; nobody approves their own change."""
    double.request_review(repository, 1, ["sam", "maria"])
    double.review(repository, 1, "sam", "CHANGES_REQUESTED", "shorter")

    assert [one["login"] for one in api("GET", "/pulls/1").json()["requested_reviewers"]] == ["maria"]
    (review,) = api("GET", "/pulls/1/reviews").json()
    assert (review["user"]["login"], review["state"], review["body"]) == ("sam", "CHANGES_REQUESTED", "shorter")
    with pytest.raises(DoubleError, match="your own pull request"):
        double.review(repository, 1, "alex", "APPROVED")


def test_draft_waits_until_it_is_ready(double, repository, api, inbox):
    """A draft cannot be merged; both turns are told."""
    double.push(repository, "alex/2-x", {"x": "x"})
    opened = double.open_pull_request(repository, "alex/2-x", "X", draft=True)
    drafted = state(api)
    refused = said(api("PUT", "/pulls/1/merge", json={}))
    ready = double.ready(repository, 1, by="alex")
    double.to_draft(repository, 1, by="alex")

    assert (opened["draft"], drafted, ready["draft"]) == (True, (True, "draft"), False)
    assert refused == (405, "Pull Request is still a draft")
    assert payloads(inbox, "pull_request", "ready_for_review")[0]["pull_request"]["draft"] is False
    assert payloads(inbox, "pull_request", "converted_to_draft")[0]["pull_request"]["draft"] is True
    assert [one["event"] for one in api("GET", "/issues/1/events").json()] == ["ready_for_review", "convert_to_draft"]


def test_forced_push_moves_the_head(double, repository, api, inbox, change):
    """A rewritten branch is one synchronize, and a line of history."""
    double.push(repository, "alex/1-answer", {"b.txt": "b"}, base="main", force=True)

    (moved,) = payloads(inbox, "pull_request", "synchronize")
    assert (moved["before"], moved["after"]) == (change["head"]["sha"], moved["pull_request"]["head"]["sha"])
    assert [one["event"] for one in api("GET", "/issues/1/timeline").json()] == ["head_ref_force_pushed"]
    assert [one["filename"] for one in api("GET", "/pulls/1/files").json()] == ["b.txt"]


def test_fork_brings_a_change_from_elsewhere(double, repository, api, inbox):
    """Its head is in another repository; pushes there are told here, and it can be merged."""
    fork = double.fork(repository, "someone")["full_name"]
    double.push(fork, "fix", {"f.txt": "f"}, author="someone")
    pull = double.open_pull_request(repository, "someone:fix", "Fix", author="someone")
    tip = double.push(fork, "fix", {"g.txt": "g"}, author="someone")
    merged = api("PUT", "/pulls/1/merge", json={"sha": tip, "merge_method": "squash"})

    assert (pull["head"]["repo"]["full_name"], pull["head"]["label"]) == (fork, "someone:fix")
    assert pull["head"]["repo"]["fork"] is True
    assert (pull["base"]["repo"]["full_name"], pull["author_association"]) == (repository, "NONE")
    assert payloads(inbox, "pull_request", "synchronize")[0]["after"] == tip
    assert merged.status_code == 200
    assert {one.event for one in inbox.taken if b'"full_name": "someone/' in one.body} == {"pull_request"}


def test_deleted_fork_leaves_the_change_without_a_head_repository(double, repository, api):
    """GitHub says null where the fork was; the commits are still there."""
    fork = double.fork(repository, "someone")["full_name"]
    double.push(fork, "fix", {"f.txt": "f"}, author="someone")
    double.open_pull_request(repository, "someone:fix", "Fix", author="someone")
    double.delete_repository(fork)

    assert api("GET", "/pulls/1").json()["head"]["repo"] is None
    assert [one["filename"] for one in api("GET", "/pulls/1/files").json()] == ["f.txt"]


def test_deleted_branches_close_their_changes(double, repository, api, inbox, change):
    """A head that is deleted ends its change; it can come back and be reopened."""
    double.delete_branch(repository, "alex/1-answer", by="alex")
    closed = api("GET", "/pulls/1").json()
    with pytest.raises(DoubleError, match="cannot be reopened"):
        double.reopen(repository, 1, by="alex")
    double.move_branch(repository, "alex/1-answer", change["head"]["sha"])
    reopened = double.reopen(repository, 1, by="alex")

    assert (closed["state"], closed["merged"], reopened["state"]) == ("closed", False, "open")
    assert payloads(inbox, "pull_request", "closed")[0]["sender"]["login"] == "alex"
    assert payloads(inbox, "pull_request", "reopened")[0]["pull_request"]["closed_at"] is None


def test_edits_tell_what_was_there_before(double, repository, api, inbox, change):
    """Title, text and base can change; what stays the same is told to nobody."""
    api("PATCH", "/pulls/1", json={"title": "Answer better", "body": "why"})
    api("PATCH", "/pulls/1", json={"base": "develop"})

    first, second = payloads(inbox, "pull_request", "edited", count=2)
    assert first["changes"] == {"title": {"from": "Answer"}}
    assert second["changes"]["base"]["ref"] == {"from": "main"}
    assert second["pull_request"]["base"]["ref"] == "develop"


def test_lists_are_sorted_and_narrowed(double, repository, api, change):
    """By creation or last update, either way; by state, base and head."""
    double.push(repository, "sam/2-x", {"x": "x"})
    double.open_pull_request(repository, "sam/2-x", "X", base="develop")
    double.push(repository, "sam/3-y", {"y": "y"})
    double.open_pull_request(repository, "sam/3-y", "Y")
    double.close(repository, 3, by="sam")

    def listed(**query):
        return [pull["number"] for pull in api("GET", "/pulls", params=query).json()]

    assert listed() == [2, 1]
    assert listed(state="all", sort="created", direction="asc") == [1, 2, 3]
    assert listed(state="all", sort="updated", direction="desc")[0] == 3
    assert listed(base="develop") == [2]
    assert listed(head=f"{repository.split('/')[0]}:alex/1-answer") == [1]
    assert api("GET", "/pulls", params={"per_page": 1}).links["next"]["url"].endswith("page=2")


def test_many_files_come_in_pages(double, repository, api):
    """Counts are of the whole change."""
    double.push(repository, "alex/1-x", {f"f{number:03}.txt": "x\n" for number in range(120)})
    double.open_pull_request(repository, "alex/1-x", "X")
    second = api("GET", "/pulls/1/files", params={"per_page": 100, "page": 2}).json()

    assert [file["filename"] for file in second] == [f"f{number:03}.txt" for number in range(100, 120)]
    pull = api("GET", "/pulls/1").json()
    assert (pull["changed_files"], pull["additions"], pull["commits"]) == (120, 120, 1)
