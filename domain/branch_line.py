"""Which commit of the release branch is newer, also after somebody has rewritten the branch."""

from __future__ import annotations

from dataclasses import dataclass

MOST_COMMITS = 10**9  # of one branch

AHEAD, BEHIND, DIVERGED, IDENTICAL = "ahead", "behind", "diverged", "identical"  # GitHub's words


@dataclass(frozen=True)
class Line:
    """The newest commit of a branch that has a position; no `sha` before the first one."""

    sha: str = ""
    position: int = MOST_COMMITS


@dataclass(frozen=True)
class Commit:
    """A commit that wants a position. `count` is how many commits lead to it, itself included.

    `relation` is where it stands to the line's newest, as GitHub says it; then `on_branch` says whether the branch has
    the commit now, and `newest_on_branch` whether it has the line's newest. Both may be left out when it is ahead.
    """

    sha: str
    count: int
    relation: str = AHEAD
    on_branch: bool = True
    newest_on_branch: bool = True


def position(line: Line, commit: Commit) -> int:
    """Return the commit's position: a newer commit's is greater.

    A descendant has more commits behind it than its ancestors, so counting them orders what was pushed one on top of
    the other. Where the branch was rewritten, counts say nothing: what it has now is newer than what it lost.
    """
    rewrites = line.position // MOST_COMMITS
    if commit.relation in (BEHIND, DIVERGED):
        if commit.on_branch and not commit.newest_on_branch:
            rewrites += 1
        elif commit.relation == DIVERGED and not commit.on_branch:
            rewrites -= 1
    return rewrites * MOST_COMMITS + commit.count


def following(line: Line, sha: str, placed: int) -> Line:
    """Return the line with a commit that was placed."""
    return Line(sha, placed) if placed > line.position or not line.sha else line
