"""What the GitHub adapter reads, against the double, over real HTTP; what it writes is in test_github_writes."""

from __future__ import annotations

import itertools
import subprocess
import tarfile
from types import SimpleNamespace
from typing import Any

import pytest

from adapters import github_origin
from adapters.github import GitHub
from adapters.github_calls import Steady, fetch
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.errors import Forbidden, Invalid, NotFound, Unavailable

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
    github = GitHub(double.origin, TOKEN, sleep=pauses.append)
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


def find(world, sha, before=None, branch=None):
    return world.github.find_origin(world.repository, sha, before or world.first, LABEL, branch)


def origin(world, sha, before=None, branch=None):
    return find(world, sha, before, branch).origin


def test_merged_change_is_found_with_its_labels(world):
    """A merge commit on main leads to its change, who wrote it, who merged it and its labels."""
    pull = merged(world, labels=["docs"])

    found = origin(world, pull["merge_commit_sha"])

    (change,) = found.changes
    assert (change.number, change.title, change.author, change.merged_by) == (1, "Answer better", "alex", "maria")
    assert change.labels == ("docs",)
    assert change.url == f"{world.double.origin}/{world.repository}/pull/1"
    assert change.merged_at == pull["merged_at"]
    assert found.commit.sha == pull["merge_commit_sha"]
    assert found.commit.author == "maria"
    assert found.commit.message == "Merge pull request #1 from contoso/alex/1-answer"


def test_download_has_the_files_of_the_commit(world, tmp_path):
    """The archive holds the files below one folder, as GitHub packs them."""
    sha = world.double.push(world.repository, "main", {"flows/chat.yaml": "nodes: []\n"})

    world.github.download(world.repository, sha, tmp_path / "files.tar.gz")

    with tarfile.open(tmp_path / "files.tar.gz") as archive:
        folder = f"{world.repository.replace('/', '-')}-{sha[:7]}"
        assert archive.getmember(f"{folder}/flows/chat.yaml").size == len("nodes: []\n")
    assert [path.name for path in tmp_path.iterdir()] == ["files.tar.gz"]


def test_direct_push_has_no_changes(world):
    """A commit pushed straight to main comes from no change; its author is the one in the commit."""
    sha = world.double.push(world.repository, "main", {"a.txt": "a"}, "Fix at once\n\nlong story", author="sam")

    found = origin(world, sha)
    assert found.changes == ()
    assert (found.commit.author, found.commit.message) == ("sam", "Fix at once")
    assert found.commit.committed_at.endswith("Z")


def test_many_changes_in_one_push_are_all_found_oldest_first(world):
    """Several changes merged between two looks at main, by every method, are each found once."""
    for number, method in enumerate(("merge", "squash", "rebase"), start=1):
        pull = merged(world, f"alex/{number}-x", [f"label-{number}"], method, commits=3, title=f"By {method}")
    sha = world.double.push(world.repository, "main", {"direct.txt": "x"})

    found = origin(world, sha)
    assert [change.title for change in found.changes] == ["By merge", "By squash", "By rebase"]
    assert [change.labels for change in found.changes] == [("label-1",), ("label-2",), ("label-3",)]
    assert [change.title for change in origin(world, sha, before=pull["merge_commit_sha"]).changes] == []


def test_squash_does_not_hide_who_wrote_the_commits(world):
    """Of several people's commits one is left, by one person; none of them may approve their own work for that."""
    for author in ("alex", "jonas"):
        world.double.push(world.repository, "alex/1-x", {f"{author}.txt": author}, "Part", author=author)
    pull = world.double.open_pull_request(world.repository, "alex/1-x", "Together", author="alex")
    sha = world.double.merge(world.repository, pull["number"], "maria", "squash")["merge_commit_sha"]

    assert {"alex", "jonas"} <= set(origin(world, sha).authors)


def test_co_authors_of_a_squash_that_came_through_develop_are_authors(world):
    """By login where the address holds it, else by the address, which may be what they sign in with."""
    message = (
        "Together\n\nCo-authored-by: Jonas <7+jonas@users.noreply.github.com>\nCo-authored-by: P <Priya@Acme.example>"
    )
    before = world.double.push(world.repository, "main", {"base.txt": "x"}, author="sam")
    sha = world.double.push(world.repository, "main", {"x.txt": "x"}, message, author="alex")

    assert set(origin(world, sha, before=before).authors) == {"alex", "jonas", "priya@acme.example"}


