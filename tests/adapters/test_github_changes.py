"""Reading open changes from the double, over real HTTP."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.github import GitHub
from adapters.github_changes import changed_files
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.changes import Check, CheckState, Mergeable, mergeable
from domain.errors import NotFound

TOKEN = "ghp_of_the_tests"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def world(double):
    """A fresh repository with develop, and an adapter that does not sleep."""
    repository = f"contoso/changes{next(_numbers)}"
    double.create_repository(repository, branches=("main", "develop"))
    yield SimpleNamespace(
        github=GitHub(double.origin, TOKEN, sleep=lambda _: None), double=double, repository=repository
    )
    double.clear_faults()


def opened(world: Any, branch: str = "alex/1-answer", **options: Any) -> dict[str, Any]:
    """Push a branch and open a change from it to develop."""
    world.double.push(world.repository, branch, {"a.txt": branch}, author="alex")
    return dict(
        world.double.open_pull_request(
            world.repository, branch, "Answer better", author="alex", base="develop", **options
        )
    )


def test_open_change_is_read_with_what_decides_about_it(world):
    """Head, branch, base, author, labels, and that nobody's fork is in play."""
    pull = opened(world, labels=["docs"])

    facts = world.github.change_facts(world.repository, pull["number"])

    assert (facts.head, facts.branch, facts.base) == (pull["head"]["sha"], "alex/1-answer", "develop")
    assert (facts.author, facts.title, facts.labels) == ("alex", "Answer better", ("docs",))
    assert (facts.open, facts.draft, facts.fork, facts.merged_by) == (True, False, False, "")


def test_github_finds_out_whether_it_can_be_merged_after_it_was_asked(world):
    """The first answer is that it does not know yet."""
    pull = opened(world)

    first = world.github.change_facts(world.repository, pull["number"])
    second = world.github.change_facts(world.repository, pull["number"])

    assert mergeable(first, first.head, first.base) is Mergeable.UNKNOWN
    assert mergeable(second, second.head, second.base) is Mergeable.YES


def test_conflict_is_seen(world):
    """Both sides changed one file."""
    pull = opened(world)
    world.double.push(world.repository, "develop", {"a.txt": "something else"})

    world.github.change_facts(world.repository, pull["number"])
    facts = world.github.change_facts(world.repository, pull["number"])

    assert mergeable(facts, facts.head, facts.base) is Mergeable.CONFLICT


def test_change_from_a_fork_is_known_as_one_also_when_the_fork_is_gone(world):
    """GitHub then says nothing about where its head lies."""
    fork = world.double.fork(world.repository, "stranger")["full_name"]
    world.double.push(fork, "patch-1", {"a.txt": "x"}, author="stranger")
    pull = world.double.open_pull_request(
        world.repository, "stranger:patch-1", "Help", author="stranger", base="develop"
    )

    before = world.github.change_facts(world.repository, pull["number"])
    world.double.delete_repository(fork)
    after = world.github.change_facts(world.repository, pull["number"])

    assert (before.fork, before.branch, before.open) == (True, "patch-1", True)
    assert after.fork is True


def test_head_of_a_fork_is_downloaded_through_the_base_repository(world, tmp_path):
    """Nobody gives us rights in a stranger's repository."""
    fork = world.double.fork(world.repository, "stranger")["full_name"]
    world.double.push(fork, "patch-1", {"a.txt": "x"}, author="stranger")
    pull = world.double.open_pull_request(
        world.repository, "stranger:patch-1", "Help", author="stranger", base="develop"
    )

    world.github.download(world.repository, pull["head"]["sha"], tmp_path / "head.tar.gz")

    assert (tmp_path / "head.tar.gz").stat().st_size > 0


def test_merged_change_says_by_whom(world):
    """Also when we asked for it."""
    pull = opened(world)
    world.double.merge(world.repository, pull["number"], by="maria")

    facts = world.github.change_facts(world.repository, pull["number"])

    assert (facts.open, facts.merged_by) == (False, "maria")


def test_draft_and_forced_head_are_seen(world):
    """Neither is what was validated."""
    pull = opened(world)
    world.double.to_draft(world.repository, pull["number"], by="alex")
    sha = world.double.push(world.repository, "alex/1-answer", {"b.txt": "b"}, author="alex", base="main", force=True)

    facts = world.github.change_facts(world.repository, pull["number"])

    assert (facts.draft, facts.head) == (True, sha)


def test_change_of_a_deleted_repository_is_not_found(world):
    """In words, not as a crash."""
    pull = opened(world)
    world.double.delete_repository(world.repository)

    with pytest.raises(NotFound, match="has no such thing, check the name"):
        world.github.change_facts(world.repository, pull["number"])


