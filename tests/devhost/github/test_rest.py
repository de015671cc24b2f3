"""The double answers as GitHub's API does: statuses, pages, limits, faults."""

from __future__ import annotations

import pytest
import requests

from devhost.github.client import DoubleError
from tests.devhost.github.world import said


def test_unknown_things_are_404(double, api):
    """A repository, path or number that is not there is 404 with GitHub's words."""
    assert said(requests.get(f"{double.origin}/repos/no/such", timeout=10)) == (404, "Not Found")
    assert said(api("GET", "/pulls/99")) == (404, "Not Found")
    assert said(api("GET", "/nothing/like/this")) == (404, "Not Found")
    assert said(api("GET", "/deployments/99")) == (404, "Not Found")
    assert said(api("GET", f"/commits/{'a' * 40}")) == (422, f"No commit found for SHA: {'a' * 40}")


def test_lists_come_in_pages_with_links(api, head):
    """Link names the other pages; each has its part; a page past the end is empty."""
    for number in range(5):
        api("POST", f"/statuses/{head}", json={"state": "pending", "context": f"c{number}"})
    first = api("GET", f"/commits/{head}/statuses?per_page=2")
    second = requests.get(first.links["next"]["url"], timeout=10)
    last = requests.get(first.links["last"]["url"], timeout=10)

    assert [one["context"] for one in first.json()] == ["c4", "c3"]
    assert [one["context"] for one in second.json()] == ["c2", "c1"]
    assert [one["context"] for one in last.json()] == ["c0"]
    assert sorted(first.links) == ["last", "next"]
    assert sorted(second.links) == ["first", "last", "next", "prev"]
    assert sorted(last.links) == ["first", "prev"]
    assert api("GET", f"/commits/{head}/statuses?per_page=2&page=9").json() == []


def test_limits_are_githubs(double, repository, api, head):
    """65,537 characters of comment and 141 of description are refused; one less is taken."""
    double.push(repository, "alex/1-x", {"a": "a"})
    double.open_pull_request(repository, "alex/1-x", "X")
    too_long = api("POST", "/issues/1/comments", json={"body": "x" * 65_537})
    description = api("POST", f"/statuses/{head}", json={"state": "success", "description": "x" * 141})

    assert said(too_long) == (422, "Validation Failed", "Body is too long (maximum is 65536 characters)")
    assert said(description) == (422, "Validation Failed", "description is too long (maximum is 140 characters)")
    assert api("POST", "/issues/1/comments", json={"body": "x" * 65_536}).status_code == 201
    assert api("POST", f"/statuses/{head}", json={"state": "success", "description": "x" * 140}).status_code == 201


def test_wrong_input_is_422_or_400(api, head):
    """States GitHub does not know and bodies that are not JSON are refused."""
    assert said(api("POST", f"/statuses/{head}", json={"state": "green"}))[:2] == (422, "Validation Failed")
    assert said(api("POST", f"/statuses/{head}", data="{")) == (400, "Problems parsing JSON")
    assert said(api("POST", f"/statuses/{head}", json=[1])) == (400, "Body should be a JSON object")
    assert said(api("POST", "/deployments", json={"ref": "no-such"})) == (422, "No ref found for: no-such")


def test_pull_requests_need_something_new(double, repository):
    """No commits, an unknown branch, a second one from the same branch: each refused in GitHub's words."""
    with pytest.raises(DoubleError, match="No commits between main and develop"):
        double.open_pull_request(repository, "develop", "Nothing")
    with pytest.raises(DoubleError, match="Validation Failed"):
        double.open_pull_request(repository, "no-such", "Nothing")
    double.push(repository, "develop", {"a": "a"})
    double.open_pull_request(repository, "develop", "Something")
    with pytest.raises(DoubleError, match="A pull request already exists for develop"):
        double.open_pull_request(repository, "develop", "Again")


def test_merge_methods_make_the_commits_github_makes(double, repository, api, head):
    """merge: a commit with two parents; squash: one commit; rebase: the commits again, with new shas."""
    landed = {}
    for number, method in enumerate(("merge", "squash", "rebase"), start=1):
        branch = f"alex/{number}-x"
        for part in ("one", "two"):
            tip = double.push(repository, branch, {f"{method}-{part}": "x"}, f"{method} {part}", author="alex")
        double.open_pull_request(repository, branch, f"By {method}")
        merged = double.merge(repository, number, by="maria", method=method)
        landed[method] = api("GET", f"/commits/{merged['merge_commit_sha']}").json()

        assert merged["merge_commit_sha"] != tip
        assert [one["number"] for one in api("GET", f"/commits/{merged['merge_commit_sha']}/pulls").json()] == [number]

    assert len(landed["merge"]["parents"]) == 2
    assert landed["squash"]["commit"]["message"].startswith("By squash (#2)")
    assert [file["filename"] for file in landed["squash"]["files"]] == ["squash-one", "squash-two"]
    assert landed["rebase"]["commit"]["message"] == "rebase two"
    assert landed["rebase"]["author"]["login"] == "alex"
    assert len(landed["rebase"]["parents"]) == 1