def test_address_of_a_co_author_is_an_account_where_a_commit_of_theirs_says_so(world):
    """Of GitHub's own answer; a commit whose address is no account's says nothing."""
    known = {"kim@acme.example": SimpleNamespace(login="kim"), "pat@acme.example": None}
    place: Any = SimpleNamespace(get_commits=lambda author: [SimpleNamespace(author=known[author])])
    steady = Steady("https://github.example", lambda _: None, lambda: 0.0)

    assert [github_origin._account(steady, place, address) for address in known] == ["kim", "pat@acme.example"]


def test_push_that_is_too_long_says_how_much_of_it_nobody_looked_at(world, monkeypatch):
    """Who wrote the commits is known all the same; what a change explains needs no asking."""
    monkeypatch.setattr(github_origin, "COMMITS", 2)
    pull = merged(world, "alex/1-x", labels=[LABEL], commits=3)
    for author in ("sam", "kim", "jonas"):
        sha = world.double.push(world.repository, "main", {f"{author}.txt": "x"}, author=author)

    found = find(world, sha)
    whole = find(world, pull["merge_commit_sha"])
    assert (found.origin.changes, found.origin.unseen) == ((), 5)
    assert {"sam", "kim", "jonas", "alex"} <= set(found.origin.authors)
    assert ([change.number for change in whole.origin.changes], whole.origin.unseen) == ([1], 0)


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_commits_that_were_pushed_beside_a_change_are_counted(world, method):
    """Nobody opted out for them, and whoever pushed them brought them in; those of the change have come with it."""
    world.double.push(world.repository, "main", {"beside.txt": "x"}, author="sam")
    pull = merged(world, "alex/1-x", commits=3, method=method)
    found = find(world, pull["merge_commit_sha"]).origin

    assert ([change.number for change in found.changes], found.direct, found.unseen) == ([1], 1, 0)


def test_all_commits_of_a_long_change_are_known(world, monkeypatch):
    """GitHub lists 250 of a change, and compares any number."""
    monkeypatch.setattr(github_origin, "LISTED", 3)
    pull = merged(world, "alex/1-x", commits=5)

    monkeypatch.setattr(github_origin, "COMMITS", 1)
    assert find(world, pull["merge_commit_sha"]).origin.unseen == 0
    asked = [one["path"] for one in world.double.requests()]
    assert any(f"/compare/{world.first}...{pull['head']['sha']}" in path for path in asked)


def test_only_changes_into_the_branch_count(world):
    """A feature merged to develop, and develop to main: the release comes from the second alone."""
    world.double.push(world.repository, "alex/1-x", {"x.txt": "x"}, author="alex", base="develop")
    world.double.open_pull_request(world.repository, "alex/1-x", "Feature", labels=[LABEL], base="develop")
    on_develop = world.double.merge(world.repository, 1, by="sam")["merge_commit_sha"]
    world.double.open_pull_request(world.repository, "develop", "Release", author="sam")
    sha = world.double.merge(world.repository, 2, by="maria")["merge_commit_sha"]

    found = origin(world, sha)
    assert [change.number for change in found.changes] == [2]
    assert [change.number for change in origin(world, on_develop, branch="develop").changes] == [1]


def test_opt_out_names_who_put_the_label_there_and_when(world):
    """The last person who put the label on before the merge is the one who opted out."""
    world.double.push(world.repository, "alex/1-x", {"x.txt": "x"}, author="alex")
    world.double.open_pull_request(world.repository, "alex/1-x", "Typo", author="alex", labels=[LABEL, "docs"])
    world.double.remove_label(world.repository, 1, LABEL, by="maria")
    labelled = world.double.add_label(world.repository, 1, LABEL.upper(), by="sam")
    sha = world.double.merge(world.repository, 1, by="maria")["merge_commit_sha"]

    found = find(world, sha)
    (facts,) = found.facts
    assert (facts.label, facts.change, facts.by) == (LABEL, 1, "sam")
    assert facts.at <= labelled["updated_at"]
    assert found.origin.changes[0].labels == ("docs", LABEL)


def test_label_removed_before_merging_is_no_opt_out(world):
    """What was taken back before the merge does not count."""
    world.double.push(world.repository, "alex/1-x", {"x.txt": "x"})
    world.double.open_pull_request(world.repository, "alex/1-x", "Typo", labels=[LABEL])
    world.double.remove_label(world.repository, 1, LABEL, by="maria")
    sha = world.double.merge(world.repository, 1, by="maria")["merge_commit_sha"]

    assert find(world, sha).facts == ()
    assert origin(world, sha).changes[0].labels == ()


