"""The GitHub adapter signed in as an App, against the double."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.asks import OwnCheck
from domain.errors import Forbidden, NotFound, SignedOut
from domain.outbox import Comment, Status
from tests.adapters.apps import APP, key_pair

REPOSITORY = "contoso/app"


@pytest.fixture(scope="module")
def keys():
    return key_pair()


@pytest.fixture(scope="module")
def double(tmp_path_factory, keys):
    access = Access(app_id=APP, app_public_key=keys[1])
    with running(Options(tmp_path_factory.mktemp("github"), access=access)) as origin:
        client = Client(origin)
        client.create_repository(REPOSITORY)
        yield client


def test_app_writes_as_itself(double, keys):
    """The installation is found through the repository; what the App leaves there bears its name, once."""
    github = GitHub(double.origin, app_id=APP, app_key=keys[0])
    head = double.repository(REPOSITORY)["heads"]["main"]
    for body in ("evaluating", "released"):
        comment = Comment(REPOSITORY, None, head, "release", body, at="2027-01-15T08:00:00Z")
        github.deliver(comment, None, lambda: None)

    on_commit = double.commit(REPOSITORY, head)
    (comment,) = on_commit["commit_comments"]
    assert (comment["user"]["login"], comment["user"]["type"]) == ("drawbridge[bot]", "Bot")
    tokens = [one for one in double.requests() if one["path"].endswith("/access_tokens")]
    assert len(tokens) == 1


@pytest.mark.parametrize(("hours", "said"), [(1, "'iat'"), (-1, "'exp'")])
def test_app_whose_host_has_a_wrong_clock_is_told_so(double, keys, monkeypatch, hours, said):
    """Its signature is refused; the key is in order, and nobody should look there."""
    wrong = SimpleNamespace(time=lambda: time.time() + hours * 3600)
    monkeypatch.setattr("github.Auth.time", wrong)
    github = GitHub(double.origin, app_id=APP, app_key=keys[0])

    with pytest.raises(SignedOut, match=rf"this host's clock is off, set it by NTP \(401 .*{said}"):
        github.check_access(REPOSITORY)


def test_app_downloads(double, keys, tmp_path):
    """An installation token is enough for the archive; the key may come as one line."""
    one_line = keys[0].replace("\n", "\\n")
    github = GitHub(double.origin, app_id=APP, app_key=one_line)
    github.download(REPOSITORY, double.repository(REPOSITORY)["heads"]["main"], tmp_path / "files.tar.gz")

    assert (tmp_path / "files.tar.gz").stat().st_size > 100


def test_app_finds_its_own_checks_that_have_ended(double, keys):
    """The newest of each name: those of others, and those that still run, cannot run again."""
    github = GitHub(double.origin, app_id=APP, app_key=keys[0])
    head = double.push(REPOSITORY, "main", {"checks.txt": "x"})

    def write(context, state, told="release-1"):
        mark = Status(REPOSITORY, head, context, state, "x", "", external_id=told, at="2027-01-15T08:00:00Z")
        return github.deliver(mark, None, lambda: None).id

    old, running_, build = write("full", "failed"), write("deploy", "running"), write("build", "passed")
    new = write("full", "failed", told="release-2")
    double.report_check(REPOSITORY, head, "ci", "success")

    assert {one.id for one in github.own_checks(REPOSITORY, head)} == {new, build} - {old, running_}
    assert OwnCheck(new, "full", "release-2") in github.own_checks(REPOSITORY, head)


def test_app_that_is_not_installed_is_told(double, keys):
    """A repository the App is not installed on looks as if it were not there."""
    github = GitHub(double.origin, app_id=APP, app_key=keys[0])

    with pytest.raises(NotFound, match="what our token or App may see"):
        github.check_access("contoso/other")


def test_wrong_key_is_told(double):
    """A key that is not the App's is refused with the setting to check."""
    github = GitHub(double.origin, app_id=APP, app_key=key_pair()[0], sleep=lambda _: None)

    with pytest.raises(Forbidden, match="or the App's id and key"):
        github.check_access(REPOSITORY)


def test_key_that_is_none_is_told(double):
    """A setting that holds no key at all is refused in the same words, without showing it."""
    github = GitHub(double.origin, app_id=APP, app_key="not a key", sleep=lambda _: None)

    with pytest.raises(Forbidden, match="DRAWBRIDGE_GITHUB_APP_KEY") as refused:
        github.check_access(REPOSITORY)
    assert "not a key" not in str(refused.value)
