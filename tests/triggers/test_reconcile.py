"""Nothing is lost and nothing happens twice: a real double of GitHub, real blobs, a durable client that remembers."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters import changes, connect, github_listing, github_seen
from adapters.blobs import Blobs
from adapters.github import GitHub
from adapters.github_listing import Answer
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain import blob_names, git_flow
from domain.changes import ChangeRecord
from domain.errors import Unavailable
from domain.git_flow import EndChange, GroupEvent, Push
from domain.models import ChangeRequest
from domain.reconcile import Pass, Seen
from settings import Branch, Settings
from tests.triggers.edge import FakeDurable
from triggers import dispatch, reconcile

TOKEN = "ghp_of_the_tests"
COUNTED = {200, 201, 404, 422}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A GitHub that tells nobody anything."""
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@dataclass
class World:
    """A repository on GitHub, and an app that nobody tells about it."""

    double: Client
    settings: Settings
    blobs: Blobs
    repository: str
    first: str  # commit
    client: FakeDurable = field(default_factory=FakeDurable)

    def reconcile(self) -> bool:
        """Make a pass."""
        return asyncio.run(self.reconciling())

    async def reconciling(self) -> bool:
        """Make a pass, among other things that happen at once."""
        return await reconcile.run(self.client, self.blobs, self.settings, self.github)

    def github(self) -> GitHub:
        return GitHub(self.double.origin, TOKEN, sleep=lambda _: None)

    def started(self, orchestrator: str) -> list[Any]:
        """Return the inputs of what was started."""
        return [payload for name, _, payload in self.client.started if name == orchestrator]

    def push(self, branch: str, message: str = "Change", **options: Any) -> str:
        """Push a commit of its own."""
        name = f"{message.replace(' ', '-')}-{next(_numbers)}.txt"
        return self.double.push(self.repository, branch, {name: message}, message, author="sam", **options)

    def open(self, branch: str, base: str = "develop", **options: Any) -> dict[str, Any]:
        """Open a change of one commit."""
        self.push(branch)
        return self.double.open_pull_request(self.repository, branch, "Answer better", base=base, **options)

    def seen(self) -> Seen:
        """Return what the reconciler remembers."""
        return github_seen.load(self.blobs, blob_names.seen(self.repository), Seen)

    def asked(self) -> list[tuple[str, int]]:
        """Return the requests since the last call of this, and how each was answered."""
        everything = [(one["path"], one["status"]) for one in self.double.requests()]
        new = everything[self._counted :]
        self._counted = len(everything)
        return new

    _counted: int = 0


@pytest.fixture
def world(app: Settings, double: Client) -> Iterator[World]:
    """A repository that has been looked at once."""
    repository = f"acme/app{next(_numbers)}"
    created = double.create_repository(repository, branches=("main", "develop"))
    settings = replace(app, repositories=(repository,), github_url=double.origin, reconcile_seconds=0.5)
    world = World(double, settings, connect.blobs(settings), repository, created["heads"]["main"])
    world.reconcile()
    yield world
    double.clear_faults()


def test_first_look_only_remembers(app: Settings, double: Client) -> None:
    """What was there before the app is not its business: installing it starts nothing."""
    repository = f"acme/app{next(_numbers)}"
    double.create_repository(repository, branches=("main", "develop"))
    settings = replace(app, repositories=(repository,), github_url=double.origin, reconcile_seconds=0.5)
    world = World(double, settings, connect.blobs(settings), repository, "")
    pull = world.open("sam/1-x")
    double.comment(repository, pull["number"], "/evaluate full", "sam")
    world.push("main")

    assert [world.reconcile() for _ in range(2)] == [True, True]
    assert world.client.started == []
    assert list(world.seen().changes or {}) == [pull["number"]]
    assert world.seen().trouble == ""


def test_push_that_nobody_told_of_is_released_once(world: World) -> None:
    """From the commit that was seen last, so that every merged change in between is found."""
    shas = [world.push("main") for _ in range(3)]
    for _ in range(3):
        world.reconcile()

    (request,) = world.started("release")
    assert (request["sha"], request["before"], request["branch"]) == (shas[-1], world.first, "main")
    assert (request["pusher"], request["forced"]) == ("sam", False)


