"""The rule for the names of feature branches, and the example that a person gets who broke it."""

from __future__ import annotations

import re
import unicodedata

from domain.asks import is_bot
from domain.changes import ChangeFacts
from domain.config import Branches

# First parts of a branch name that say what kind of work it is, not who does it.
_KINDS = {"feature", "features", "feat", "fix", "bugfix", "hotfix", "bug", "chore", "docs", "issue", "task", "users"}
NO_ISSUE = "123"


def is_ruled(facts: ChangeFacts, branches: Branches) -> bool:
    """Say whether the rule is for a change's branch: for people's own on the way to develop.

    It cannot be for the release branch that is brought back, nor for what a bot calls its branches.
    """
    own = not facts.fork and facts.branch != branches.main and not is_bot(facts.author)
    return own and facts.base == branches.develop


def follows(pattern: str, branch: str) -> bool:
    """Say whether a branch's whole name matches the pattern of the config."""
    return re.fullmatch(pattern, branch) is not None


def corrected(branch: str, author: str, pattern: str) -> str:
    """Return the name that the branch should have had: `Fix Login 42` by alex becomes `alex/42-fix-login`.

    Without a number in it, NO_ISSUE stands for the issue's. Empty when the pattern wants something else altogether.
    """
    parts = [part for part in branch.split("/") if part]
    while len(parts) > 1 and (parts[0].lower() in _KINDS or _developer(parts[0]) == _developer(author)):
        parts.pop(0)
    words = _words("-".join(parts))
    issue = issue_in(branch) or NO_ISSUE
    if issue in words:
        words.remove(issue)
    example = f"{_developer(author)}/{issue}-{'-'.join(words or ['change'])}"[:100].rstrip("-")
    return example if follows(pattern, example) else ""


def issue_in(branch: str) -> str:
    """Return the first number in a branch's name that can be an issue's, or nothing."""
    found = re.search(r"(?<![0-9A-Za-z])#?([0-9]{1,8})(?![0-9A-Za-z])", branch) or re.search(r"([0-9]{1,8})", branch)
    return found[1] if found else ""


def _developer(author: str) -> str:
    name = "-".join(_words(author))
    return name if re.match("[a-z]", name) else f"dev-{name}".rstrip("-")


def _words(text: str) -> list[str]:
    """Return the words in lower case, accents dropped: the rest of Unicode has no place in a branch name here."""
    return re.findall(r"[a-z0-9]+", unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower())
