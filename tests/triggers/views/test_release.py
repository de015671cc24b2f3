"""The release list and the release page say where a release stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.models import Outcome
from domain.release_rows import row_of
from scripts import preview_data as data
from triggers.views import Ask, FormLink, Round, Surroundings, release_list_page, release_page
from triggers.views.common import ordinal


def shown(page, record, refresh=True, **around):
    return page("release.html", release_page(record, data.NOW, Surroundings(**around), refresh=refresh))


def listed(page, records, **options):
    return page("releases.html", release_list_page([row_of(one) for one in records], data.NOW, **options))


def test_list_shows_commit_title_author_outcome_stage_and_age(page):
    """One line tells what the release is and where it stands."""
    row = listed(page, [data.running_release()]).text("tbody tr")

    for words in ("Answer in one sentence", "4f2a91c0", "@alex", "running", "Full evaluation", "1 h 4 min ago"):
        assert words in row


def test_list_leads_to_the_pages_before_and_after(page):
    """Only where there are any; stopping the refresh stays on the page."""
    rows = [row_of(data.running_release())]
    middle = page("releases.html", release_list_page(rows, data.NOW, page=2, pages=3))
    only = listed(page, [data.running_release()])

    assert [link.attributes["href"] for link in middle.all(".pager a")] == [
        "/api/releases?page=1",
        "/api/releases?page=3",
    ]
    assert middle.one(".pause a").attributes["href"] == "/api/releases?page=2&refresh=off"
    assert not only.all(".pager")


def test_release_of_which_nothing_is_known_yet_has_a_name(page):
    """A link and a heading need words."""
    begun = data.record(changes=(), commit=replace(data.commit(), message=""), stages=data.RUNNING[:1])

    assert listed(page, [begun]).text("tbody th a") == "Commit 4f2a91c0"
    assert shown(page, begun).text("h1") == "Commit 4f2a91c0"


def test_list_never_hides_debt_or_an_override(page):
    """They stay with the release for ever."""
    text = listed(page, [data.opted_out(), data.overridden()]).text()

    assert "owes its full evaluation" in text
    assert "overridden" in text


def test_empty_list_says_what_starts_a_release(page):
    """A newcomer learns what to do."""
    empty = listed(page, [])

    assert "No release yet" in empty.text()
    assert "Merge one" in empty.text()
    assert not empty.all("table")


def test_list_names_every_change_of_a_release_and_its_opt_out(page):
    """A release may include several changes; a skipped evaluation is not hidden."""
    text = listed(page, [data.opted_out()]).text()

    assert "Fix a typo in the opening hours (#42)" in text
    assert "Link the new returns form (#43)" in text
    assert "owes its full evaluation" in text


def test_every_stage_has_an_icon_and_a_word(page):
    """Colour is never the only sign."""
    stages = shown(page, data.stopped()).all(".timeline li")

    assert len(stages) == 10
    for stage in stages:
        assert stage.css_first("svg[aria-hidden=true] path") is not None
        assert stage.css_first(".state").text(strip=True)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_an_icon(page, outcome):
    """On the list and on the release's own page."""
    ended = data.record(outcome)

    for found in (listed(page, [ended]).one("tbody .chip svg path"), shown(page, ended).one("header .chip svg path")):
        assert found.attributes["d"]


def test_stage_shows_duration_detail_and_link(page):
    """The timeline leads to the details."""
    stage = replace(data.RUNNING[4], url="/api/evaluations/full-1")
    text = shown(page, data.record(stages=(stage,)))

    assert "Deploy to dev 7 min passed · 12 requests, 0 errors" in text.text(".timeline")
    assert text.one(".timeline a").attributes["href"] == "/api/evaluations/full-1"


def test_opt_out_is_shown_as_skipped_by_whom_and_not_as_passed(page):
    """Never green: nobody evaluated anything."""
    skipped = shown(page, data.opted_out())
    stage = skipped.one(".timeline li.skipped")

    assert "skipped by @sam because Only the opening hours" in stage.text()
    assert "passed" not in stage.html
    assert "Nothing here says how good" in skipped.text(".call.warn")
    assert "Nothing here says how good" in shown(page, replace(data.opted_out(), debt=None)).text(".call.warn")


