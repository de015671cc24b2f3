"""What the machine's steps and its watch are worth: each rule, once broken, is found to be broken by a short story.

Every story is told twice: by the app as it is, and with one guard taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from activities import close_approval, find_origin, look_around
from adapters import branch_order
from adapters.outbox import Outbox
from domain import approvals, debts, lanes
from domain.models import ApprovalRequest, Verdict, Vote
from domain.outbox import Comment, Message
from domain.promotion import Known, is_news, read_around
from orchestrators import approval, evidence, promotion, release
from tests.model import people
from tests.model.hosting import Truth, commit_of
from tests.model.stories import HOUR, LABEL, agree, begin, decide_on_old_pages, deliver_all, merge_change, open_all
from tests.model.watch import Violation, Watch
from tests.model.world import World
from triggers import forms, start

PASSES, FAILS = Truth(), Truth(full=Verdict.FAILED)
Story = Callable[[World, Watch], None]
Patch = pytest.MonkeyPatch


def merge(world: World, truth: Truth, skips: str = "") -> str:
    """Merge a change, and wait until somebody is asked about it."""
    sha = merge_change(world, truth, skips=skips)
    deliver_all(world)
    world.pass_time(2 * HOUR)
    return sha


# Stories.


def a_debt_before_the_night(world: World, watch: Watch) -> None:
    """A change opts out, and all agree without a word on its debt."""
    merge(world, PASSES, skips="ticked")
    agree(world, watch, times=3, waives=False)


def a_vote_on_an_old_page(world: World, watch: Watch) -> None:
    """A change opts out, and its opt-out is withdrawn while approvers have the page open."""
    merge(world, PASSES, skips="ticked")
    decide_on_old_pages(world, watch, people.questions(world)[-1], approvals.APPROVE, waives=True)


def an_objection_on_an_old_page(world: World, watch: Watch) -> None:
    """The same, and they object."""
    merge(world, PASSES, skips="ticked")
    decide_on_old_pages(world, watch, people.questions(world)[-1], approvals.REJECT, waives=False)


def a_failed_evaluation(world: World, watch: Watch) -> None:
    """The full evaluation fails, and nobody overrides that."""
    merge(world, FAILS)
    agree(world, watch, times=3, override=False)


def a_small_change_on_top_of_a_failed_one(world: World, watch: Watch) -> None:
    """The full evaluation fails, and the next change, which opts out, is waived."""
    merge(world, FAILS)
    merge(world, PASSES, skips="ticked")
    agree(world, watch, times=3, override=False)


def an_opt_out_after_the_verdict(world: World, watch: Watch) -> None:
    """The full evaluation fails, and then somebody puts the label on."""
    merge(world, FAILS)
    world.forge.label(max(world.forge.pulls), LABEL, True, "alex")
    deliver_all(world)
    world.pass_time(3 * HOUR)
    agree(world, watch, times=3, override=False)


def an_older_one_approved_late(world: World, watch: Watch) -> None:
    """Two are asked about, the newer one is approved first, and the older one on pages that lay open."""
    older = merge(world, PASSES)
    forms_of = {commit_of(one.release): open_all(world, one) for one in people.questions(world)}
    merge(world, PASSES)
    newer = next(one for one in people.questions(world) if commit_of(one.release) != older)
    for form in open_all(world, newer):
        people.send(world, watch, form, approvals.APPROVE)
    world.work(60)
    for form in forms_of[older]:
        people.send(world, watch, form, approvals.APPROVE)
    world.pass_time(HOUR)


def a_release_during_a_hold(world: World, watch: Watch) -> None:
    """Somebody goes back, and the next change is approved."""
    environment, earlier = next(one for one in watch.earlier() if one[0] == "nonprod")
    fields = {"environment": environment, "reason": "It was better"}
    world.ask("ask_for_rollback", f"/api/releases/{earlier}/rollback", "maria", fields)
    world.pass_time(HOUR)
    merge(world, PASSES)
    agree(world, watch, times=2)


def a_push_told_again(world: World, watch: Watch) -> None:
    """A push is told of again, by another process."""
    world.truths[world.forge.push("main", "sam", "Straight to main")] = Truth(validates=False)
    delivery = world.forge.deliveries[-1]
    deliver_all(world)
    world.pass_time(2 * HOUR)
    world.restart()
    world.deliver(delivery)


def a_webhook_that_is_lost(world: World, _watch: Watch) -> None:
    """Of two merges only the second one is told of."""
    merge_change(world, PASSES)
    world.forge.deliveries.clear()
    merge(world, PASSES)


def a_merge_that_is_linked_late(world: World, _watch: Watch) -> None:
    """A change is merged, and its push is told of before GitHub links the two."""
    merge(world, PASSES)


def a_branch_that_is_rewritten(world: World, _watch: Watch) -> None:
    """What runs in the first environment is taken off main, and another commit takes its place."""
    before = world.forge.branches["main"]
    merge(world, PASSES)
    world.truths[world.forge.rewrite("main", before, "sam", "Instead")] = PASSES
    deliver_all(world)
    world.pass_time(2 * HOUR)


# Guards that are taken out.


def _nothing(*_: Any) -> Iterator[Any]:
    yield from ()


def _let_through(*_: Any) -> Any:
    yield from ()
    return True


def no_waiver_needed(patch: Patch) -> None:
    patch.setattr(approvals, "check_waiver", lambda *_: None)
    patch.setattr(approvals, "approving", lambda _request, votes: {vote.principal for vote in votes})
    patch.setattr(promotion, "_waive", _let_through)


def no_debt_stops(patch: Patch) -> None:
    patch.setattr(debts, "block_production", lambda _record: False)


def nothing_is_underneath(patch: Patch) -> None:
    patch.setattr(debts, "stack", lambda debt, *_: debt)


def no_binding_to_evidence(patch: Patch) -> None:
    patch.setattr(approvals, "check_link", lambda link, request, _secret: request.approvers[link.approver])
    patch.setattr(approvals, "check_vote", lambda *_: None)
    patch.setattr(forms, "same_form", lambda *_: True)
    decide = approvals.decide

    def count_all(request: ApprovalRequest, votes: Sequence[Vote]) -> Any:
        return decide(request, [replace(vote, digest=request.digest) for vote in votes])

    for module in (approval, close_approval):
        patch.setattr(module, "decide", count_all)


def no_override_needed(patch: Patch) -> None:
    for module in (evidence, release):
        patch.setattr(module, "override_if_needed", _nothing)


def a_label_erases_the_verdict(patch: Patch) -> None:
    take_in = evidence.take_in

    def forget(story: Any, environment: Any) -> Any:
        seen = yield story.act(look_around.look_around, story.where(environment))
        if story.record.debt or not seen["opt_outs"]:
            yield from take_in(story, environment)
        else:
            story.keep_opt_outs(read_around(seen).opt_outs)

    def is_labelled(known: Known, seen: Any) -> bool:
        return is_news(known, seen) or (not known.debt and len(seen["opt_outs"]) > len(known.opted_out))

    patch.setattr(approval, "is_news", is_labelled)
    for module in (evidence, promotion):
        patch.setattr(module, "take_in", forget)


def nothing_overtakes(patch: Patch) -> None:
    for module in (lanes, look_around):
        patch.setattr(module, "overtaken_by", lambda *_: "")


def nothing_holds(patch: Patch) -> None:
    patch.setattr(lanes, "_own_or_common", lambda *_: None)


def claims_do_not_count(patch: Patch) -> None:
    async def never(*_: Any) -> bool:
        return False

    patch.setattr(start, "_was_started", never)
    patch.setattr(start, "_take_over", lambda *_: True)


def a_release_begins_where_the_push_did(patch: Patch) -> None:
    patch.setattr(find_origin, "_heard_of", lambda _repository, before, *_: before)


def no_link_is_waited_for(patch: Patch) -> None:
    patch.setattr(find_origin, "LOOKS", 0)


def what_runs_is_always_newer(patch: Patch) -> None:
    patch.setattr(branch_order, "is_newer", lambda *_: True)


def _dropping(drops: Callable[[Message], bool]) -> Callable[[Patch], None]:
    def seed(patch: Patch) -> None:
        post = Outbox.post
        patch.setattr(Outbox, "post", lambda box, *sent: post(box, *(one for one in sent if not drops(one))))

    return seed


def _says(outcome: str) -> Callable[[Message], bool]:
    return lambda message: isinstance(message, Comment) and f"– {outcome}" in message.body.partition("\n\n")[0]


BROKEN: list[tuple[Story, Callable[[Patch], None], str]] = [
    (a_debt_before_the_night, no_waiver_needed, "neither overridden nor waived"),
    (a_debt_before_the_night, no_debt_stops, "neither overridden nor waived"),
    (a_small_change_on_top_of_a_failed_one, nothing_is_underneath, "to production, unproven"),
    (a_vote_on_an_old_page, no_binding_to_evidence, "approved"),
    (an_objection_on_an_old_page, no_binding_to_evidence, "nobody objected"),
    (a_failed_evaluation, no_override_needed, "goes on"),
    (an_opt_out_after_the_verdict, a_label_erases_the_verdict, "goes on"),
    (an_older_one_approved_late, nothing_overtakes, "is newer and runs there"),
    (an_older_one_approved_late, _dropping(_says("superseded")), "was told"),
    (a_release_during_a_hold, nothing_holds, "promotion is held"),
    (a_webhook_that_is_lost, a_release_begins_where_the_push_did, "is told of no release"),
    (a_merge_that_is_linked_late, no_link_is_waited_for, "is told of no release"),
    (a_branch_that_is_rewritten, what_runs_is_always_newer, "which does not hold it"),
    (a_push_told_again, claims_do_not_count, "started more than once"),
    (a_push_told_again, _dropping(_says("failed")), "was told"),
]


@pytest.fixture
def world_and_watch() -> Iterator[tuple[World, Watch]]:
    """A world of its own, with its watch."""
    world, watch = begin("three environments")
    yield world, watch
    world.__exit__()


def tell(story: Story, world: World, watch: Watch) -> None:
    """Tell a story, let the days after it go by, and look."""
    story(world, watch)
    watch.check()
    for environment in watch.holds():
        world.ask("lift_hold", f"/api/environments/acme.helpdesk/{environment}/lift", "maria", {})
        watch.lifted.append((environment, world.now()))
    for _ in range(10):
        world.pass_time(24 * HOUR)
    watch.check()
    watch.check_ends()


@pytest.mark.parametrize("story", dict.fromkeys(story for story, *_ in BROKEN), ids=lambda story: story.__name__)
def test_a_story_breaks_no_rule(world_and_watch: tuple[World, Watch], story: Story) -> None:
    """What the app does as it is, is right."""
    tell(story, *world_and_watch)


@pytest.mark.parametrize(("story", "guard", "found"), BROKEN)
def test_a_guard_that_is_missing_is_found(
    world_and_watch: tuple[World, Watch],
    monkeypatch: Patch,
    story: Story,
    guard: Callable[[Patch], None],
    found: str,
) -> None:
    """Without the guard the watch sees the rule broken."""
    guard(monkeypatch)

    with pytest.raises(Violation, match=found):
        tell(story, *world_and_watch)
