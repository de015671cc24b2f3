"""What the double delivers, when, and signed how."""

from __future__ import annotations

import json
import uuid

from devhost.github.webhooks import signature
from tests.devhost.github.world import SECRET, git, wait_for

ZEROS = "0" * 40


def events(inbox):
    return [(one.event, json.loads(one.body).get("action")) for one in inbox.taken]


def taken(inbox, event, action=None, count=1):
    """Wait for deliveries of an event and give the newest one's payload."""
    wait_for(lambda: events(inbox).count((event, action)) >= count)
    return [
        json.loads(one.body)
        for one in inbox.taken
        if (one.event, json.loads(one.body).get("action")) == (event, action)
    ][-1]


def test_signature_is_the_one_github_documents():
    """GitHub's published example gives the same digest here."""
    digest = signature("It's a Secret to Everybody", b"Hello, World!")

    assert digest == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_delivery_is_signed_and_named(double, inbox, repository):
    """Headers carry the event, an id of the delivery, the hook's id and the signature of the raw body."""
    double.push(repository, "main", {"a.txt": "a"})
    taken(inbox, "push")

    (delivery,) = inbox.taken
    assert delivery.headers["X-Hub-Signature-256"] == signature(SECRET, delivery.body)
    assert uuid.UUID(delivery.headers["X-GitHub-Delivery"])
    assert delivery.headers["X-GitHub-Hook-ID"] == "1"
    assert delivery.headers["Content-Type"] == "application/json"
    assert delivery.headers["User-Agent"].startswith("GitHub-Hookshot/")


def test_new_repository_pings(double, inbox, repository):
    """A repository's webhook introduces itself."""
    double.create_repository(f"{repository}-second")

    payload = taken(inbox, "ping")
    assert payload["hook_id"] == 1
    assert payload["repository"]["full_name"] == f"{repository}-second"


def test_push_tells_where_the_branch_was_and_is(double, inbox, repository):
    """A push names branch, both commits, the commits between and who pushed."""
    before = double.repository(repository)["heads"]["main"]
    after = double.push(repository, "main", {"a.txt": "a"}, "Add a\n\nwith reasons", author="sam")

    payload = taken(inbox, "push")
    assert (payload["ref"], payload["before"], payload["after"]) == ("refs/heads/main", before, after)
    assert (payload["created"], payload["deleted"], payload["forced"]) == (False, False, False)
    assert payload["head_commit"]["message"] == "Add a\n\nwith reasons"
    assert [commit["id"] for commit in payload["commits"]] == [after]
    assert payload["pusher"]["name"] == payload["sender"]["login"] == "sam"
    assert payload["repository"]["full_name"] == repository


def test_plain_git_push_is_told_too(double, inbox, repository, tmp_path):
    """A person's `git push` from a clone reaches the webhook through the hook; each push is one event."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", double.repository(repository)["clone_path"], str(clone))
    for name in ("one", "two"):
        (clone / name).write_text(name)
        git(clone, "add", ".")
        git(clone, "commit", "--quiet", "-m", name)
        git(clone, "push", "--quiet")

    payload = taken(inbox, "push", count=2)
    assert events(inbox) == [("push", None)] * 2
    assert payload["after"] == git(clone, "rev-parse", "HEAD")
    assert payload["pusher"]["name"] == "alex"


def test_new_and_deleted_branches_have_zeros(double, inbox, repository, tmp_path):
    """A branch comes from, and goes to, forty zeros."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", double.repository(repository)["clone_path"], str(clone))
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/alex/7-words")
    created = taken(inbox, "push")
    git(clone, "push", "--quiet", "origin", ":alex/7-words")
    deleted = taken(inbox, "push", count=2)

    assert (created["before"], created["created"], created["commits"]) == (ZEROS, True, [])
    assert (deleted["after"], deleted["deleted"], deleted["head_commit"]) == (ZEROS, True, None)


def test_forced_push_says_so(double, inbox, repository):
    """A branch set back and rewritten is marked as forced."""
    first = double.repository(repository)["heads"]["main"]
    double.push(repository, "main", {"a.txt": "a"})
    double.push(repository, "main", {"b.txt": "b"}, base=first, force=True)

    assert taken(inbox, "push", count=2)["forced"] is True


