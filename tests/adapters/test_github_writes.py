"""What the GitHub adapter writes, against the double, over real HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.errors import Conflict, DrawbridgeError, Forbidden, Invalid, NotFound, SignedOut, Unavailable
from domain.outbox import Comment, DeploymentState, Issue, Label, Merge, Message, Reply, Status, Told, Written

TOKEN = "ghp_of_the_tests"
AT = "2027-01-15T08:00:00Z"
_numbers = itertools.count(1)


@dataclass
class World:
    """A repository of its own, with one open change, and what was told to GitHub about it."""

    double: Client
    github: GitHub
    repository: str
    first: str
    told: dict[str, Told] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)  # as the adapter counts them

    def tell(self, message: Message) -> Written:
        """Deliver a message and remember it, as the outbox does."""
        written = self.tell_once(message)
        self.told[message.subject] = Told(message.at, message.digest, written.id, written.url)
        return written

    def tell_once(self, message: Message) -> Written:
        """Deliver a message and forget it, as a process does that ends there."""
        known = self.told.get(message.subject)
        return self.github.deliver(message, known, lambda: self.writes.append(message.subject))

    def status(self, state: str = "passed", description: str = "fine", **fields: Any) -> Status:
        """A stage of the first commit."""
        made = Status(self.repository, self.first, "drawbridge/validate", state, description, "http://x/1", at=AT)
        return replace(made, **fields)

    def comment(self, body: str, marker: str = "release", change: int | None = 1) -> Comment:
        """Our comment on the change."""
        return Comment(self.repository, change, self.first, marker, body, "http://x/rest", at=AT)

    def deployment(self, state: str, description: str = "", release: str = "r", **fields: str) -> DeploymentState:
        """How the first commit comes to dev."""
        where: dict[str, Any] = {
            "environment": "dev",
            "environment_url": "http://dev/",
            "log_url": "http://log/",
            **fields,
        }
        return DeploymentState(
            self.repository, self.first, release=release, state=state, description=description, at=AT, **where
        )

    def bodies(self) -> list[str]:
        """Return what stands on the change."""
        return [str(one["body"]) for one in self.double.pull(self.repository, 1)["comments"]]

    def on_commit(self) -> dict[str, Any]:
        """Return what hangs on the first commit."""
        return self.double.commit(self.repository, self.first)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def world(double: Client) -> Iterator[World]:
    repository = f"contoso/app{next(_numbers)}"
    created = double.create_repository(repository, branches=("main", "develop"))
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, "Change", author="alex")
    double.open_pull_request(repository, "alex/1-answer", "Answer better", author="alex")
    yield World(double, GitHub(double.origin, TOKEN, sleep=never), repository, created["heads"]["main"])
    double.clear_faults()


def never(seconds: float) -> None:
    """Fail: the outbox tries again, not the adapter."""
    raise AssertionError(f"slept {seconds} seconds")


def test_status_is_set_once(world: World) -> None:
    """Saying the same twice, also after it was forgotten, leaves one status; something new adds one."""
    for _ in range(2):
        world.tell_once(world.status("running", "goes on"))
    world.tell(world.status())

    statuses = world.on_commit()["statuses"]
    assert [(one["state"], one["description"], one["target_url"]) for one in statuses] == [
        ("pending", "goes on", "http://x/1"),
        ("success", "fine", "http://x/1"),
    ]
    assert statuses[0]["creator"]["login"] == "drawbridge-ci"
    assert len(world.writes) == 2


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("waiting", "pending"),
        ("running", "pending"),
        ("passed", "success"),
        ("failed", "failure"),
        ("inconclusive", "error"),
        ("skipped", "pending"),
        ("rejected", "failure"),
        ("expired", "failure"),
        ("superseded", "error"),
        ("cancelled", "error"),
    ],
)
def test_only_what_passed_is_green(world: World, state: str, shown: str) -> None:
    """What was skipped least of all."""
    world.tell(world.status(state))

    assert [one["state"] for one in world.on_commit()["statuses"]] == [shown]


def test_comment_is_updated_in_place(world: World) -> None:
    """The second comment with a marker replaces the first one's text, with one request that writes."""
    first = world.tell(world.comment("evaluating"))
    second = world.tell(world.comment("**released**"))

    (comment,) = world.double.pull(world.repository, 1)["comments"]
    assert first == second == Written(comment["id"], comment["html_url"])
    assert comment["body"] == "<!-- drawbridge:release -->\n**released**"
    assert len(world.writes) == 2


