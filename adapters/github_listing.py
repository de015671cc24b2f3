"""What GitHub has now: asked so that what has not changed costs nothing of the rate limit."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from domain import github_events, merge_queue
from domain.errors import NotFound
from domain.git_flow import ChangeEvent
from domain.github_events import find, need, sha

if TYPE_CHECKING:
    from github.Requester import Requester

    from adapters.github_calls import Steady  # brings PyGithub, which no cold start needs

FULL_PAGE = 100  # things; the most that GitHub gives at once
MOST_PAGES = 50
RECONCILED = "reconciled"  # in place of a delivery's id
OPEN_CHANGES = f"/pulls?state=open&sort=created&direction=asc&per_page={FULL_PAGE}"
LABEL_EVENTS = f"/issues/events?per_page={FULL_PAGE}"
NEWEST_COMMENT = "/issues/comments?sort=created&direction=desc&per_page=1"
QUEUES = f"/git/matching-refs/heads/{merge_queue.PREFIX}"  # what merge queues are about to merge
DELIVERIES = f"/app/hook/deliveries?per_page={FULL_PAGE}"
_NOT_MODIFIED = 304


@dataclass(frozen=True)
class Answer:
    """What GitHub answers. `data` is None when it is as it was; `following` is where the list goes on."""

    data: Any
    etag: str
    following: str = ""


Look = Callable[[str, str], Answer]  # a path, and the etag it had


def look(steady: Steady, requester: Callable[[], Requester], path: str, etag: str = "") -> Answer:
    """Ask for what lies at a path of the API, unless it still has this etag; see GitHub.look."""

    def attempt() -> Answer:
        asking = requester()
        status, headers, text = asking.requestJson("GET", path, headers={"If-None-Match": etag} if etag else None)
        if status == _NOT_MODIFIED:
            return Answer(None, etag)
        data = json.loads(text)
        if status >= 400:
            raise asking.createException(status, headers, data)
        return Answer(data, headers.get("etag", ""), _following(headers))

    return steady.call(attempt)


def branch_path(branch: str) -> str:
    """Return where a branch is found, without an error when there is none."""
    return f"/git/matching-refs/heads/{quote(branch)}"


def comments_path(since: str) -> str:
    """Return where the comments written or edited since a moment are listed, oldest first."""
    path = f"/issues/comments?sort=updated&direction=asc&per_page={FULL_PAGE}"
    return f"{path}&since={since}" if since else path


def pull_of(comment: Mapping[str, Any]) -> int | None:
    """Return the number of the pull request that a comment stands on; None for an issue's."""
    found = re.search(r"/pull/(\d+)#", str(comment.get("html_url", "")))
    return int(found[1]) if found else None


def head(ask: Look, repository: str, branch: str, etag: str) -> Answer:
    """Find where a branch is: `data` is its sha, "" when there is no such branch.

    Raises NotFound when the repository has another name now.
    """
    answer = ask(branch_path(branch), etag)
    if answer.data is None:
        return answer
    refs = [ref for ref in answer.data if ref.get("ref") == f"refs/heads/{branch}"]
    for ref in refs:
        _check_name(need(ref, "url", str), repository)
    return Answer(sha(refs[0], "object.sha") if refs else "", answer.etag)


def marks_paths(sha: str) -> tuple[str, str]:
    """Return the lists of which one is another whenever a check of a commit ended or began again."""
    return f"/commits/{sha}/check-runs?per_page={FULL_PAGE}", f"/commits/{sha}/status?per_page={FULL_PAGE}"


def heads(refs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the branches of a list of refs with their shas."""
    return {need(ref, "ref", str).removeprefix("refs/heads/"): sha(ref, "object.sha") for ref in refs}


def commits_after(ask: Look, before: str, after: str) -> tuple[list[str], str, bool]:
    """List the commits of a branch that moved, newest first: up to `before`, or 100 when it lies further back.

    Returns with them who wrote the newest one, and whether the branch was rewritten: then `before` is none of them.
    """
    commits = ask(f"/commits?sha={after}&per_page={FULL_PAGE}", "").data
    shas = [sha(commit, "sha") for commit in commits]
    recent = shas[: shas.index(before)] if before in shas else shas
    author = find(commits[0], "author.login", str) or github_events.GHOST
    return recent, author, bool(before) and _rewritten(ask, before, after)


def change(ask: Look, number: int, action: str = "", sender: str = "", label: str = "", at: str = "") -> ChangeEvent:
    """Read one pull request, as an event of its life; without an action as what its state says."""
    pull = ask(f"/pulls/{number}", "").data
    return github_events.change(pull, action or standing(pull), RECONCILED, sender, label, at)


def standing(pull: Mapping[str, Any]) -> str:
    """Say which of GitHub's words makes a pull request what it is now."""
    if pull.get("state") == "closed":
        return "closed"
    return "converted_to_draft" if pull.get("draft") else "edited"


def version(pull: Mapping[str, Any]) -> str:
    """Return what is another text whenever something about an open pull request may start or end something."""
    # Updates are dated to the second, so its date alone does not tell two of them apart.
    base, draft = find(pull, "base.ref", str), "draft" if pull.get("draft") else "ready"
    words = hashlib.sha256(f"{pull.get('title')}\0{pull.get('body')}".encode()).hexdigest()[:16]
    return " ".join((need(pull, "updated_at", str), sha(pull, "head.sha"), draft, base or "", words))


def reworded(before: str, after: str) -> bool:
    """Say whether of two versions of a change the later one has another title or text, and the rest as it was."""
    old, new = before.split(" ")[1:], after.split(" ")[1:]
    return old[:3] == new[:3] and old[3:] != new[3:]


def is_ready(version: str, branches: Collection[str]) -> bool:
    """Say whether an open change of this version is to be validated: it is no draft and goes to one of the branches."""
    return version.split(" ")[2:4] in [["ready", branch] for branch in branches]


def since(ask: Look, path: str, etag: str, newest: int) -> tuple[Answer, list[dict[str, Any]]]:
    """List the things with an id above `newest`, oldest first, of a list that has its newest first.

    Returns the first page's answer with them.
    """
    first = ask(path, etag)
    found: list[dict[str, Any]] = []
    for page in _pages(ask, first):
        new = [one for one in page if need(one, "id", int) > newest]
        found += new
        if len(new) < FULL_PAGE:
            break
    return first, found[::-1]


def _pages(ask: Look, first: Answer) -> Iterator[list[dict[str, Any]]]:
    answer = first
    for _ in range(MOST_PAGES):
        yield answer.data or []
        if not answer.following:
            return
        answer = ask(answer.following, "")


def _rewritten(ask: Look, before: str, after: str) -> bool:
    try:
        return ask(f"/compare/{before}...{after}?per_page=1", "").data.get("status") not in ("ahead", "identical")
    except NotFound:
        return True  # GitHub has forgotten what was there


def _check_name(url: str, repository: str) -> None:
    found = re.search(r"/repos/([^/]+/[^/]+)/", url)
    if found and found[1].casefold() != repository.casefold():
        raise NotFound(f"{repository} is called {found[1]} now: put that name into DRAWBRIDGE_REPOSITORIES.")


def _following(headers: Mapping[str, str]) -> str:
    found = re.search(r'<([^>]+)>;\s*rel="next"', headers.get("link", ""))
    return found[1] if found else ""
