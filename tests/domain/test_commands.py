"""Commands in comments: what starts an evaluation, and what must never do."""

from __future__ import annotations

import pytest

from domain.commands import HELP, read_command


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("/evaluate full", "full"),
        ("/evaluate minimal", "minimal"),
        ("  /Evaluate   FULL \t\r\n", "full"),
        ("Looks good.\n\n/evaluate minimal\n\nThanks!", "minimal"),
        ("/evaluate minimal\n/evaluate full", "minimal"),
        ("> old words\n\n/evaluate full", "full"),
        ("```\nsome code\n```\n/evaluate full", "full"),
        ("~~~ python\n```\n~~~\n/evaluate full", "full"),
        ("On reflection:\n/evaluate full", "full"),
    ],
)
def test_a_line_of_its_own_is_a_command(body: str, kind: str) -> None:
    """Alone or among other words, in any case; the first one counts."""
    assert read_command(body) == kind


@pytest.mark.parametrize("body", ["/evaluate", "/evaluate nightly", "/evaluate full please", "/EVALUATE fulll"])
def test_a_wrong_word_asks_for_help(body: str) -> None:
    """Somebody tried, and should hear how it is written."""
    assert read_command(body) == HELP


@pytest.mark.parametrize(
    "body",
    [
        "",
        "please /evaluate full",
        "`/evaluate full`",
        "- /evaluate full",
        "/evaluated full",
        "/evaluate-full",
        "> /evaluate full",
        ">/evaluate full",
        "   > /evaluate full",
        "> Could somebody say\n/evaluate full",  # Markdown shows it as part of the quote
        "    /evaluate full",
        "\t/evaluate full",
        "```\n/evaluate full\n```",
        "~~~\n/evaluate full",
        "~~~ `python`\n/evaluate full",
        "  \t/evaluate full",
        "````\n```\n/evaluate full\n````",
        "``` \n/evaluate full\n``` python\n/evaluate full",  # a fence with words does not close one
        "<!-- /evaluate full -->",
        "<!--\n/evaluate full\n-->",
        "<!-- never closed\n/evaluate full",
        "/evaluate full <!-- really -->",
        "<blockquote>\n/evaluate full\n</blockquote>",
        "<pre>\n/evaluate full\n</pre>",
    ],
)
def test_what_is_quoted_shown_or_hidden_is_no_command(body: str) -> None:
    """Only what somebody says themselves counts."""
    assert read_command(body) is None


@pytest.mark.parametrize(
    "tail",
    [
        "On Mon, Nov 23, 2026 at 9:00 AM Maria <notifications@github.com> wrote:",
        "On Mon, Nov 23, 2026 at 9:00 AM Maria Example <\nnotifications@github.com> wrote:",
        "Am 23.11.26 um 09:00 schrieb Maria:",
        "Le lun. 23 nov. 2026 à 09:00, Maria a écrit :",
        "El lun, 23 nov 2026 a las 9:00, Maria escribió:",
        "-----Original Message-----",
        "________________________________",
        "From: Maria <maria@acme.example>\nSent: Monday, November 23, 2026 9:00 AM",
    ],
)
@pytest.mark.parametrize("quote", ["> /evaluate full", "/evaluate full"])
def test_the_quoted_tail_of_a_mail_is_no_command(tail: str, quote: str) -> None:
    """Some mail programs quote without `>`; what is above the tail still counts."""
    assert read_command(f"I agree.\n\n{tail}\n{quote}\n") is None
    assert read_command(f"/evaluate minimal\n\n{tail}\n{quote}\n") == "minimal"


@pytest.mark.parametrize(
    "body",
    [
        "/evaluate" + " " * 65_000 + "\0",
        "Am " + "schrieb " * 8_000,
        "On a\n" * 16_000,
        "<!--" * 16_000,
        "<pre>" * 13_000,
        "`" * 65_000 + "\n/evaluate",
        "> \n" * 16_000,
    ],
)
def test_a_comment_made_to_keep_us_busy_is_read_all_the_same(body: str) -> None:
    """GitHub takes 65,536 characters, and anybody may write them: each is a command or not, after one look."""
    assert read_command(body) in {None, HELP}
