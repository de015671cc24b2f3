"""The GitHub adapter against the double, over real HTTP."""

from __future__ import annotations

import itertools
import tarfile
from types import SimpleNamespace

import pytest

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options

ZEROS = "0" * 40
LABEL = "skip-e2e-evaluation"
TOKEN = "ghp_of_the_tests"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def world(double):
    """A fresh repository, and an adapter whose pauses are remembered instead of slept."""
    repository = f"contoso/app{next(_numbers)}"
    created = double.create_repository(repository, branches=("main", "develop"))
    pauses: list[float] = []
    github = GitHub(double.origin, TOKEN, timeout=1, sleep=pauses.append)
    yield SimpleNamespace(
        github=github, double=double, repository=repository, first=created["heads"]["main"], pauses=pauses
    )
    double.clear_faults()


def merged(world, branch="alex/1-answer", labels=(), method="merge", by="maria", commits=1, title="Answer better"):
    """Push a branch with commits of its own, open a pull request with labels and merge it."""
    for number in range(commits):
        name = f"{branch.replace('/', '-')}-{number}.txt"
        world.double.push(world.repository, branch, {name: branch}, f"Change {number}", author="alex")
    pull = world.double.open_pull_request(world.repository, branch, title, author="alex", labels=labels)
    return world.double.merge(world.repository, pull["number"], by, method)


def origin(world, sha, before=None, branch=None):
    return world.github.find_origin(world.repository, sha, before or world.first, LABEL, branch)


def test_merged_change_is_found_with_its_labels(world):
    """A merge commit on main leads to its change, who wrote it, who merged it and its labels."""
    pull = merged(world, labels=["docs"])

    found = origin(world, pull["merge_commit_sha"])

    (change,) = found.changes
    assert (change.number, change.title, change.author, change.merged_by) == (1, "Answer better", "alex", "maria")
    assert change.labels == ("docs",)
    assert change.url == f"{world.double.origin}/{world.repository}/pull/1"
    assert change.merged_at == pull["merged_at"]
    assert found.opt_outs == ()
    assert found.commit.sha == pull["merge_commit_sha"]
    assert found.commit.author == "maria"
    assert found.commit.message == "Merge pull request #1 from contoso/alex/1-answer"


def test_status_is_set_once(world):
    """Saying the same twice leaves one status; saying something new adds one."""
    for _ in range(2):
        world.github.set_status(
            world.repository, world.first, "drawbridge/validate", "pending", "running", "http://x/1"
        )
    world.github.set_status(world.repository, world.first, "drawbridge/validate", "success", "passed", "http://x/1")

    statuses = world.double.commit(world.repository, world.first)["statuses"]
    assert [(one["state"], one["description"]) for one in statuses] == [("pending", "running"), ("success", "passed")]
    assert statuses[0]["creator"]["login"] == "drawbridge-ci"


def test_comment_is_updated_in_place(world):
    """The second comment with a marker replaces the first one's text."""
    merged(world)

    first = world.github.upsert_comment(world.repository, 1, world.first, "release", "evaluating")
    second = world.github.upsert_comment(world.repository, 1, world.first, "release", "**released**")

    (comment,) = world.double.pull(world.repository, 1)["comments"]
    assert first == second == comment["html_url"]
    assert comment["body"] == "<!-- drawbridge:release -->\n**released**"


def test_deployment_is_created_once(world):
    """A release has one deployment of its commit in an environment; another release has its own."""
    first = world.github.ensure_deployment(world.repository, world.first, "dev", "release-1")

    assert world.github.ensure_deployment(world.repository, world.first, "dev", "release-1") == first
    assert world.github.ensure_deployment(world.repository, world.first, "prod", "release-1") != first
    deployments = world.double.commit(world.repository, world.first)["deployments"]
    assert [one["payload"] for one in deployments] == [{"release": "release-1"}] * 2


def test_deployment_status_is_set_once(world):
    """Saying the same about a deployment twice leaves one status."""
    number = world.github.ensure_deployment(world.repository, world.first, "dev", "release-1")

    for _ in range(2):
        world.github.set_deployment_status(world.repository, number, "success", "healthy", "http://dev/", "http://log/")

    (deployment,) = world.double.commit(world.repository, world.first)["deployments"]
    (status,) = deployment["statuses"]
    assert (status["state"], status["environment_url"], status["log_url"]) == ("success", "http://dev/", "http://log/")


def test_download_has_the_files_of_the_commit(world, tmp_path):
    """The archive holds the files below one folder, as GitHub packs them."""
    sha = world.double.push(world.repository, "main", {"flows/chat.yaml": "nodes: []\n"})

    world.github.download(world.repository, sha, tmp_path / "files.tar.gz")

    with tarfile.open(tmp_path / "files.tar.gz") as archive:
        folder = f"{world.repository.replace('/', '-')}-{sha[:7]}"
        assert archive.extractfile(f"{folder}/flows/chat.yaml").read() == b"nodes: []\n"
    assert [path.name for path in tmp_path.iterdir()] == ["files.tar.gz"]