def test_labels_changed_after_merging_do_not_count(world):
    """Neither a label added later nor one removed later changes what was merged."""
    sha = merged(world, labels=["docs"])["merge_commit_sha"]
    world.double.add_label(world.repository, 1, LABEL, by="eve")
    world.double.remove_label(world.repository, 1, "docs", by="eve")

    assert find(world, sha).facts == ()
    assert origin(world, sha).changes[0].labels == ("docs",)


def test_opt_out_comes_with_what_the_policy_looks_at(world):
    """The change's text as written, and every path it touches, also the one that a file was moved away from."""
    world.double.push(world.repository, "main", {"flows/chat.yaml": "nodes: []\n" * 20})
    world.double.push(world.repository, "alex/1-x", {"flows/chat.yaml": None, "docs/chat.yaml": "nodes: []\n" * 20})
    world.double.open_pull_request(world.repository, "alex/1-x", "Move", body="- [x] sure\n", labels=[LABEL])
    sha = world.double.merge(world.repository, 1, by="maria")["merge_commit_sha"]

    (facts,) = find(world, sha).facts
    assert facts.body == "- [x] sure\n"
    assert facts.files == ("docs/chat.yaml", "flows/chat.yaml")


@pytest.mark.parametrize("path", [".github/PULL_REQUEST_TEMPLATE.md", "docs/pull_request_template.md"])
def test_opt_out_comes_with_the_template_that_the_change_began_with(world, path):
    """Not with the easier one that it brings itself; without one with none."""
    merged(world, "alex/1-x", labels=[LABEL])
    world.double.push(world.repository, "main", {path: "- [ ] The data owner agrees\n"})
    world.double.push(world.repository, "alex/2-x", {path: "- [ ] nothing\n"})
    world.double.open_pull_request(world.repository, "alex/2-x", "Easier", labels=[LABEL])

    assert world.github.opt_out_now(world.repository, 1, LABEL).template == ""
    assert world.github.opt_out_now(world.repository, 2, LABEL).template == "- [ ] The data owner agrees\n"


def test_label_as_it_stands_now_counts_after_the_merge(world):
    """Put on late it is found with who did it; taken off it is gone."""
    merged(world, labels=["docs"])
    world.double.add_label(world.repository, 1, LABEL, by="eve")

    facts = world.github.opt_out_now(world.repository, 1, LABEL)
    assert (facts.by, facts.change, facts.label) == ("eve", 1, LABEL)
    world.double.remove_label(world.repository, 1, LABEL, by="sam")
    assert world.github.opt_out_now(world.repository, 1, LABEL) is None


def test_newer_commits_have_a_greater_position(world):
    """However many changes a push brought, and whatever the clocks of the committers said."""
    first = merged(world, "alex/1-x", commits=3)["merge_commit_sha"]
    second = world.double.push(world.repository, "main", {"direct.txt": "x"})

    assert origin(world, world.first).position < origin(world, first).position < origin(world, second).position


def test_where_commits_stand_to_each_other(world):
    """Forced away, forced back, or from a commit that GitHub has forgotten."""
    ahead = merged(world, "alex/1-x")["merge_commit_sha"]
    rewritten = world.double.push(world.repository, "main", {"y.txt": "y"}, base=world.first, force=True)

    def relation(base, head):
        return world.github.relation(world.repository, base, head)

    assert relation(world.first, ahead) == "ahead"
    assert relation(ahead, world.first) == "behind"
    assert relation(ahead, rewritten) == "diverged"
    assert relation("a" * 40, rewritten) == "diverged"
    assert (relation("main", rewritten), relation("main", world.first)) == ("identical", "behind")
    assert relation("main", ahead) == "diverged"


def test_first_parents_are_what_the_branch_pointed_at(world):
    """A change's own commits are none of them; of a commit that GitHub has forgotten nothing is known."""
    merge = merged(world, "alex/1-x", commits=3)["merge_commit_sha"]
    second = world.double.push(world.repository, "main", {"direct.txt": "x"})

    known = list(world.github.first_parents(world.repository, second))
    assert known[:3] == [second, merge, world.first]
    assert list(world.github.first_parents(world.repository, "a" * 40)) == []


def test_new_branch_counts_as_a_push_of_its_head(world):
    """Forty zeros before: only what brought the head itself is looked for."""
    first = merged(world, "alex/1-x")
    second = merged(world, "alex/2-y")

    assert [one.number for one in origin(world, second["merge_commit_sha"], ZEROS).changes] == [second["number"]]
    assert [one.number for one in origin(world, first["merge_commit_sha"], ZEROS).changes] == [first["number"]]