def test_comment_that_was_forgotten_is_found_again(world: World) -> None:
    """A process may end between writing it and remembering it."""
    world.tell_once(world.comment("evaluating"))
    world.tell_once(world.comment("evaluating"))
    world.tell_once(world.comment("released"))

    assert world.bodies() == ["<!-- drawbridge:release -->\nreleased"]
    assert len(world.writes) == 2


def test_comment_that_somebody_deleted_is_written_anew(world: World) -> None:
    """And from then on that one is updated."""
    gone = world.tell(world.comment("evaluating"))
    url = f"{world.double.origin}/repos/{world.repository}/issues/comments/{gone.id}"
    requests.delete(url, headers={"Authorization": f"token {TOKEN}"}, timeout=10)
    for body in ("approved", "released"):
        world.tell(world.comment(body))

    assert world.bodies() == ["<!-- drawbridge:release -->\nreleased"]


def test_comment_goes_to_the_commit_without_a_change(world: World) -> None:
    """After a direct push the commit carries the comment, updated in place as well."""
    for body in ("evaluating", "evaluated", "released"):
        written = world.tell(world.comment(body, change=None))

    (comment,) = world.on_commit()["commit_comments"]
    assert comment["body"] == "<!-- drawbridge:release -->\nreleased"
    assert written == Written(comment["id"], comment["html_url"])


def test_other_peoples_comments_are_left_alone(world: World) -> None:
    """Somebody who quotes our comment, hidden marker and all, keeps theirs."""
    world.double.comment(world.repository, 1, "<!-- drawbridge:release -->\nmine now", by="eve")
    world.tell_once(world.comment("evaluating"))
    world.tell_once(world.comment("released"))

    comments = world.double.pull(world.repository, 1)["comments"]
    assert [(one["user"]["login"], one["body"].split("\n")[1]) for one in comments] == [
        ("eve", "mine now"),
        ("drawbridge-ci", "released"),
    ]


def test_comments_written_twice_at_once_become_one(world: World) -> None:
    """Two first comments from a race are one again after the next update."""
    for body in ("one", "two"):
        world.double.comment(world.repository, 1, f"<!-- drawbridge:release -->\n{body}", by="drawbridge-ci")
    world.tell(world.comment("three"))

    assert world.bodies() == ["<!-- drawbridge:release -->\nthree"]


def test_comment_far_down_is_found(world: World) -> None:
    """Ours is found behind more comments than a page holds."""
    first = world.tell_once(world.comment("ours", "b"))
    for number in range(101):
        world.double.comment(world.repository, 1, f"talk {number}", by="sam")
    second = world.tell_once(world.comment("another of ours", "a"))

    assert world.tell_once(world.comment("again", "a")) == second
    assert world.tell_once(world.comment("again", "b")) == first
    assert len(world.bodies()) == 103


def test_long_comment_arrives_with_a_link_to_the_rest(world: World) -> None:
    """70,000 characters arrive as what GitHub takes, whole lines, the link outside any code block."""
    world.tell(world.comment("| row | 0.5 |\n" * 5_000, "a"))
    world.tell(world.comment("```\n" + "x" * 70_000, "b"))

    table, code = world.bodies()
    rest = "*… cut here, GitHub takes no longer texts: [read the rest](http://x/rest)*"
    assert 65_000 < len(table) <= 65_536
    assert table.endswith(f"\n| row | 0.5 |\n\n{rest}")
    assert len(code) <= 65_536
    assert code.endswith(f"x\n```\n\n{rest}")
    assert code.startswith("<!-- drawbridge:b -->\n")


def test_long_reply_arrives_with_a_link_to_the_rest(world: World) -> None:
    """The result of an evaluation that somebody asked for."""
    world.tell(Reply(world.repository, 1, "asked-2", "| row | 0.5 |\n" * 5_000, "http://x/rest", at=AT))

    (table,) = world.bodies()
    assert 65_000 < len(table) <= 65_536
    assert table.endswith("| 0.5 |\n\n*… cut here, GitHub takes no longer texts: [read the rest](http://x/rest)*")


def test_reply_is_written_once(world: World) -> None:
    """Whatever it would say now, and whether it is remembered or has to be found."""
    reply = Reply(world.repository, 1, "asked-1", "Your evaluation runs.", at=AT)
    first = world.tell_once(reply)
    assert world.tell(replace(reply, body="Your evaluation runs!")) == first
    assert world.tell(replace(reply, body="It ran.")) == first

    assert world.bodies() == ["<!-- drawbridge:asked-1 -->\nYour evaluation runs."]