def test_release_begins_where_the_last_one_that_was_told_ends(world: World) -> None:
    """The webhook of the second of three pushes came; the third's did not."""
    told, lost = world.push("main"), world.push("main")
    push = Push(world.repository, "main", world.first, told, "sam", "d-1")
    asyncio.run(dispatch.take(world.client, world.blobs, world.settings, push))
    world.reconcile()

    assert [(one["before"], one["sha"]) for one in world.started("release")] == [(world.first, told), (told, lost)]


def test_lost_push_before_one_that_was_told_has_no_release_of_its_own(world: World) -> None:
    """The release of the next one carries its changes: activities.find_origin begins behind it."""
    lost, told = world.push("main"), world.push("main")
    push = Push(world.repository, "main", lost, told, "sam", "d-1")
    asyncio.run(dispatch.take(world.client, world.blobs, world.settings, push))
    for _ in range(2):
        world.reconcile()

    assert [one["sha"] for one in world.started("release")] == [told]


def test_push_to_develop_that_nobody_told_of_is_evaluated_once(world: World) -> None:
    """As the webhook would have it."""
    sha = world.push("develop")
    for _ in range(2):
        world.reconcile()

    assert [(one["sha"], one["kind"]) for one in world.started("scheduled_evaluation")] == [(sha, "minimal")]


def test_develop_set_to_a_released_commit_is_evaluated(world: World) -> None:
    """That the commit has a release is no reason."""
    released = world.push("main")
    world.reconcile()
    world.double.move_branch(world.repository, "develop", released)
    world.reconcile()

    assert [one["sha"] for one in world.started("scheduled_evaluation")] == [released]


def test_webhook_and_two_hosts_at_once_start_one_release(world: World) -> None:
    """Whoever is first; the others find it started, or leave it to the next pass."""
    sha = world.push("main")
    event = Push(world.repository, "main", world.first, sha, "sam", "d-1")

    async def deliver() -> None:
        await dispatch.take(world.client, world.blobs, world.settings, event)

    async def look() -> None:
        place = reconcile.Place(world.client, world.blobs, world.settings, world.github(), world.repository)
        await reconcile.look_at(place, datetime.now(UTC))

    async def everything() -> None:
        await asyncio.gather(deliver(), look(), look(), deliver())

    asyncio.run(everything())
    world.reconcile()

    assert [one["sha"] for one in world.started("release")] == [sha]


def test_of_two_hosts_one_makes_the_pass(world: World) -> None:
    """The other finds the turn taken, and asks GitHub nothing."""

    async def both() -> tuple[bool, bool]:
        return await asyncio.gather(world.reconciling(), world.reconciling())

    assert sorted(asyncio.run(both())) == [False, True]


def test_pass_before_its_time_does_nothing(world: World) -> None:
    """The interval is the settings'."""
    world.settings = replace(world.settings, reconcile_seconds=300)
    world.asked()

    assert world.reconcile() is False
    assert world.asked() == []


def test_pass_that_could_not_look_at_everything_comes_again_soon(world: World) -> None:
    """A repository that was not there yet is not left out for a whole interval."""
    fine = github_seen.load(world.blobs, blob_names.SEEN_PASS, Pass).failed
    world.double.fault(path_regex=f"{world.repository}/pulls", times=1, status=403)
    world.reconcile()

    assert (fine, github_seen.load(world.blobs, blob_names.SEEN_PASS, Pass).failed) == (False, True)


@pytest.mark.parametrize(
    ("holder", "minutes", "due"),
    [("", 0, False), ("", 6, True), ("", -60, True), ("x", 6, False), ("x", 16, True), ("x", -60, True)],
)
def test_turn_is_taken_when_it_is_due_whatever_other_clocks_say(
    blobs: Blobs, holder: str, minutes: int, due: bool
) -> None:
    """A pass that began in an hour was begun by a host whose clock is off; one that never ended died."""
    now = datetime.now(UTC)
    github_seen.save(blobs, blob_names.SEEN_PASS, Pass((now - timedelta(minutes=minutes)).isoformat(), holder))

    assert bool(github_seen.begin_pass(blobs, now, 300)) is due