def test_progress_has_done_total_and_expected_end(page):
    """Native progress, with the numbers beside it."""
    live = shown(page, data.running_release(), progress=data.progress(132, 300))
    bar = live.one("progress")

    assert (bar.attributes["value"], bar.attributes["max"]) == ("132", "300")
    assert live.one(f"label[for={bar.id}]").text() == "Full evaluation"
    assert "132 of 300" in live.text()
    assert "for 9 min, expected to end 22 Nov 2026, 15:44 UTC (in 11 min)" in live.text()


def test_progress_without_a_total_is_indeterminate(page):
    """Nothing is promised before it is known."""
    bar = shown(page, data.running_release(), progress=data.progress(0, 0)).one("progress")

    assert "value" not in bar.attributes


def test_an_expected_end_in_the_past_is_left_out(page):
    """It would only mislead."""
    late = [{**data.progress()[0], "expected_end": data.iso(3)}]

    assert "expected to end" not in shown(page, data.running_release(), progress=late).text()


@pytest.mark.parametrize("record", [data.released(), data.stopped(), data.rejected(), data.expired()])
def test_an_ended_release_neither_refreshes_nor_shows_progress(page, record):
    """Nothing will change any more."""
    ended = shown(page, record, progress=data.progress())

    assert not ended.all("meta[http-equiv=refresh]")
    assert not ended.all("progress")
    assert not ended.all(".pause")


def test_a_running_release_refreshes_itself_until_told_not_to(page):
    """Readers who need time can stop it without a script."""
    running = shown(page, data.running_release())
    paused = shown(page, data.running_release(), refresh=False)

    assert running.one("meta[http-equiv=refresh]").attributes["content"] == "5"
    assert running.one(".pause a").attributes["href"].endswith("?refresh=off")
    assert not paused.all("meta[http-equiv=refresh]")
    assert paused.one(".pause a").attributes["href"].endswith(data.running_release().id)


def test_list_refreshes_only_while_something_runs(page):
    """A finished list stays still."""
    assert listed(page, [data.released(), data.running_release()]).all("meta[http-equiv=refresh]")
    assert not listed(page, [data.released()]).all("meta[http-equiv=refresh]")


def test_released_page_shows_deployments_image_and_votes(page):
    """What runs where, and who let it through."""
    released = shown(page, data.released())
    text = released.text()

    assert [link.text() for link in released.all("section[aria-labelledby=deployments] a")] == [
        "https://helpdesk-dev.internal.contoso.example",
        "https://helpdesk-nonprod.internal.contoso.example",
        "https://helpdesk-prod.internal.contoso.example",
    ]
    assert data.IMAGE.digest in text
    assert "approved by @maria (maria@contoso.example) for nonprod, 20 min ago" in text
    assert "Looks good on the worst rows too." in released.text("blockquote")


def test_failed_release_says_why_and_what_to_do(page):
    """The author is not left alone with a red mark."""
    text = shown(page, data.stopped()).text(".call.bad")

    assert "The full evaluation failed" in text
    assert "the next merge starts the next" in text


def test_running_release_says_what_happens_next(page):
    """One sentence, before anything else."""
    assert "Now: Full evaluation. Then: Approval for nonprod." in shown(page, data.running_release()).text(".call")


def test_direct_push_and_notes_are_told(page):
    """A release without a change has its commit's message; troubles with GitHub are not hidden."""
    text = shown(page, data.expired()).text()

    assert "None: the commit was pushed directly." in text
    assert "GitHub did not take the last comment" in text


def test_a_release_without_stages_yet_can_be_shown(page):
    """The first second of a release is a page too."""
    bare = data.record(Outcome.RUNNING, (), image=None)

    assert "The stages appear as soon as" in shown(page, bare).text()
    assert "not started" in listed(page, [bare]).text()


def test_who_is_asked_now_finds_the_link_here(page):
    """So that GitHub being away keeps nobody from deciding; a release that is over asks nobody."""
    asks = [Ask("prod", "/api/approvals/mine"), Ask("override", "/api/overrides/mine")]
    asked = shown(page, data.running_release(), asks=asks)

    assert asked.text(".ask strong") == (
        "You are asked to decide about prod. You are asked to decide about the override of the full evaluation."
    )
    assert [link.attributes["href"] for link in asked.all(".ask a")] == ["/api/approvals/mine", "/api/overrides/mine"]
    assert not shown(page, data.released(), asks=asks).all(".ask")