def test_label_is_put_on_and_taken_off_once(world: World) -> None:
    """One that the repository does not know yet is made; its case does not matter."""
    on = Label(world.repository, 1, "Needs-Human", True, at=AT)
    for _ in range(2):
        world.tell_once(on)
    assert [one["name"] for one in world.double.pull(world.repository, 1)["labels"]] == ["Needs-Human"]

    for _ in range(2):
        world.tell_once(replace(on, label="needs-human", on=False))
    assert world.double.pull(world.repository, 1)["labels"] == []
    assert len(world.writes) == 2


def merge(world: World, **fields: Any) -> Merge:
    """Ask for the change to be merged at its head."""
    sha = world.double.pull(world.repository, 1)["head"]["sha"]
    return replace(Merge(world.repository, 1, sha, "squash", "Answer better (#1)", "main", at=AT), **fields)


def test_change_is_merged_once_with_its_title(world: World) -> None:
    """By the method that was asked for."""
    wanted = merge(world)
    for _ in range(2):
        world.tell_once(wanted)

    pull = world.double.pull(world.repository, 1)
    assert pull["merged"]
    message = world.double.commit(world.repository, pull["merge_commit_sha"])["commit"]["message"]
    assert message.startswith("Answer better (#1)")
    assert len(world.writes) == 1


def test_another_head_is_not_merged(world: World) -> None:
    """What was pushed since has not been validated."""
    wanted = merge(world)
    world.double.push(world.repository, "alex/1-answer", {"b.txt": "b"}, "More", author="alex")

    with pytest.raises(Conflict, match="#1 has a new head"):
        world.tell(wanted)
    assert not world.double.pull(world.repository, 1)["merged"]


def test_change_that_goes_elsewhere_by_now_is_not_merged(world: World) -> None:
    """It was turned towards main while its merge into develop waited: other rules hold there."""
    with pytest.raises(Conflict, match="#1 goes to main by now: what was validated goes to develop"):
        world.tell(merge(world, base="develop"))

    assert not world.double.pull(world.repository, 1)["merged"]


def test_closed_change_is_not_merged(world: World) -> None:
    """Somebody decided against it."""
    wanted = merge(world)
    world.double.close(world.repository, 1, by="sam")

    with pytest.raises(Conflict, match="#1 was closed"):
        world.tell(wanted)


def test_merge_that_github_refuses_is_told_with_its_words(world: World) -> None:
    """A rule of the branch, a conflict: somebody has to look."""
    world.double.fault(method="PUT", path_regex="/merge$", status=405, message="Changes must be made by a bot")

    with pytest.raises(Invalid, match=r"405 Changes must be made by a bot"):
        world.tell(merge(world))


def test_merge_past_a_queue_is_refused_with_a_word_of_it(world: World) -> None:
    """The comment knows by it what people have to press."""
    world.double.protect(world.repository, "main", queue=True)

    with pytest.raises(
        Invalid, match="405 Repository rule violations found Changes must be made through the merge queue"
    ):
        world.tell(merge(world))


def test_base_that_moved_during_the_merge_is_worth_another_try(world: World) -> None:
    """GitHub says so itself."""
    words = "Base branch was modified. Review and try the merge again."
    world.double.fault(method="PUT", path_regex="/merge$", status=405, message=words)
    wanted = merge(world)

    with pytest.raises(Unavailable, match="Base branch was modified"):
        world.tell(wanted)
    world.tell(wanted)
    assert world.double.pull(world.repository, 1)["merged"]


def test_deployment_is_one_thing_with_a_history(world: World) -> None:
    """A release has one deployment of its commit in an environment; another release has its own."""
    for state in ("in_progress", "success", "success"):
        world.tell_once(world.deployment(state, "healthy"))
    world.tell(world.deployment("success", release="other"))
    world.tell(world.deployment("failure", release="other"))

    first, second = world.on_commit()["deployments"]
    assert [one["payload"] for one in (first, second)] == [{"release": "r"}, {"release": "other"}]
    assert [one["state"] for one in in_order(first["statuses"])] == ["in_progress", "success", "inactive"]
    assert {(one["environment_url"], one["log_url"]) for one in second["statuses"]} == {("http://dev/", "http://log/")}
    assert len(world.writes) == 3 + 3


