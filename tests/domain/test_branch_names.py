"""Branch names: the rule, and the corrected example."""

from __future__ import annotations

import pytest

from domain.branch_names import corrected, follows, issue_in
from domain.config import Branches

RULE = Branches().feature


@pytest.mark.parametrize("branch", ["alex/42-fix-login", "maria-k/ABC-1", "a/7-x", "alex/GH42-9-lives"])
def test_names_that_follow_the_rule(branch: str) -> None:
    """developer-name/issue-id-feature-name."""
    assert follows(RULE, branch)


@pytest.mark.parametrize(
    "branch", ["fix-login", "alex/fix", "Alex/42-fix", "alex/42-Fix", "alex/42-fix/more", "alex/42-fix ", "/42-fix", ""]
)
def test_names_that_break_it(branch: str) -> None:
    """The whole name counts, not a part of it."""
    assert not follows(RULE, branch)


@pytest.mark.parametrize(
    ("branch", "author", "example"),
    [
        ("Fix Login 42", "alex", "alex/42-fix-login"),
        ("feature/login-42", "alex", "alex/42-login"),
        ("Alex/42_Fix_Login", "alex", "alex/42-fix-login"),
        ("fix/GH-77-dark mode", "Maria", "maria/77-gh-dark-mode"),
        ("login", "alex", "alex/123-login"),
        ("login", "4lex", "dev-4lex/123-login"),
        ("bump", "dependabot[bot]", "dependabot-bot/123-bump"),
        ("Über-uns", "alex", "alex/123-uber-uns"),
        ("修正", "alex", "alex/123-change"),
        ("42", "alex", "alex/42-change"),
        ("x" * 300, "alex", "alex/123-" + "x" * 91),
    ],
)
def test_example_is_made_from_the_name_the_author_and_the_issue(branch: str, author: str, example: str) -> None:
    """Whatever the name was, the example follows the rule."""
    assert corrected(branch, author, RULE) == example
    assert follows(RULE, example)


def test_no_example_that_the_rule_refuses() -> None:
    """A pattern of the team's own may want something else altogether."""
    assert corrected("login", "alex", r"JIRA-\d+") == ""


def test_issue_is_a_number_of_its_own_if_there_is_one() -> None:
    """`v2` is a version, 42 an issue."""
    assert issue_in("v2-api-42") == "42"
    assert issue_in("v2") == "2"
    assert issue_in("login") == ""
