"""Files, trees and branches through the API."""

from __future__ import annotations

import base64

from tests.devhost.github.world import payloads, said


def coded(text):
    return base64.b64encode(text.encode()).decode()


def put(api, path, text, **fields):
    return api("PUT", f"/contents/{path}", json={"message": "Write", "content": coded(text), **fields})


def test_file_is_written_read_and_replaced(api, inbox, double, repository):
    """A new file is a commit and a push; an old one is replaced only by who knows what it holds."""
    made = put(api, "drawbridge.yaml", "version: 1\n", branch="develop")
    read = api("GET", "/contents/drawbridge.yaml", params={"ref": "develop"}).json()
    blind = put(api, "drawbridge.yaml", "version: 2\n", branch="develop")
    stale = put(api, "drawbridge.yaml", "version: 2\n", branch="develop", sha="0" * 40)
    replaced = put(api, "drawbridge.yaml", "version: 2\n", branch="develop", sha=read["sha"])

    assert (made.status_code, replaced.status_code) == (201, 200)
    assert base64.b64decode(read["content"]) == b"version: 1\n"
    assert (read["type"], read["size"], read["path"]) == ("file", 11, "drawbridge.yaml")
    assert "sha\" wasn't supplied" in said(blind)[1]
    assert said(stale) == (409, f"drawbridge.yaml does not match {'0' * 40}")
    assert payloads(inbox, "push", count=2)[0]["commits"][0]["added"] == ["drawbridge.yaml"]
    assert made.json()["commit"]["author"]["name"] == "drawbridge-ci"


def test_unknown_paths_branches_and_references_are_404(api):
    """Each in GitHub's words."""
    assert said(api("GET", "/contents/no/such.txt")) == (404, "Not Found")
    assert said(api("GET", "/contents/README.md?ref=nowhere")) == (404, "No commit found for the ref nowhere")
    assert said(put(api, "a.txt", "a", branch="nowhere")) == (404, "Branch nowhere not found")
    assert said(api("PUT", "/contents/a.txt", json={"message": "m", "content": "%"}))[0] == 422


def test_directories_and_trees_list_what_they_hold(double, repository, api):
    """A directory one level deep, a tree to the bottom when asked."""
    double.push(repository, "main", {"flows/chat/flow.dag.yaml": "a", "flows/readme.md": "b"})
    listed = api("GET", "/contents/flows").json()
    root = api("GET", "/git/trees/main").json()
    whole = api("GET", "/git/trees/main", params={"recursive": "1"}).json()

    assert [(one["type"], one["path"]) for one in listed] == [("dir", "flows/chat"), ("file", "flows/readme.md")]
    assert [one["path"] for one in root["tree"]] == ["README.md", "flows"]
    assert [one["path"] for one in whole["tree"] if one["type"] == "blob"] == [
        "README.md",
        "flows/chat/flow.dag.yaml",
        "flows/readme.md",
    ]


def test_branches_are_made_moved_and_deleted(double, repository, api, inbox, head):
    """Made once, moved forward or by force, deleted; each is a push."""
    ref = "refs/heads/drawbridge/onboard"
    made = api("POST", "/git/refs", json={"ref": ref, "sha": head})
    again = api("POST", "/git/refs", json={"ref": ref, "sha": head})
    tip = double.push(repository, "drawbridge/onboard", {"a": "a"})
    back = api("PATCH", "/git/refs/heads/drawbridge/onboard", json={"sha": head})
    forced = api("PATCH", "/git/refs/heads/drawbridge/onboard", json={"sha": head, "force": True})

    assert (made.status_code, made.json()["ref"]) == (201, ref)
    assert said(again) == (422, "Reference already exists")
    assert said(back) == (422, "Update is not a fast forward")
    assert forced.json()["object"]["sha"] == head
    assert api("DELETE", "/git/refs/heads/drawbridge/onboard").status_code == 204
    assert said(api("GET", "/git/ref/heads/drawbridge/onboard")) == (404, "Not Found")
    told = payloads(inbox, "push", count=4)
    assert [(one["created"], one["forced"], one["deleted"]) for one in told] == [
        (True, False, False),
        (False, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert told[2]["before"] == tip


def test_references_are_found_by_how_they_begin(double, repository, api):
    """None is no error."""
    double.push(repository, "alex/1-x", {"a": "a"})
    double.push(repository, "alex/2-y", {"b": "b"})

    def named(start):
        return [one["ref"] for one in api("GET", f"/git/matching-refs/{start}").json()]

    assert named("heads/alex/") == ["refs/heads/alex/1-x", "refs/heads/alex/2-y"]
    assert named("heads/sam/") == []


def test_commits_can_be_read_since_a_time(double, repository, api):
    """A branch's commits, those after a time, in pages."""
    for number in range(3):
        double.push(repository, "main", {"a": str(number)}, f"Change {number}")

    def listed(**query):
        return [one["commit"]["message"] for one in api("GET", "/commits", params=query).json()]

    assert listed(sha="main", per_page=2) == ["Change 2", "Change 1"]
    assert listed(sha="develop") == ["Start the repository"]
    assert listed(since="2090-01-01T00:00:00Z") == []