def test_pull_request_tells_its_life(double, inbox, repository):
    """Opening, labelling, pushing to, unlabelling and merging are told, each with its details."""
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, author="alex")
    double.open_pull_request(repository, "alex/1-answer", "Answer", "why", "alex", ["docs"])
    double.push(repository, "alex/1-answer", {"b.txt": "b"}, author="alex")
    double.remove_label(repository, 1, "docs", by="sam")
    double.merge(repository, 1, by="maria")

    opened = taken(inbox, "pull_request", "opened")
    assert (opened["number"], opened["pull_request"]["title"], opened["sender"]["login"]) == (1, "Answer", "alex")
    assert taken(inbox, "pull_request", "labeled")["label"]["name"] == "docs"
    moved = taken(inbox, "pull_request", "synchronize")
    assert moved["after"] == moved["pull_request"]["head"]["sha"] != moved["before"]
    assert taken(inbox, "pull_request", "unlabeled")["sender"]["login"] == "sam"
    closed = taken(inbox, "pull_request", "closed")
    assert (closed["pull_request"]["merged"], closed["pull_request"]["merged_by"]["login"]) == (True, "maria")
    pushes = wait_for(lambda: [one for one in inbox.taken if one.event == "push" and b"refs/heads/main" in one.body])
    assert json.loads(pushes[0].body)["after"] == closed["pull_request"]["merge_commit_sha"]


def test_pushing_a_pull_request_to_its_base_merges_it(double, inbox, repository, tmp_path):
    """A merge done by hand and pushed closes the pull request as merged, as on GitHub."""
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, author="alex")
    double.open_pull_request(repository, "alex/1-answer", "Answer", author="alex")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", double.repository(repository)["clone_path"], str(clone))
    git(clone, "merge", "--quiet", "--no-ff", "--no-edit", "origin/alex/1-answer", author="sam")
    git(clone, "push", "--quiet")

    closed = taken(inbox, "pull_request", "closed")
    assert closed["pull_request"]["merged"] is True
    assert closed["pull_request"]["merge_commit_sha"] == git(clone, "rev-parse", "HEAD")


def test_failed_delivery_is_not_repeated_until_asked(double, inbox, repository):
    """A 500 is logged once; redelivery sends the same body under the same id and is a line of its own."""
    inbox.status = 500
    double.push(repository, "main", {"a.txt": "a"})
    failed = wait_for(lambda: [one for one in double.deliveries() if one["status_code"] == 500])[-1]
    inbox.status = 202
    double.redeliver(failed["id"])
    again = wait_for(lambda: [one for one in double.deliveries() if one["redelivery"] and one["status_code"] == 202])[
        -1
    ]

    first, second = inbox.taken
    assert first.body == second.body
    assert first.headers["X-GitHub-Delivery"] == second.headers["X-GitHub-Delivery"] == failed["guid"] == again["guid"]
    assert again["id"] != failed["id"]


def test_hostile_names_do_no_harm(double, inbox, repository):
    """Branches, titles and authors with quotes, markup and shell characters arrive as they are."""
    branch = "alex/1-$(touch pwned)`id`;'\"<b>&".replace(" ", "-")
    title = "'; DROP TABLE records; -- <script>alert(1)</script>\n$(reboot)"
    double.push(repository, branch, {"a b'\".txt": "x"}, title, author='Eve "<eve@x>" \n; rm -rf /')
    double.open_pull_request(repository, branch, title, "<!-- -->", author="eve<img src=x>")
    merged = double.merge(repository, 1, by="-- eve")

    payload = taken(inbox, "pull_request", "closed")
    assert payload["pull_request"]["title"] == title
    assert payload["pull_request"]["head"]["ref"] == branch
    assert payload["pull_request"]["user"]["login"] == "eve<img src=x>"
    assert double.commit(repository, merged["merge_commit_sha"])["commit"]["message"].startswith(
        "Merge pull request #1"
    )
