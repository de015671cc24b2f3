"""What the double's merge queue builds, tells and lands."""

from __future__ import annotations

import json

import pytest

from devhost.github.client import DoubleError
from tests.devhost.github.world import payloads, said


def opened(double, repository, *names):
    """Open a change for each name."""
    numbers = []
    for name in names:
        double.push(repository, f"alex/{name}", {f"{name}.txt": name}, author="alex", base="main")
        numbers.append(double.open_pull_request(repository, f"alex/{name}", name, author="alex")["number"])
    return numbers


def sent(double, repository, event):
    """Give the payloads of an event in the order in which they were sent; they may arrive in another."""
    log = [one for one in double.deliveries() if (one["event"], one["repository"]) == (event, repository)]
    return [json.loads(one["payload"]) for one in log]


def test_each_change_is_built_on_the_one_before(double, repository):
    """And checks of each commit are asked for."""
    main = double.repository(repository)["heads"]["main"]
    first, second = double.queue(repository, opened(double, repository, "a", "b"), by="sam")

    told = [one["merge_group"] for one in sent(double, repository, "merge_group")]
    assert [(one["head_sha"], one["base_sha"]) for one in told] == [
        (first["head"], main),
        (second["head"], first["head"]),
    ]
    assert told[1]["head_ref"] == f"refs/heads/gh-readonly-queue/main/pr-2-{first['head']}"
    assert told[1]["base_ref"] == "refs/heads/main"
    assert double.repository(repository)["heads"][second["branch"]] == second["head"]


def test_group_that_is_given_up_says_why(double, inbox, repository):
    """Its branch goes with it."""
    (group,) = double.queue(repository, opened(double, repository, "a"), by="sam")
    double.leave_queue(repository, group["branch"], "invalidated")

    (told,) = payloads(inbox, "merge_group", "destroyed")
    assert (told["reason"], told["merge_group"]["head_sha"]) == ("invalidated", group["head"])
    assert group["branch"] not in double.repository(repository)["heads"]
    with pytest.raises(DoubleError, match="404"):
        double.leave_queue(repository, group["branch"])


def test_all_that_land_together_are_one_push(double, inbox, repository):
    """Each change is merged, by the queue's bot, with its own commit."""
    numbers = opened(double, repository, "a", "b")
    groups = double.queue(repository, numbers, by="sam")
    double.land_queue(repository, groups[1]["branch"])

    assert len(payloads(inbox, "merge_group", "destroyed", 2)) == 2
    pushed = [one for one in sent(double, repository, "push") if one["ref"] == "refs/heads/main"]
    assert [one["after"] for one in pushed] == [groups[1]["head"]]
    pulls = [double.pull(repository, number) for number in numbers]
    assert [pull["merge_commit_sha"] for pull in pulls] == [group["head"] for group in groups]
    assert {pull["merged_by"]["login"] for pull in pulls} == {"github-merge-queue[bot]"}


def test_queue_that_was_overtaken_does_not_land(double, repository):
    """Somebody pushed past it."""
    (group,) = double.queue(repository, opened(double, repository, "a"), by="sam")
    double.push(repository, "main", {"c.txt": "c"})

    with pytest.raises(DoubleError, match="409"):
        double.land_queue(repository, group["branch"])


def test_where_a_queue_is_required_nothing_else_merges(double, repository, api):
    """GitHub says so in its own words; the queue itself may."""
    (number,) = opened(double, repository, "a")
    double.protect(repository, "main", queue=True)
    refused = api("PUT", f"/pulls/{number}/merge", json={})
    api("GET", f"/pulls/{number}")
    state = api("GET", f"/pulls/{number}").json()["mergeable_state"]
    rules = api("GET", "/rules/branches/main").json()
    (group,) = double.queue(repository, [number], by="sam")
    double.land_queue(repository, group["branch"])

    words = "Repository rule violations found\n\nChanges must be made through the merge queue\n\n"
    assert said(refused) == (405, words)
    assert (state, [rule["type"] for rule in rules]) == ("blocked", ["merge_queue"])
    assert double.pull(repository, number)["merged"]
    with pytest.raises(DoubleError, match="422"):
        double.queue(repository, [number], by="sam")
