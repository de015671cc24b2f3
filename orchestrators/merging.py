"""The last part of a change's story: merge it as soon as GitHub lets it, or say what is missing and who is needed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from activities.merge_change import merge_change
from domain import messages_changes
from domain.changes import MERGE, ChangeFacts, Mergeable, mergeable
from domain.models import StageState
from domain.wire import read
from orchestrators.change_story import ChangeStory, Steps

TURNS = 50  # what stands between a change and its merge may change this often
ASKED = 120  # looks for GitHub's answer to the merge
PAUSE = 15.0  # seconds between two of them


def merge(story: ChangeStory, look: float) -> Steps:
    """Merge a change that the config wants merged. The validation has passed, and stays so whatever comes of this."""
    if MERGE not in {step.name for step in story.record.steps}:
        return
    if story.facts.fork:
        yield from _leave_to_people(story, messages_changes.merge_by_hand(story.facts, False))
        return
    yield from story.begin(MERGE)
    wait = story.wait(look, base=story.record.base, known="")
    for turn in range(TURNS):
        known = yield from _turn(story, wait, turn)
        if not known:
            return
        wait = {**wait, "known": known}
    yield from _leave_to_people(story, messages_changes.MERGE_UNSETTLED)


def _turn(story: ChangeStory, wait: dict[str, Any], turn: int) -> Generator[Any, Any, str]:
    """Return what still stands between the change and its merge; nothing when there is nothing left to do."""
    seen = yield story.call("mergeability", wait, f"merge.{turn}")
    if seen.get("over"):
        yield from story.publish()  # raises Over, and says why
    if "facts" not in seen:
        yield from _leave_to_people(story, seen.get("error", ""))
        return ""
    facts = read(ChangeFacts, seen["facts"])
    hindrance = mergeable(facts, story.record.head, story.record.base)
    by_hand = messages_changes.merge_by_hand(facts, seen["rules"])
    if hindrance is Mergeable.GONE:
        yield from _gone(story, facts)
    elif by_hand:
        yield from _leave_to_people(story, by_hand)
    elif hindrance is Mergeable.YES:
        yield from _ask_to_merge(story, facts)
    else:
        return (yield from _hindered(story, facts, hindrance, seen["late"]))
    return ""


def _hindered(story: ChangeStory, facts: ChangeFacts, hindrance: Mergeable, late: bool) -> Generator[Any, Any, str]:
    """Say what is missing and who is needed, and go on waiting unless the time is up."""
    words = messages_changes.hindered(hindrance, facts)
    story.need(messages_changes.needed_to_merge(hindrance, facts))
    yield from story.step(MERGE, StageState.SKIPPED if late else StageState.WAITING, words)
    return "" if late else words


def _ask_to_merge(story: ChangeStory, facts: ChangeFacts) -> Steps:
    """Ask once, and read back what became of it."""
    story.need("")
    yield from story.begin(MERGE, messages_changes.merging())
    # Brought back by anything but a merge, what main has stays unknown to develop: the next release would conflict.
    method = "merge" if facts.branch == story.rules.branches.main else story.rules.merge.method
    order = {
        "repository": facts.repository,
        "number": facts.number,
        "sha": story.record.head,
        "base": story.record.base,
        "method": method,
        "title": f"{facts.title} (#{facts.number})" if method == "squash" else "",
        "at": story.context.current_utc_datetime.isoformat(),
    }
    answer = yield story.act(merge_change, order)
    for _ in range(ASKED):
        if not answer["waits"]:
            break
        yield story.pause(PAUSE)
        answer = yield story.act(merge_change, order)
    if answer["refused"]:
        yield from _leave_to_people(story, messages_changes.refused_merge(answer["refused"]))
    elif answer["waits"]:
        yield from _leave_to_people(story, messages_changes.MERGE_AWAY)
    else:
        yield from story.step(MERGE, StageState.PASSED, messages_changes.merged(""))


def _gone(story: ChangeStory, facts: ChangeFacts) -> Steps:
    """Say that somebody merged the change; else it is not what was validated any more."""
    story.need("")
    if facts.merged_by:
        yield from story.step(MERGE, StageState.PASSED, messages_changes.merged(facts.merged_by))
    else:
        yield from story.step(MERGE, StageState.CANCELLED, messages_changes.not_merged(facts, story.record.head))


def _leave_to_people(story: ChangeStory, why: str) -> Steps:
    """Say why a person has to merge."""
    story.need(messages_changes.person_merges(why))
    yield from story.step(MERGE, StageState.SKIPPED, why)