def in_order(things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort what GitHub lists, oldest first."""
    return sorted(things, key=lambda one: int(one["id"]))


def test_deployment_that_a_later_one_replaced_stays_inactive(world: World) -> None:
    """GitHub says so by itself; telling it once more that the first one succeeded would say that it runs again."""
    world.tell_once(world.deployment("success"))
    world.tell_once(world.deployment("success", release="other"))
    world.tell_once(world.deployment("success"))

    first, second = world.on_commit()["deployments"]
    assert [one["state"] for one in in_order(first["statuses"])] == ["success", "inactive"]
    assert [one["state"] for one in second["statuses"]] == ["success"]


def test_other_tools_deployments_are_left_alone(world: World) -> None:
    """A deployment of the same commit with a payload that is text, as other tools leave, is not taken for ours."""
    api = f"{world.double.origin}/repos/{world.repository}/deployments"
    theirs = {"ref": world.first, "environment": "dev", "payload": "release r"}
    requests.post(api, json=theirs, headers={"Authorization": f"token {TOKEN}"}, timeout=10)
    for _ in range(2):
        world.tell_once(world.deployment("success"))

    assert len(world.on_commit()["deployments"]) == 2


def issue(world: World, body: str = "f1 fell", open_: bool = True) -> Issue:
    """Say how the nightly run stands."""
    return Issue(world.repository, "nightly", "It got worse", body, open_, ("regression",), at=AT)


def issues(world: World) -> list[dict[str, Any]]:
    """Return the issues of the repository, pull requests left out."""
    api = f"{world.double.origin}/repos/{world.repository}/issues"
    found = requests.get(api, params={"state": "all"}, headers={"Authorization": f"token {TOKEN}"}, timeout=10).json()
    return [one for one in found if "pull_request" not in one]


def test_one_issue_is_opened_updated_closed_and_opened_again(world: World) -> None:
    """It is the same one all the way, remembered or not."""
    seen = []
    for remembered in (world.tell, world.tell_once):
        for message in (issue(world), issue(world), issue(world, "f1 fell again"), issue(world, "gone", open_=False)):
            remembered(message)
            (found,) = issues(world)
            seen.append((found["body"].split("\n")[1], found["state"]))
        world.told.clear()

    assert seen == [("f1 fell", "open"), ("f1 fell", "open"), ("f1 fell again", "open"), ("gone", "closed")] * 2
    assert len(world.writes) == 6


def test_labels_that_people_put_on_our_issue_stay(world: World) -> None:
    """Ours is added, nothing is taken off."""
    number = world.tell(issue(world)).id
    api = f"{world.double.origin}/repos/{world.repository}/issues/{number}/labels"
    requests.post(api, json={"labels": ["urgent"]}, headers={"Authorization": f"token {TOKEN}"}, timeout=10)
    world.tell(issue(world, "still"))

    (found,) = issues(world)
    assert sorted(one["name"] for one in found["labels"]) == ["regression", "urgent"]


def test_issue_that_was_never_opened_is_not_closed(world: World) -> None:
    """Nothing got worse: nobody is told that nothing got worse."""
    world.tell(issue(world, open_=False))

    assert issues(world) == []
    assert world.writes == []


@pytest.mark.parametrize("status", [404, 410])
def test_issue_and_deployment_that_are_not_where_they_were_are_found_again(world: World, status: int) -> None:
    """By their marks, which they keep: nothing is written twice."""
    number, deployed = world.tell(issue(world)).id, world.tell(world.deployment("in_progress")).id
    for path in (f"/issues/{number}$", f"/deployments/{deployed}$"):
        world.double.fault(method="GET", path_regex=path, status=status, message="This was deleted")

    assert world.tell(issue(world, "still")).id == number
    assert world.tell(world.deployment("success")).id == deployed


def test_issue_and_deployment_that_somebody_deleted_are_made_anew(world: World) -> None:
    """What deletes them is no reason to be silent for ever; an issue that is to be closed stays deleted."""
    gone = Told(AT, "", 999_999, "")
    for message in (issue(world, open_=False), issue(world), world.deployment("success")):
        world.told[message.subject] = gone
        world.tell(message)

    assert [one["state"] for one in issues(world)] == ["open"]
    assert [one["payload"] for one in world.on_commit()["deployments"]] == [{"release": "r"}]


def test_issue_that_people_transferred_is_left_to_them(world: World) -> None:
    """GitHub answers 301 and leads to where it is now; a regression that lasts is told here again."""
    elsewhere = f"{world.repository}-tracker"
    world.double.create_repository(elsewhere)
    theirs = world.double.open_issue(elsewhere, "It got worse", "<!-- drawbridge:nightly -->", "drawbridge-ci")
    there = {"Location": f"{world.double.origin}/repos/{elsewhere}/issues/1"}
    world.double.fault(method="GET", path_regex="/issues/999999$", status=301, message="Moved", headers=there)
    world.told[issue(world).subject] = Told(AT, "", 999_999, "")
    written = world.tell(issue(world))

    (ours,) = issues(world)
    assert (written.url, ours["state"]) == (ours["html_url"], "open")
    assert world.double.pull(elsewhere, 1) == theirs


def everything(world: World) -> list[Message]:
    """One message of each kind."""
    return [
        world.status("running"),
        world.comment("evaluating"),
        world.comment("evaluating", change=None),
        Reply(world.repository, 1, "asked-1", "Your evaluation runs.", at=AT),
        world.deployment("in_progress"),
        Label(world.repository, 1, "needs-human", True, at=AT),
        issue(world),
        merge(world),
    ]


LOST: list[dict[str, Any]] = [{"reset": True}, {"status": 502}, {"hang": 3.0}]


@pytest.mark.parametrize("lost", LOST, ids=["reset", "502", "hang"])
def test_lost_replies_leave_one_of_each(world: World, lost: dict[str, Any]) -> None:
    """The effect is done and its reply lost: telling it again changes nothing."""
    timeout = 1 if "hang" in lost else 20
    world.github = GitHub(world.double.origin, TOKEN, timeout=timeout, sleep=never)
    messages = everything(world)
    for message in messages:
        for method in ("POST", "PUT"):
            world.double.fault(method=method, after_effect=True, **lost)
        with pytest.raises(Unavailable):
            world.tell_once(message)
        world.double.clear_faults()
        for _ in range(2):
            world.tell_once(message)

    commit, pull = world.on_commit(), world.double.pull(world.repository, 1)
    assert [one["state"] for one in commit["statuses"]] == ["pending"]
    assert [[status["state"] for status in one["statuses"]] for one in commit["deployments"]] == [["in_progress"]]
    assert len(commit["commit_comments"]) == 1
    assert [one["body"].split("\n")[1] for one in pull["comments"]] == ["evaluating", "Your evaluation runs."]
    assert [one["name"] for one in pull["labels"]] == ["needs-human"]
    assert pull["merged"]
    assert len(issues(world)) == 1


def test_hostile_strings_arrive_as_they_are(world: World) -> None:
    """Quotes, markup, newlines and half surrogates in what we write do no harm and are written once."""
    hostile = "'\"`$(reboot)`<script>\r\n; DROP TABLE\x00 \ud800"
    for _ in range(2):
        world.tell_once(world.status("failed", hostile))
        world.tell_once(world.comment(hostile))
        world.tell_once(world.deployment("failure", hostile * 9, release="r", environment="dev & <prod>"))

    on_commit = world.on_commit()
    assert [one["description"] for one in on_commit["statuses"]] == ["'\"`$(reboot)`<script> ; DROP TABLE\x00 ?"]
    assert len(world.bodies()) == 1
    assert [one["environment"] for one in on_commit["deployments"]] == ["dev & <prod>"]
    (status,) = on_commit["deployments"][0]["statuses"]
    assert len(status["description"]) == 140
    assert status["description"].endswith("…")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 403, "message": "Resource not accessible by integration"}, Forbidden),
        ({"status": 401, "message": "Bad credentials"}, SignedOut),
        ({"status": 404, "message": "Not Found"}, NotFound),
        ({"status": 422, "message": "Validation Failed"}, Invalid),
        ({"status": 403, "message": "You have exceeded a secondary rate limit"}, Unavailable),
    ],
)
def test_refusals_tell_the_outbox_what_to_do(world: World, fault: dict[str, Any], error: type[DrawbridgeError]) -> None:
    """Nothing is tried again here."""
    world.double.fault(method="POST", times=9, **fault)

    with pytest.raises(error, match=str(fault["message"])):
        world.tell(world.status())


def test_threads_share_the_adapter(world: World) -> None:
    """Each status lands on its own commit."""
    shas = [world.double.push(world.repository, "main", {"n.txt": str(number)}) for number in range(8)]

    def say(sha: str) -> None:
        world.tell_once(replace(world.status(description=sha[:7]), sha=sha))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, shas * 3))

    for sha in shas:
        descriptions = {one["description"] for one in world.double.commit(world.repository, sha)["statuses"]}
        assert descriptions == {sha[:7]}
