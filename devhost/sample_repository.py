"""The demo's customer in the GitHub double: its repository, and changes that people propose to it."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devhost.github.client import Client, DoubleError

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "samples" / "helpdesk"
REPOSITORY = "harbor-finch/helpdesk"
MAIN = "main"


@dataclass(frozen=True)
class ProposedChange:
    """A pull request that somebody opens: its patch lies in `devhost/demo_changes/`."""

    branch: str
    patch: str
    author: str
    title: str
    body: str
    label: str = ""  # that its author puts on it


BETTER = ProposedChange(
    branch="alex/12-better-retrieval",
    patch="better_retrieval.patch",
    author="alex",
    title="Find plurals, and places for questions that ask where",
    body="`backups` now finds `backup`, and *where* looks for a building or a room. Four more questions of the full "
    "dataset find the passage that answers them.",
)
OPT_OUT_LABEL = "skip-e2e-evaluation"
OPTED_OUT = ProposedChange(
    branch="alex/14-writing-articles",
    patch="writing_articles.patch",
    author="alex",
    title="Say how to write an article",
    body="""A page for people who write articles.

<!-- drawbridge:opt-out -->
- [x] Nothing under `flows/` changes.
- [x] Answers cannot change: only documentation, tests or tooling are touched.
- [x] I know that the skip is shown with my name, and that the evaluation is owed before production.

Reason for skipping: documentation only
""",
    label=OPT_OUT_LABEL,
)
WORSE = ProposedChange(
    branch="sam/15-shorter-notes",
    patch="shorter_notes.patch",
    author="sam",
    title="Give the model shorter notes to save tokens",
    body="Cuts the note after 20 characters. The model should know the rest.",
)


def ensure_repository(github: Client) -> dict[str, Any]:
    """Return the sample repository in the double, made of `samples/helpdesk` when it is not there yet."""
    try:
        return github.repository(REPOSITORY)
    except DoubleError:
        github.create_repository(REPOSITORY, SAMPLE, branches=(MAIN, "develop"), author="alex")
        return github.repository(REPOSITORY)


def propose(github: Client, clone_path: str, change: ProposedChange) -> int:
    """Push the change's branch with git, open its pull request and return the number."""
    with tempfile.TemporaryDirectory() as folder:
        _git("clone", "--quiet", "--branch", MAIN, clone_path, folder)
        _git("-C", folder, "checkout", "--quiet", "-b", change.branch)
        _git("-C", folder, "apply", "--index", str(ROOT / "devhost" / "demo_changes" / change.patch))
        identity = ("-c", f"user.name={change.author}", "-c", f"user.email={change.author}@finch.example")
        _git("-C", folder, *identity, "commit", "--quiet", "--message", change.title)
        _git("-C", folder, "push", "--quiet", "origin", change.branch)
    request = github.open_pull_request(REPOSITORY, change.branch, change.title, change.body, change.author, base=MAIN)
    if change.label:
        github.add_label(REPOSITORY, int(request["number"]), change.label, by=change.author)
    return int(request["number"])


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