def test_place_in_line_is_told_with_its_reason(page):
    """Only while it waits, and only for the environments it waits for."""
    waiting = data.record(id=data.release_id(12))
    text = shown(page, waiting, lanes=data.lanes()).text(".call.live")

    assert "Waits for nonprod, 2nd in line , since 3 min ago : 11b07d3 is first in line for nonprod." in text
    assert "Waits for" not in shown(page, data.released(), lanes=data.lanes()).text()


def test_debt_override_and_refused_opt_outs_are_shown_for_ever(page):
    """Also when the release is over."""
    ended = replace(data.overridden(), outcome=Outcome.RELEASED, debt=data.debt())
    text = shown(page, ended).text()

    assert "maria@contoso.example overrode the failed full evaluation: The judge marks the new wording down" in text
    assert "Only the opening hours on the contact page change." in text
    assert "Refused: the change touches flows/chat/answer.jinja2 (flows/**)" in text


def test_superseded_release_leads_to_the_newer_one(page):
    """People go on from there."""
    superseded = shown(page, data.superseded())

    assert "A newer commit reached prod first" in superseded.text(".call")
    assert superseded.one(".call a").attributes["href"].endswith(data.superseded().superseded_by)


def test_votes_of_earlier_rounds_are_shown_as_void(page):
    """Who voted sees that it does not count any more."""
    rounds = [Round("prod", 1, True, (data.vote("maria"),)), Round("prod", 2, False, (data.vote("jonas"),))]
    votes = shown(page, data.running_release(), rounds=rounds)

    assert "@maria" in votes.text("li.void")
    assert "void : new evidence came after it" in votes.text("li.void")
    assert "void" not in votes.text("section[aria-labelledby=votes] li:not(.void)")


def test_votes_of_the_record_are_shown_when_no_others_are_known(page):
    """Each vote once."""
    rounds = [Round("prod", 1, False, data.released().votes["prod"])]
    votes = shown(page, data.released(), rounds=rounds).all("section[aria-labelledby=votes] li")

    assert len(votes) == 3


def test_reader_is_offered_only_what_they_may_do(page):
    """Each form goes to its own address with its own seal."""
    offers = {
        "cancel": FormLink("/api/releases/r/cancel", "seal-c"),
        "rollbacks": [FormLink("/api/releases/r/rollback", "seal-r", "prod")],
        "evaluate": FormLink("/api/evaluations", "seal-e"),
    }
    refreshing = shown(page, data.running_release(), **offers)
    forms = shown(page, data.running_release(), refresh=False, **offers).all("section[aria-labelledby=actions] form")
    hidden = [
        {field.attributes["name"]: field.attributes["value"] for field in form.css("input[type=hidden]")}
        for form in forms
    ]

    assert [form.attributes["action"] for form in forms] == [
        "/api/evaluations",
        "/api/releases/r/rollback",
        "/api/releases/r/cancel",
    ]
    assert hidden == [
        {"csrf": "seal-e", "repository": data.REPOSITORY, "commit": data.SHA},
        {"csrf": "seal-r", "environment": "prod"},
        {"csrf": "seal-c"},
    ]
    assert not refreshing.all("form"), "a page that loads itself again would clear what somebody writes"
    assert refreshing.all("a[href$='?refresh=off#actions']")
    assert not shown(page, data.running_release()).all("form, a[href$='#actions']")
    assert not shown(page, data.released(), cancel=offers["cancel"]).all("form")


def test_validation_leads_to_what_it_printed(page):
    """Once there is something."""
    link = shown(page, data.released()).one(".timeline a[href$='/validation']")

    assert link.attributes["href"] == f"/api/releases/{data.released().id}/validation"
    assert not shown(page, data.record(stages=data.RUNNING[:1])).all(".timeline a[href$='/validation']")


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (112, "112th")],
)
def test_places_are_counted_as_people_do(number, words):
    """In line, and in rounds."""
    assert ordinal(number) == words