def test_rebase_merge_of_many_commits_is_one_release(world: World) -> None:
    """Of its last commit, from before its first."""
    for number in range(5):
        world.push("sam/2-many", f"Step {number}")
    number = world.double.open_pull_request(world.repository, "sam/2-many", "Many steps")["number"]
    merged = world.double.merge(world.repository, number, "maria", "rebase")
    world.reconcile()

    (request,) = world.started("release")
    assert (request["sha"], request["before"]) == (merged["merge_commit_sha"], world.first)


def test_rewritten_branch_is_released_as_rewritten(world: World) -> None:
    """What was seen last is no ancestor any more."""
    world.push("main", "Old")
    world.reconcile()
    old = world.seen().heads["main"]
    new = world.push("main", "New", base=world.first, force=True)
    world.reconcile()

    request = world.started("release")[-1]
    assert (request["sha"], request["before"], request["forced"]) == (new, old, True)


def test_branch_set_back_to_a_released_commit_starts_nothing(world: World) -> None:
    """That commit has had its one release."""
    released = world.push("main")
    world.reconcile()
    world.push("main")
    world.reconcile()
    world.double.move_branch(world.repository, "main", released)
    world.reconcile()

    assert len(world.started("release")) == 2
    assert world.seen().heads["main"] == released


def test_deleted_branch_starts_nothing_and_is_known_when_it_returns(world: World) -> None:
    """At the same commit nothing is new, at another one it is."""
    world.double.delete_branch(world.repository, "develop")
    world.reconcile()
    world.double.move_branch(world.repository, "develop", world.first)
    world.reconcile()

    assert world.client.started == []

    world.double.delete_branch(world.repository, "develop")
    world.reconcile()
    sha = world.push("develop", base="main")
    world.reconcile()

    assert [one["sha"] for one in world.started("scheduled_evaluation")] == [sha]


@pytest.mark.parametrize(("branch", "setting"), [("main", "RELEASE_BRANCH"), ("develop", "DEVELOP_BRANCH")])
def test_branch_that_is_gone_is_told_until_it_is_back(world: World, branch: str, setting: str) -> None:
    """Nothing would be released or evaluated, and nobody would know why. The other branch is looked at all the same."""
    world.double.delete_branch(world.repository, branch)
    for _ in range(2):
        world.reconcile()
    since = world.seen().trouble_since.replace("+", ".")
    told = rf"{world.repository}, since {since}: The branch {branch} of .* is gone .* set DRAWBRIDGE_{setting} "
    with pytest.raises(Unavailable, match=told):
        reconcile.check(world.settings)
    sha = world.push("develop" if branch == "main" else "main")
    world.reconcile()

    assert [payload["sha"] for _, _, payload in world.client.started] == [sha]

    world.double.move_branch(world.repository, branch, world.first)
    world.reconcile()

    assert reconcile.check(world.settings).startswith("webhooks;")
    assert len(world.client.started) == 1


def test_branch_that_a_setting_names_wrongly_is_told(world: World) -> None:
    """From the first look on."""
    world.settings = replace(world.settings, release_branch=Branch("mian"))
    world.reconcile()

    with pytest.raises(
        Unavailable, match=r"The branch mian of .* push it, or set DRAWBRIDGE_RELEASE_BRANCH to another"
    ):
        reconcile.check(world.settings)


def test_each_repository_is_looked_at_on_its_own_branches(world: World) -> None:
    """One pass over two of them: what is a release branch in one is nobody's in the other."""
    other = replace(world, repository=f"acme/app{next(_numbers)}")
    world.double.create_repository(other.repository, branches=("trunk", "next", "main"))
    world.settings = replace(
        world.settings,
        repositories=(world.repository, other.repository),
        release_branch=Branch("main", {other.repository: "trunk"}),
        develop_branch=Branch("develop", {other.repository: "next"}),
    )
    world.reconcile()
    other.push("main", base="main")
    released = {world.repository: ("main", world.push("main")), other.repository: ("trunk", other.push("trunk"))}
    evaluated = {world.repository: world.push("develop"), other.repository: other.push("next")}
    world.reconcile()

    assert {one["repository"]: (one["branch"], one["sha"]) for one in world.started("release")} == released
    assert {one["repository"]: one["sha"] for one in world.started("scheduled_evaluation")} == evaluated
    assert len(world.client.started) == 4


