"""Which opt-outs the policy honours, and in which words it refuses the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import timeline
from domain.config import OptOutRule
from domain.debts import incur
from domain.models import OptOut
from domain.opt_out import (
    CHECKLIST,
    MARKER,
    Facts,
    has_ground,
    judge,
    matches,
    may_have_ground,
    skips_full_evaluation,
)
from tests import samples

TICKED = """## What changes

- [ ] a box of another list

<!-- drawbridge:opt-out -->
## Skipping the full evaluation

- [x] Answers cannot change: only documentation, tests or tooling are touched.
* [X] I know that the skip is shown with my name, and that the evaluation is  owed before production.

**Reason for skipping:** documentation only,
nothing else

## After it

- [ ] not ours
"""
FACTS = Facts(7, "skip-e2e-evaluation", "alex", "2026-11-23T08:00:00Z", TICKED, ("docs/guide.md",))
RULE = OptOutRule(forbidden_paths=["flows/**"])


def refusal(rule: OptOutRule = RULE, may: bool = True, **facts: object) -> str:
    """Return what is against an opt-out with these facts."""
    return judge(rule, replace(FACTS, **facts), may).refused  # type: ignore[arg-type]


def test_ticked_checklist_with_a_reason_is_honoured() -> None:
    """Who, when and why go with it."""
    expected = OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z", "documentation only, nothing else", "")

    assert judge(RULE, FACTS, may=True) == expected


def test_person_whom_the_policy_does_not_name_is_refused() -> None:
    """The words say who may."""
    assert refusal(OptOutRule(allowed=["acme/leads"]), may=False) == (
        "@alex is none of those who may opt out (acme/leads)"
    )


def test_bot_is_refused_unless_the_policy_names_it() -> None:
    """Everybody may, where nobody is named: that is every person. The words say what to do instead."""
    assert refusal(OptOutRule(), by="renovate[bot]") == (
        "@renovate[bot] is a bot: a person puts the label on, or opt_out.allowed names the bot"
    )
    assert refusal(OptOutRule(allowed=["acme/leads"]), by="renovate[bot]").startswith("@renovate[bot] is a bot: ")
    assert refusal(OptOutRule(allowed=["@Renovate[bot]"]), by="renovate[bot]") == ""


def test_forbidden_path_is_refused_with_the_file() -> None:
    """One file is named, the others are counted."""
    files = ("docs/guide.md", "flows/chat/flow.dag.yaml", "flows/chat/retrieve.py")

    assert refusal(files=files) == (
        "it changes flows/chat/flow.dag.yaml and 1 more, and flows/** may not skip the full evaluation"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "its text has no opt-out checklist"),
        (TICKED.replace("<!-- drawbridge:opt-out -->", ""), "its text has no opt-out checklist"),
        (TICKED.replace("[x] Answers", "[ ] Answers"), 'not ticked: "Answers cannot change: only documentation,'),
        (TICKED.replace("- [x] Answers", "Answers"), 'taken out of the checklist: "Answers cannot change: only'),
        (TICKED.replace("documentation only,\nnothing else", ""), 'no reason is given after "Reason for skipping:"'),
        (TICKED.replace("documentation only,\nnothing else", "<!-- why? -->"), "no reason is given"),
        (f"{MARKER}\nReason: because", 'taken out of the checklist: "I know that the skip is shown with my name'),
        (f"{MARKER}\n<!--\n- [x] {CHECKLIST[0]}\n-->\nReason: because", 'taken out of the checklist: "Answers'),
    ],
)
def test_incomplete_checklist_is_refused_with_what_is_missing(body: str, words: str) -> None:
    """A box that is not there, not ticked, or hidden in a comment; no reason, or only the template's hint."""
    assert words in refusal(body=body)


def test_repositorys_own_template_says_what_has_to_be_ticked() -> None:
    """Its boxes in that section, and no others; a template without the section says nothing about it."""
    own = f"- [ ] a box of another list\n{MARKER}\n- [ ] The data owner agrees\n- [ ] `flows` stay\n\nReason:\n"
    done = own.replace("[ ]", "[x]") + "they do"

    assert refusal(template=own) == (
        'taken out of the checklist: "The data owner agrees"; taken out of the checklist: "`flows` stay"'
    )
    assert refusal(template=own, body=done) == ""
    assert 'taken out of the checklist: "The data owner agrees"' in refusal(
        template=own, body=done.replace("- [x] The data owner agrees\n", "")
    )
    assert refusal(template="## What changes\n") == ""
    assert 'taken out of the checklist: "Answers' in refusal(template="## What changes\n", body=done)


def test_text_with_carriage_returns_reads_alike() -> None:
    """As browsers send it."""
    assert refusal(body=TICKED.replace("\n", "\r\n")) == ""


def test_change_of_more_files_than_github_lists_is_refused_where_paths_forbid_it() -> None:
    """A forbidden path may be among those that it names no more."""
    files = tuple(f"docs/{number}.md" for number in range(3000))

    assert refusal(files=files).startswith("it changes more files than GitHub lists, so nobody can say that flows/**")
    assert refusal(OptOutRule(), files=files) == ""


def test_commit_without_a_change_takes_the_ground_from_every_opt_out() -> None:
    """Nobody can have opted out for it: one label must not speak for what was pushed beside its change."""
    record = timeline.add_evaluation(timeline.plan_stages(samples.record(), samples.CONFIG), samples.summary())

    assert has_ground(record)
    assert may_have_ground(record)
    assert not has_ground(replace(record, direct=1))
    assert not may_have_ground(replace(record, direct=1))


def test_overdue_debt_must_be_paid_before_anybody_opts_out_again() -> None:
    """The words name its commit and its date."""
    debt = incur(samples.record(opt_outs=()), samples.CONFIG, "2026-11-01T00:00:00Z")

    assert judge(RULE, FACTS, True, [debt]).refused == (
        "the debt of c0ffee0 was due at 2026-11-08T00:00:00Z and must be paid first"
    )


def test_every_reason_is_said_at_once() -> None:
    """Nobody mends one thing to learn of the next."""
    said = refusal(OptOutRule(allowed=["kim"], forbidden_paths=["docs"]), may=False, body="")

    assert said.count("; ") == 2


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("flows/**", "flows/chat/flow.dag.yaml", True),
        ("flows/**", "flows/a", True),
        ("flows", "flows/chat/x.py", True),
        ("flows/*", "flows/chat/x.py", True),  # a directory covers its files
        ("**/*.py", "x.py", True),
        ("*.md", "docs/x.md", False),
        ("flows/**", "flowsheet/x", False),
        ("data/?.jsonl", "data/a.jsonl", True),
        ("a.b", "axb", False),
        ("docs/**/x", "docs/x\ny/x", True),
    ],
)
def test_globs_cover_directories_and_nothing_beside_them(pattern: str, path: str, covered: bool) -> None:
    """As people know them from Git."""
    assert matches(pattern, path) is covered


def test_one_label_does_not_speak_for_another_change() -> None:
    """Every change must opt out; a direct push has none that could."""
    first, second = samples.origin().changes[0], replace(samples.origin().changes[0], number=8)
    opt_out = judge(RULE, FACTS, may=True)

    assert skips_full_evaluation([first], [opt_out])
    assert not skips_full_evaluation([first, second], [opt_out])
    assert not skips_full_evaluation([], [])
