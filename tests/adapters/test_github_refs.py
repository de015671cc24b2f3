"""Which commit is meant, against the double."""

from __future__ import annotations

import pytest

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.errors import Forbidden, NotFound

TOKEN = "ghp_of_the_tests"
REPOSITORY = "contoso/app"


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    with running(Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN))) as origin:
        client = Client(origin)
        client.create_repository(REPOSITORY, branches=("main", "develop"))
        yield client


@pytest.fixture
def github(double):
    return GitHub(double.origin, TOKEN, sleep=lambda _: None)


def test_branch_names_its_newest_commit(double, github):
    """Also one with a slash in its name; the first part of a name is not a branch."""
    sha = double.push(REPOSITORY, "alex/1-answer", {"a.txt": "a"})

    assert github.head_of(REPOSITORY, "alex/1-answer") == sha
    with pytest.raises(NotFound, match=r"contoso/app has no branch or tag 'alex': check the name, or push it first\."):
        github.head_of(REPOSITORY, "alex")


def test_repository_that_is_gone_is_told_as_such(github):
    """Nobody should look for a branch in a repository that was deleted."""
    with pytest.raises(NotFound, match="check the name and what our token or App may see"):
        github.head_of("contoso/deleted", "main")


def test_commit_of_a_long_lived_branch_is_taken_by_its_sha(double, github):
    """A short sha too; the full one comes back."""
    first = double.repository(REPOSITORY)["heads"]["develop"]
    double.push(REPOSITORY, "develop", {"b.txt": "b"})

    assert github.commit_on(REPOSITORY, first, ("main", "develop")) == first
    assert github.commit_on(REPOSITORY, first[:8], ("nowhere", "develop")) == first


def test_commit_that_is_on_neither_branch_is_refused(double, github):
    """It may be a fork's: GitHub finds those in the repository as well."""
    stray = double.push(REPOSITORY, "sam/2-stray", {"c.txt": "c"})

    with pytest.raises(Forbidden, match=f"{stray[:12]} of contoso/app is not on main or develop. GitHub also finds"):
        github.commit_on(REPOSITORY, stray, ("main", "develop"))


def test_unknown_commit_is_told(github):
    """A sha that no commit has."""
    with pytest.raises(NotFound, match="has no such thing, check the name"):
        github.commit_on(REPOSITORY, "0badc0de" * 5, ("main",))


def test_head_of_a_change_is_its_newest_commit(double, github):
    """Of a change in the repository itself, which is no fork."""
    double.push(REPOSITORY, "alex/3-more", {"d.txt": "d"})
    number = double.open_pull_request(REPOSITORY, "alex/3-more", "More", author="alex")["number"]
    sha = double.push(REPOSITORY, "alex/3-more", {"d.txt": "e"})

    head = github.head_of_change(REPOSITORY, number)

    assert (head.sha, head.fork, head.branch) == (sha, False, "alex/3-more")


def test_comment_on_what_is_no_change_is_told(github):
    """Issues have comments as well."""
    with pytest.raises(NotFound, match="has no such thing"):
        github.head_of_change(REPOSITORY, 4711)