def test_branch_that_was_never_there_is_a_push_of_its_head(world: World) -> None:
    """As GitHub says it for a new branch."""
    world.settings = replace(world.settings, release_branch=Branch("production"))
    world.reconcile()
    sha = world.push("production", base="main")
    world.reconcile()

    (request,) = world.started("release")
    assert (request["sha"], request["before"], request["forced"]) == (sha, "0" * 40, False)


def test_open_change_that_nobody_told_of_is_validated_once(world: World) -> None:
    """Each head of it; a comment makes it newer and starts nothing."""
    pull = world.open("sam/3-x")
    world.reconcile()
    world.double.comment(world.repository, pull["number"], "Nice.", "maria")
    world.reconcile()
    second = world.push("sam/3-x")
    world.reconcile()

    assert [one["sha"] for one in world.started("pull_request")] == [pull["head"]["sha"], second]


def test_text_that_was_edited_has_its_opt_out_looked_at_again(world: World) -> None:
    """Its reason and checklist stand there; a comment, which makes the change newer as well, is no other text."""
    pull = world.open("sam/3-y")
    world.reconcile()
    world.double.comment(world.repository, pull["number"], "Nice.", "maria")
    world.reconcile()
    before = len(world.started("opt_out_preview"))
    world.double.edit(world.repository, pull["number"], "sam", body="Reason for skipping: documentation only")
    for _ in range(2):
        world.reconcile()

    assert (before, len(world.started("opt_out_preview"))) == (0, 1)
    assert len(world.started("pull_request")) == 1


@pytest.mark.parametrize(
    ("later", "other_words"),
    [
        ({"updated_at": "2026-11-23T10:00:00Z"}, False),
        ({"updated_at": "2026-11-23T10:00:00Z", "body": "why"}, True),
        ({"title": "Answer best"}, True),
        ({"body": "why", "draft": True}, False),
        ({"body": "why", "head": {"sha": "b" * 40}}, False),
        ({"body": "why", "base": {"ref": "main"}}, False),
    ],
)
def test_other_words_are_told_from_all_else_that_makes_a_change_newer(later: dict[str, Any], other_words: bool) -> None:
    """A comment makes it newer too; with another head, base or state it is validated anew, words and all."""
    pull: dict[str, Any] = {
        "updated_at": "2026-11-23T09:00:00Z",
        "head": {"sha": "a" * 40},
        "base": {"ref": "develop"},
        "draft": False,
        "title": "Answer better",
        "body": None,
    }
    before, after = github_listing.version(pull), github_listing.version({**pull, **later})

    assert before != after
    assert github_listing.reworded(before, after) is other_words


def test_text_that_was_edited_with_a_push_is_validated_with_it(world: World) -> None:
    """The validation looks at the opt-out itself."""
    pull = world.open("sam/3-z")
    world.reconcile()
    world.double.edit(world.repository, pull["number"], "sam", title="Answer much better")
    second = world.push("sam/3-z")
    world.reconcile()

    assert [one["sha"] for one in world.started("pull_request")] == [pull["head"]["sha"], second]
    assert world.started("opt_out_preview") == []


@pytest.mark.parametrize(("events", "buttons"), [("webhook", True), ("poll", False)])
def test_nobody_is_offered_a_button_that_is_not_heard(app: Settings, events: str, buttons: bool) -> None:
    """Polling does not see it pressed."""
    assert connect.github(replace(app, github_events=events))._buttons is buttons


def test_draft_waits_until_it_is_ready(world: World) -> None:
    """And ends what runs when it becomes a draft again."""
    pull = world.open("sam/4-x", draft=True)
    world.reconcile()
    waiting = len(world.client.started)
    world.double.ready(world.repository, pull["number"], "sam")
    world.reconcile()
    _, instance, _ = world.client.started[-1]
    take_up(world, pull, instance)
    world.double.to_draft(world.repository, pull["number"], "sam")
    world.reconcile()

    assert (waiting, len(world.started("pull_request"))) == (0, 1)
    assert known(world, pull).ended == "turned into a draft"