def test_deleted_branch_closes_its_change(world):
    """As GitHub does."""
    pull = opened(world)
    world.double.delete_branch(world.repository, "alex/1-answer")

    assert not world.github.change_facts(world.repository, pull["number"]).open


def test_changed_files_have_both_names_of_a_moved_one(world):
    """A file that is moved away from flows/ changes flows/."""
    world.double.push(world.repository, "develop", {"flows/chat/x.py": "text " * 50})
    world.double.push(
        world.repository, "alex/2-move", {"flows/chat/x.py": None, "attic/x.py": "text " * 50}, base="develop"
    )
    pull = world.double.open_pull_request(world.repository, "alex/2-move", "Move", base="develop")

    assert set(world.github.changed_files(world.repository, pull["number"])) == {"flows/chat/x.py", "attic/x.py"}


def test_renamed_file_counts_under_both_names():
    """GitHub tells a rename as one file with its name before; what leaves flows/ changes flows/."""
    renamed = SimpleNamespace(filename="attic/x.py", previous_filename="flows/x.py")
    place = SimpleNamespace(get_pull=lambda _: SimpleNamespace(get_files=lambda: [renamed]))
    steady = SimpleNamespace(call=lambda attempt: attempt())

    assert changed_files(steady, place, 7) == ("flows/x.py", "attic/x.py")  # type: ignore[arg-type]


def checks(world: Any, sha: str, *names: str) -> dict[str, str]:
    """Return the state of each check found under these names."""
    return {check.name: check.state.value for check in world.github.checks_of(world.repository, sha, names)}


def test_check_runs_statuses_and_workflows_are_found_by_name(world):
    """Whichever of the three a team's CI reports with."""
    sha = opened(world)["head"]["sha"]
    world.double.report_check(world.repository, sha, "test", "success")
    world.double.report_status(world.repository, sha, "lint", "success")
    world.double.report_workflow(world.repository, sha, "CI", "success")
    world.double.report_check(world.repository, sha, "other", "failure")

    assert checks(world, sha, "test", "lint", "CI", "nightly") == {"test": "passed", "lint": "passed", "CI": "passed"}


def test_workflow_counts_only_where_nothing_else_has_its_name(world):
    """Whatever else is asked for with it: a name that is green alone is green in company."""
    sha = opened(world)["head"]["sha"]
    world.double.report_check(world.repository, sha, "CI", "success")
    world.double.report_workflow(world.repository, sha, "CI", "failure")

    assert checks(world, sha, "CI") == {"CI": "passed"}
    assert checks(world, sha, "CI", "nightly") == {"CI": "passed"}


@pytest.mark.parametrize(
    ("conclusion", "state"),
    [
        (None, CheckState.PENDING),
        ("success", CheckState.PASSED),
        ("failure", CheckState.FAILED),
        ("timed_out", CheckState.FAILED),
        ("skipped", CheckState.FAILED),
        ("neutral", CheckState.FAILED),
    ],
)
def test_only_success_counts(world, conclusion, state):
    """GitHub takes skipped and neutral for green; a required check must have run."""
    sha = opened(world)["head"]["sha"]
    world.double.report_check(world.repository, sha, "test", conclusion)

    (check,) = world.github.checks_of(world.repository, sha, ["test"])

    assert (check.state, check.detail) == (state, conclusion or "")
    assert check.url.startswith("http")


def test_newest_status_of_a_context_counts(world):
    """A check that was run again."""
    sha = opened(world)["head"]["sha"]
    world.double.report_status(world.repository, sha, "lint", "failure")
    world.double.report_status(world.repository, sha, "lint", "success")

    assert checks(world, sha, "lint") == {"lint": "passed"}


def test_status_beyond_the_first_page_is_found(world):
    """A build farm may set more than the hundred that GitHub gives at once."""
    sha = opened(world)["head"]["sha"]
    for number in range(101):
        world.double.report_status(world.repository, sha, f"part {number:03}", "success")

    names = {"part 000", "part 050", "part 100"}
    assert {check.name for check in world.github.checks_of(world.repository, sha, names)} == names


def test_workflows_that_may_not_be_read_are_no_reason_to_fail(world):
    """A token without Actions: read still sees check runs and statuses."""
    sha = opened(world)["head"]["sha"]
    world.double.report_status(world.repository, sha, "lint", "success")
    world.double.fault(
        path_regex="/actions/runs", status=403, message="Resource not accessible by integration", times=9
    )

    assert world.github.checks_of(world.repository, sha, ["lint", "CI"]) == (
        Check("lint", CheckState.PASSED, "success", ""),
    )