def test_newer_success_turns_the_older_inactive(api, head):
    """An environment has one active deployment."""
    ids = [api("POST", "/deployments", json={"ref": head, "environment": "dev"}).json()["id"] for _ in range(2)]
    for number in ids:
        api("POST", f"/deployments/{number}/statuses", json={"state": "success"})

    states = [[one["state"] for one in api("GET", f"/deployments/{number}/statuses").json()] for number in ids]
    assert states == [["inactive", "success"], ["success"]]


def test_deployment_waits_for_statuses_unless_told_otherwise(api, head):
    """Without a list of contexts every status has to be good; an empty list asks for none."""
    api("POST", f"/statuses/{head}", json={"state": "pending", "context": "ci"})
    refused = api("POST", "/deployments", json={"ref": head})
    named = api("POST", "/deployments", json={"ref": head, "required_contexts": ["other"]})

    assert said(refused) == said(named) == (409, f"Conflict: Commit status checks failed for {head}.")
    assert api("POST", "/deployments", json={"ref": head, "required_contexts": []}).status_code == 201


def test_fault_answers_as_told_and_only_so_often(double, api):
    """A fault takes the requests it fits, `times` of them, and no others."""
    double.fault(method="GET", path_regex="/commits$", status=429, retry_after=3, message="slow down", times=2)
    limited = api("GET", "/commits")

    assert said(limited) == (429, "slow down")
    assert limited.headers["Retry-After"] == "3"
    assert api("GET", "/branches").status_code == 200
    assert api("GET", "/commits").status_code == 429
    assert api("GET", "/commits").status_code == 200


def test_fault_may_answer_with_what_github_knew_a_moment_before(double, api):
    """Such as no commit yet, or no change that one came with."""
    double.fault(path_regex="/commits$", answer=[])

    assert api("GET", "/commits").json() == []
    assert len(api("GET", "/commits").json()) > 0


def test_fault_after_the_effect_loses_only_the_reply(double, repository, api, head):
    """The connection breaks, and the status is there."""
    double.fault(method="POST", path_regex="/statuses/", reset=True, after_effect=True)

    with pytest.raises(requests.ConnectionError):
        api("POST", f"/statuses/{head}", json={"state": "success"})
    assert [one["state"] for one in double.commit(repository, head)["statuses"]] == ["success"]


def test_unknown_fault_is_refused(double):
    """A misspelt field would be a test that tests nothing."""
    with pytest.raises(DoubleError, match="unexpected keyword argument 'statsu'"):
        double.fault(statsu=500)


def test_files_outside_the_repository_cannot_be_written(double, repository):
    """A path that climbs out is refused."""
    with pytest.raises(DoubleError, match="is not a path inside the repository"):
        double.push(repository, "main", {"../outside": "x"})


def test_deliveries_are_listed_and_sent_again_by_the_api(double, repository, api):
    """A reconciler reads the log as on GitHub and asks for another attempt."""
    failed = api("GET", "/hooks/1/deliveries").json()[0]
    attempt = api("POST", f"/hooks/1/deliveries/{failed['id']}/attempts")
    newest = api("GET", "/hooks/1/deliveries").json()[0]

    assert (failed["event"], failed["action"], failed["redelivery"]) == ("ping", None, False)
    assert attempt.status_code == 202
    assert (newest["guid"], newest["redelivery"]) == (failed["guid"], True)
    assert "payload" not in newest


def test_merge_call_checks_the_head(double, repository, api):
    """A head that moved since the caller looked is not merged."""
    tip = double.push(repository, "alex/1-x", {"a": "a"})
    double.open_pull_request(repository, "alex/1-x", "X")
    double.push(repository, "alex/1-x", {"b": "b"})
    stale = api("PUT", "/pulls/1/merge", json={"sha": tip})

    assert said(stale) == (409, "Head branch was modified. Review and try the merge again.")
    assert api("PUT", "/pulls/1/merge", json={}).json()["merged"] is True
    assert said(api("PUT", "/pulls/1/merge", json={})) == (405, "Pull Request is not mergeable")


def test_combined_status_is_the_newest_of_each_context(api, head):
    """One failing context makes the whole fail; an older word of the same context does not count."""
    for context, state in (("a", "failure"), ("a", "success"), ("b", "pending")):
        api("POST", f"/statuses/{head}", json={"state": state, "context": context})
    combined = api("GET", f"/commits/{head}/status").json()

    assert combined["state"] == "pending"
    assert {one["context"]: one["state"] for one in combined["statuses"]} == {"a": "success", "b": "pending"}


def test_methods_nobody_serves_are_404(api):
    """GitHub answers Not Found for a method it does not know on a path."""
    assert said(api("DELETE", "/branches")) == (404, "Not Found")