def retarget(world: World, pull: dict[str, Any], base: str) -> None:
    """Turn a change towards another branch."""
    url = f"{world.double.origin}/repos/{world.repository}/pulls/{pull['number']}"
    requests.patch(url, json={"base": base}, headers={"Authorization": f"token {TOKEN}"}, timeout=60).raise_for_status()


def take_up(world: World, pull: dict[str, Any], instance: str) -> None:
    """Let the change's story begin."""
    request = ChangeRequest(world.repository, pull["number"], pull["head"]["sha"], "d")
    record = ChangeRecord(world.repository, pull["number"], head=request.sha, instance=instance)
    changes.take_up(world.blobs, record)


def known(world: World, pull: dict[str, Any]) -> ChangeRecord:
    """Return what is known of a change."""
    found = changes.find(world.blobs, world.repository, pull["number"])
    assert found
    return found


@pytest.mark.parametrize(("act", "why"), [("close", "closed"), ("merge", "merged into develop")])
def test_change_that_left_unseen_ends(world: World, act: str, why: str) -> None:
    """Closed or merged; reopened with the same head it is validated once more."""
    pull = world.open("sam/5-x")
    world.reconcile()
    _, instance, _ = world.client.started[-1]
    take_up(world, pull, instance)
    getattr(world.double, act)(world.repository, pull["number"], "sam")
    world.reconcile()

    assert known(world, pull).ended == why

    if act == "close":
        world.double.reopen(world.repository, pull["number"], "sam")
        for _ in range(2):
            world.reconcile()

        assert [name for _, name, _ in world.client.started] == [instance, f"{instance}.2"]


def test_change_that_was_closed_and_reopened_between_two_looks_starts_nothing(world: World) -> None:
    """Nobody saw it closed: the result for its head stands."""
    pull = world.open("sam/5-x")
    world.reconcile()
    _, instance, _ = world.client.started[-1]
    take_up(world, pull, instance)
    world.double.close(world.repository, pull["number"], "sam")
    world.double.reopen(world.repository, pull["number"], "sam")
    seen = world.seen()
    # GitHub dates to the second: this one was seen in an earlier one.
    earlier = {number: f"2026-01-01T00:00:00Z {is_.partition(' ')[2]}" for number, is_ in (seen.changes or {}).items()}
    github_seen.save(world.blobs, blob_names.seen(world.repository), replace(seen, changes=earlier, pages={}))
    for _ in range(2):
        world.reconcile()

    assert world.seen().changes != earlier
    assert [name for _, name, _ in world.client.started] == [instance]
    assert not known(world, pull).ended


def test_change_that_was_ended_by_a_late_event_comes_back(world: World) -> None:
    """Events come in any order: GitHub shows it open, so it is validated, once."""
    pull = world.open("sam/6-x")
    world.reconcile()
    _, instance, _ = world.client.started[-1]
    take_up(world, pull, instance)
    late = EndChange(world.repository, pull["number"], "closed")
    asyncio.run(dispatch.act(world.client, world.blobs, world.settings, late))
    for _ in range(2):
        world.reconcile()

    assert [name for _, name, _ in world.client.started] == [instance, f"{instance}.2"]


def test_change_that_rightly_ended_is_not_asked_for_again(world: World) -> None:
    """A draft, or one towards a branch that is nobody's here, is open and waits for its author."""
    draft, stacked = world.open("sam/6-draft"), world.open("sam/6-stacked")
    world.push("sam/6-below")
    world.reconcile()
    for pull, (_, instance, _) in zip((draft, stacked), world.client.started, strict=True):
        take_up(world, pull, instance)
    world.double.to_draft(world.repository, draft["number"], "sam")
    retarget(world, stacked, "sam/6-below")
    for _ in range(2):
        world.reconcile()
    world.asked()
    world.reconcile()

    assert [known(world, pull).ended for pull in (draft, stacked)] == [
        "turned into a draft",
        "turned towards sam/6-below",
    ]
    assert {status for _, status in world.asked()} == {304}
    assert len(world.client.started) == 2