def test_forced_push_is_compared_with_what_both_share(world):
    """A rewritten main brings what it has that the old one had not; an unknown old head, only the new head."""
    merged(world, "alex/1-x")
    rewritten = world.double.push(world.repository, "main", {"y.txt": "y"}, base=world.first, force=True)
    sha = merged(world, "alex/2-y")["merge_commit_sha"]

    assert [one.number for one in origin(world, sha, rewritten).changes] == [2]
    assert [one.number for one in origin(world, sha, "a" * 40).changes] == [2]
    assert [one.number for one in origin(world, world.first, sha).changes] == []


def test_push_of_more_commits_than_a_page_holds(world):
    """A change of 120 commits is read over several pages and found once, in a handful of requests."""
    merged(world, "alex/1-small")
    git = world.double.repository(world.repository)["clone_path"]
    push_commits(git, "alex/2-big", 120)
    world.double.open_pull_request(world.repository, "alex/2-big", "Big")
    sha = world.double.merge(world.repository, 2, by="maria")["merge_commit_sha"]
    before = len(world.double.requests())

    assert [one.number for one in origin(world, sha).changes] == [1, 2]
    assert len(world.double.requests()) - before < 20


def test_who_commits_had_a_part_like_who_writes(world):
    """A cherry-pick has two people. GitHub's own account, which commits for who works in the browser, is nobody."""
    merged(world, "alex/1-small")
    git = world.double.repository(world.repository)["clone_path"]
    stream = ""
    for number, (author, committer) in enumerate([("sam", "kim"), ("priya", "web-flow")]):
        stream += (
            f"commit refs/heads/sam/2-pick\nauthor {author} <{author}@users.noreply.example> 1700000000 +0000\n"
            f"committer {committer} <{committer}@users.noreply.example> 1700000000 +0000\ndata 4\npick\n"
            f"{'' if number else f'from refs/heads/main^0{chr(10)}'}M 644 inline pick/{number}\ndata 1\nx\n"
        )
    subprocess.run(["git", "-C", git, "fast-import", "--quiet"], input=stream.encode(), check=True)
    world.double.open_pull_request(world.repository, "sam/2-pick", "Pick", author="sam")
    sha = world.double.merge(world.repository, 2, by="maria")["merge_commit_sha"]

    authors = set(origin(world, sha).authors)

    assert authors >= {"sam", "kim", "priya"}
    assert "web-flow" not in authors


def push_commits(git_dir, branch, count):
    """Write many commits at once, faster than one by one."""
    stream = "".join(
        f"commit refs/heads/{branch}\ncommitter alex <alex@users.noreply.example> {1_700_000_000 + number} +0000\n"
        f"data 4\nmore\n{f'from refs/heads/main^0{chr(10)}' if not number else ''}"
        f"M 644 inline big/{number}\ndata 1\nx\n"
        for number in range(count)
    )
    subprocess.run(["git", "-C", git_dir, "fast-import", "--quiet"], input=stream.encode(), check=True)


def test_unknown_commit_and_repository_are_not_found(world):
    """What GitHub does not have is told with what to check."""
    with pytest.raises(NotFound, match="check the name and what our token or App may see"):
        origin(world, "b" * 40)
    with pytest.raises(NotFound, match="404 Not Found"):
        world.github.check_access("contoso/nothing")


@pytest.mark.parametrize(
    ("repository", "sha"), [("contoso", "a" * 40), ("../../app", "a" * 40), ("a/b?c", "a" * 40), ("a/b", "main")]
)
def test_names_that_are_none_never_reach_github(world, repository, sha):
    """A path is only ever made of a repository's name and a full sha."""
    before = len(world.double.requests())

    with pytest.raises(Invalid, match="is not a"):
        world.github.find_origin(repository, sha, ZEROS, LABEL, "main")
    assert len(world.double.requests()) == before


def test_wrong_token_is_told_with_what_to_check(world):
    """Refused credentials are not tried again, and the message names the setting, not the token."""
    github = GitHub(world.double.origin, "ghp_wrong", sleep=world.pauses.append)

    with pytest.raises(Forbidden, match="check DRAWBRIDGE_GITHUB_TOKEN") as refused:
        github.find_origin(world.repository, world.first, ZEROS, LABEL)
    assert "ghp_wrong" not in str(refused.value)
    assert world.pauses == []