def test_labels_are_told_once_as_they_were_left(world: World) -> None:
    """On an open change they are looked at; after the merge they are toggles; those before the merge counted then."""
    pull = world.open("sam/7-x", base="main")
    number = pull["number"]
    world.double.add_label(world.repository, number, "skip", "sam")
    world.reconcile()
    world.double.merge(world.repository, number, "maria")
    world.reconcile()
    before = len(world.started("toggle"))
    for act in (world.double.remove_label, world.double.add_label, world.double.remove_label):
        act(world.repository, number, "skip", "maria")
    for _ in range(2):
        world.reconcile()

    assert len(world.started("opt_out_preview")) == 1
    assert before == 0
    assert [(one["label"], one["on"], one["by"]) for one in world.started("toggle")] == [("skip", False, "maria")]


def test_change_that_is_gone_holds_up_no_label_of_another(world: World) -> None:
    """GitHub has no such pull request any more: the toggles behind its own are told all the same."""
    gone, stays = (world.open(f"sam/{issue}-x", base="main")["number"] for issue in (7, 8))
    for number in (gone, stays):
        world.double.merge(world.repository, number, "maria")
    world.reconcile()
    for number in (gone, stays):
        world.double.add_label(world.repository, number, "skip", "maria")
    world.double.fault(method="GET", path_regex=rf"/pulls/{gone}$", status=404, times=10)
    world.reconcile()

    assert [one["number"] for one in world.started("toggle")] == [stays]


def test_renamed_label_starts_nothing(world: World) -> None:
    """GitHub renames it wherever it hangs and tells of no change; the config names the one that counts."""
    pull = world.open("sam/8-x", labels=["skip"])
    world.reconcile()
    started = len(world.client.started)
    world.double.rename_label(world.repository, "skip", "skip-all")
    world.reconcile()

    assert pull["number"] in (world.seen().changes or {})
    assert len(world.client.started) == started


def test_comments_that_nobody_told_of_are_heard_once(world: World) -> None:
    """Commands only, of people, on pull requests, as they were written first."""
    pull = world.open("sam/9-x")
    number = pull["number"]
    issue = world.double.open_issue(world.repository, "Help", author="sam")["number"]
    world.reconcile()
    asked = world.double.comment(world.repository, number, "/evaluate full", "sam")["comments"][-1]["id"]
    for text, by in [("> /evaluate full", "sam"), ("/evaluate minimal", "robot[bot]"), ("Nice.", "maria")]:
        world.double.comment(world.repository, number, text, by)
    world.double.comment(world.repository, issue, "/evaluate full", "sam")
    world.reconcile()
    world.double.edit_comment(world.repository, asked, "/evaluate minimal", "sam")
    world.reconcile()

    (ask,) = world.started("asked")
    assert (ask["number"], ask["comment"], ask["kind"], ask["by"]) == (number, asked, "full", "sam")


def test_look_at_what_has_not_changed_costs_nothing_of_the_rate_limit(world: World) -> None:
    """Everything is asked with its etag."""
    world.open("sam/10-x")
    world.double.comment(world.repository, 1, "Nice.", "maria")
    for _ in range(2):
        world.reconcile()
    world.asked()
    world.reconcile()

    asked = world.asked()
    assert len(asked) >= 5
    assert {status for _, status in asked} == {304}


def test_outage_of_github_is_told_with_its_beginning_and_ends_with_the_next_pass(world: World) -> None:
    """Nothing that happened meanwhile is lost."""
    world.double.fault(path_regex="^/repos/", times=1000, status=502)
    sha = world.push("main")
    for _ in range(2):
        world.reconcile()
    since = world.seen().trouble_since
    with pytest.raises(Unavailable, match=f"{world.repository}, since {since.replace('+', '.')}: .*is in trouble"):
        reconcile.check(world.settings)

    world.double.clear_faults()
    world.reconcile()

    assert [one["sha"] for one in world.started("release")] == [sha]
    assert world.seen().trouble == ""
    assert reconcile.check(world.settings).startswith("webhooks; GitHub is compared every 0.5 s, last at ")


def test_repository_that_is_gone_does_not_keep_others_from_being_looked_at(world: World) -> None:
    """It is named, with what to do."""
    gone = f"acme/app{next(_numbers)}"
    world.double.create_repository(gone)
    world.settings = replace(world.settings, repositories=(gone, world.repository))
    world.reconcile()
    world.double.delete_repository(gone)
    sha = world.push("main")
    world.reconcile()

    assert [one["sha"] for one in world.started("release")] == [sha]
    with pytest.raises(Unavailable, match=f"{gone}, since .*check the name and what our token or App may see"):
        reconcile.check(world.settings)


def test_answer_that_is_not_githubs_is_told_and_hurts_no_other_repository(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may answer with JSON of its own."""
    other = f"acme/app{next(_numbers)}"
    world.double.create_repository(other)
    real = GitHub.look

    def look(github: GitHub, repository: str, path: str, etag: str = "") -> Answer:
        return Answer({"blocked": "by policy"}, "") if repository == other else real(github, repository, path, etag)

    monkeypatch.setattr(GitHub, "look", look)
    world.settings = replace(world.settings, repositories=(other, world.repository))
    sha = world.push("main")
    world.reconcile()

    assert [one["sha"] for one in world.started("release")] == [sha]
    with pytest.raises(Unavailable, match=f"{other}, since .*It failed in an unexpected way: see this app's log"):
        reconcile.check(world.settings)


def test_renamed_repository_is_told_by_its_new_name(world: World) -> None:
    """GitHub leads on to it, but its webhooks would be refused."""
    new = f"acme/app{next(_numbers)}"
    world.double.rename_repository(world.repository, new)
    world.reconcile()

    with pytest.raises(Unavailable, match=f"{world.repository} is called {new} now: put that name into DRAWBRIDGE_"):
        reconcile.check(world.settings)


def test_repositories_of_one_name_are_kept_apart(world: World) -> None:
    """Two organisations may each have a helpdesk, with the very same commits."""
    other = world.repository.replace("acme/", "contoso/")
    world.double.create_repository(other, branches=("main", "develop"))
    world.settings = replace(world.settings, repositories=(world.repository, other))
    world.reconcile()
    sha = world.double.push(other, "main", {"a.txt": "a"}, author="sam")
    world.reconcile()

    ((_, instance, request),) = world.client.started
    assert (request["repository"], request["sha"]) == (other, sha)
    assert instance == git_flow.release_id(other, sha)
    assert world.seen().heads["main"] == world.first


def test_start_that_fails_is_done_by_a_later_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be started is not remembered; GitHub is in no trouble for that."""
    sha = world.push("main")
    world.client.trouble = ConnectionError("Durable is away")
    world.reconcile()
    after = world.seen().heads["main"], github_seen.load(world.blobs, blob_names.SEEN_PASS, Pass).failed
    world.client.trouble = None
    monkeypatch.setattr("triggers.start._LOST_AFTER", timedelta(0))
    world.reconcile()

    assert after == (world.first, True)
    assert [one["sha"] for one in world.started("release")] == [sha]
    assert world.seen().trouble == ""


def test_branches_with_strange_names_are_found(world: World, tmp_path: Path) -> None:
    """They are data in a path; a longer name that begins alike is another branch."""
    world.settings = replace(world.settings, develop_branch=Branch("te#am/dev el"))
    subprocess.run(["git", "check-ref-format", "refs/heads/te#am/devel"], check=True, cwd=tmp_path)
    world.settings = replace(world.settings, develop_branch=Branch("te#am/devel"))
    world.reconcile()
    world.push("te#am/devel-2", base="main")
    sha = world.push("te#am/devel", base="main")
    world.reconcile()

    assert [one["sha"] for one in world.started("scheduled_evaluation")] == [sha]


def queue_up(world: World, base: str = "main", number: int = 7) -> str:
    """Let a merge queue make a branch of its own, and return its head."""
    parent = world.double.repository(world.repository)["heads"]["main"]
    return world.push(f"gh-readonly-queue/{base}/pr-{number}-{parent}", base=parent)


def test_group_of_a_merge_queue_that_nobody_told_of_is_validated_once(world: World) -> None:
    """A queue waits for our status and throws its changes out without it. Looking again costs nothing."""
    head, other = queue_up(world), queue_up(world, base="docs")
    for _ in range(2):
        world.reconcile()
    world.asked()
    world.reconcile()

    (group,) = world.started("merge_group")
    assert (group["sha"], group["base"]) == (head, "main")
    assert other not in str(world.client.started)
    assert {status for _, status in world.asked()} == {304}


def test_group_that_a_webhook_told_of_is_not_validated_again(world: World) -> None:
    """Whoever tells of it, it is the same commit."""
    head = queue_up(world)
    (branch,) = [name for name in world.double.repository(world.repository)["heads"] if name.startswith("gh-")]
    told = GroupEvent(world.repository, branch, "main", head, "checks_requested", "d-1")
    asyncio.run(dispatch.take(world.client, world.blobs, world.settings, told))
    world.reconcile()

    assert len(world.started("merge_group")) == 1


def test_group_that_could_not_be_started_is_started_by_the_next_pass(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is asked for without its etag until everything on it was dealt with."""
    queue_up(world)
    world.client.trouble = RuntimeError("the task hub is away")
    world.reconcile()
    before = dict(world.seen().queue)
    world.client.trouble = None
    monkeypatch.setattr("triggers.start._LOST_AFTER", timedelta(0))
    world.reconcile()

    assert before == {}
    assert len(world.started("merge_group")) == 1


def test_group_that_left_the_queue_ends(world: World) -> None:
    """Landed, taken out, or made anew under the same name: nobody waits for that commit any more."""
    old, same_name = queue_up(world), queue_up(world, number=8)
    world.reconcile()
    for head in (old, same_name):
        record = ChangeRecord(world.repository, 7, head=head, instance=f"group-{head}", group=True)
        changes.take_up(world.blobs, record)
    heads = world.double.repository(world.repository)["heads"]
    branches = {head: name for name, head in heads.items() if name.startswith("gh-")}
    world.double.delete_branch(world.repository, branches[old])
    world.double.move_branch(world.repository, branches[same_name], world.first)
    world.reconcile()

    found = [changes.find(world.blobs, world.repository, head) for head in (old, same_name)]
    assert [record and record.ended for record in found] == ["let go by the merge queue"] * 2
    assert [group["sha"] for group in world.started("merge_group")] == [old, same_name, world.first]


def failed_for(world: World, *red: str) -> tuple[str, int]:
    """Let an open change have failed for required checks alone, and be looked at; return its head and number."""
    pull = world.open("sam/7-red")
    world.reconcile()
    head, number = str(pull["head"]["sha"]), int(pull["number"])
    record = ChangeRecord(world.repository, number, head=head, base="develop", instance="x", red=red)
    changes.take_up(world.blobs, record)
    changes.note_red(world.blobs, record)
    for name in red:
        world.double.report_status(world.repository, head, name, "failure")
    world.reconcile()
    world.client.started.clear()
    return head, number


def test_required_check_that_turned_green_unseen_starts_the_validation_again(world: World) -> None:
    """A status, which no webhook tells of; as long as nothing moves, looking costs nothing."""
    head, number = failed_for(world, "ci")
    world.asked()
    world.reconcile()
    unmoved = {status for _, status in world.asked()}
    world.double.report_status(world.repository, head, "ci", "success")
    for _ in range(2):
        world.reconcile()

    (request,) = world.started("pull_request")
    assert (request["number"], request["sha"], request["attempt"]) == (number, head, 2)
    assert unmoved == {304}


@pytest.mark.parametrize("state", ["failure", "pending"])
def test_required_check_that_is_not_green_starts_nothing(world: World, state: str) -> None:
    """Also when another check of the same commit is."""
    head, _ = failed_for(world, "ci")
    world.double.report_status(world.repository, head, "other", "success")
    world.double.report_status(world.repository, head, "ci", state)
    world.reconcile()

    assert world.client.started == []


def test_check_with_a_red_namesake_is_not_green(world: World) -> None:
    """The worst of them counts, as it does when the validation looks: else it would start and fail for ever."""
    head, _ = failed_for(world, "ci")
    world.double.report_check(world.repository, head, "ci", "success")
    world.reconcile()

    assert world.client.started == []