def test_server_errors_are_tried_again(world):
    """5xx twice, then success, after growing pauses."""
    world.double.fault(status=502, times=2)
    world.github.check_access(world.repository)

    assert world.pauses == [1.0, 2.0]


def test_lasting_trouble_is_unavailable(world):
    """After four tries the caller hears that GitHub is in trouble."""
    world.double.fault(status=503, times=99, message="maintenance")

    with pytest.raises(Unavailable, match=r"is in trouble \(503 maintenance\)"):
        world.github.check_access(world.repository)
    assert world.pauses == [1.0, 2.0, 4.0]


def test_retry_after_is_honoured(world):
    """A 429 is waited out for as long as GitHub says."""
    world.double.fault(status=429, retry_after=7)
    world.github.check_access(world.repository)

    assert world.pauses == [7.0]


def test_long_limits_are_left_to_the_caller(world):
    """A pause over 20 seconds is not slept in an activity: the caller gets it in seconds, and at once."""
    world.double.fault(status=403, retry_after=90, message="You have exceeded a secondary rate limit")

    with pytest.raises(Unavailable, match="limits our requests") as limited:
        world.github.check_access(world.repository)
    assert limited.value.retry_after == 90.0
    assert world.pauses == []


def test_secondary_limit_without_a_time_means_a_minute(world):
    """GitHub asks to wait at least a minute when it does not say how long."""
    world.double.fault(status=403, message="You have exceeded a secondary rate limit. Please wait a few minutes")

    with pytest.raises(Unavailable) as limited:
        world.github.check_access(world.repository)
    assert limited.value.retry_after == 60.0


def test_used_up_limit_waits_for_its_reset(world):
    """x-ratelimit-reset says when the hour is over, by a clock the test holds."""
    github = GitHub(world.double.origin, TOKEN, sleep=world.pauses.append, now=lambda: 1_000_000.0)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000010", "X-RateLimit-Limit": "5000"}
    world.double.fault(status=403, message="API rate limit exceeded", headers=headers)
    github.check_access(world.repository)

    assert world.pauses == [11.0]


def test_plain_403_is_a_missing_permission(world):
    """Without a sign of a limit, waiting would not help."""
    world.double.fault(status=403, message="Resource not accessible by integration")

    with pytest.raises(Forbidden, match=r"give the token or App the permission \(403 Resource not accessible"):
        world.github.check_access(world.repository)
    assert world.pauses == []


def test_silence_is_given_up_and_tried_again(world):
    """A reply that does not come within the timeout counts as trouble; the next try works."""
    github = GitHub(world.double.origin, TOKEN, timeout=1, sleep=world.pauses.append)
    world.double.fault(hang=3.0)
    github.check_access(world.repository)

    assert world.pauses == [1.0]


def test_unreachable_github_is_unavailable(world):
    """A refused connection names the host and what to look at, never a URL with secrets."""
    github = GitHub("http://127.0.0.1:1", TOKEN, sleep=world.pauses.append)

    with pytest.raises(Unavailable, match=r"127.0.0.1:1 did not answer: the connection failed .* check the route"):
        github.check_access(world.repository)


def test_download_does_not_show_our_token_to_the_archives_host(world, tmp_path):
    """The archive is fetched by its link alone."""
    world.github.download(world.repository, world.first, tmp_path / "files.tar.gz")

    asked, fetched = world.double.requests()[-2:]
    assert (asked["path"].split("/")[-2], asked["authorized"]) == ("tarball", True)
    assert (fetched["path"].split("/")[1], fetched["authorized"]) == ("_codeload", False)


def test_download_is_whole_or_not_there(world, tmp_path):
    """A broken transfer is tried again with a new link; one that never works leaves nothing behind."""
    world.double.fault(path_regex="_codeload", reset=True)
    world.double.fault(path_regex="_codeload", status=404)
    world.github.download(world.repository, world.first, tmp_path / "files.tar.gz")
    world.double.fault(path_regex="_codeload", status=500, times=9)

    assert tarfile.is_tarfile(tmp_path / "files.tar.gz")
    with pytest.raises(Unavailable, match="the archive's host answered 500"):
        world.github.download(world.repository, world.first, tmp_path / "again.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["files.tar.gz"]


def test_archive_too_large_is_refused(world, tmp_path):
    """A repository somebody put a dataset of gigabytes in is told, not stored."""
    link = f"{world.double.origin}/_double/deliveries"

    with pytest.raises(Invalid, match="larger than 0 MB"):
        fetch(link, tmp_path / "files", timeout=5, most=1)
    assert list(tmp_path.iterdir()) == []
