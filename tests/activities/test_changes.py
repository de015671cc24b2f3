"""What happens to a change: taken up, told, foreseen, looked at, merged, on a GitHub and with real blobs."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import settings
from activities.look_at_checks import look_at_checks
from activities.look_at_label import look_at_label
from activities.look_at_merge import look_at_merge
from activities.merge_change import merge_change
from activities.preview_release import preview_release
from activities.take_up_change import take_up_change
from activities.tell_change import tell_change
from adapters import changes, commits, durations
from adapters.records import read_snapshot_file
from domain import blob_names
from domain.branch_line import Place
from domain.changes import VALIDATE, ChangeRecord, ChangeState, with_step
from domain.config import OptOutRule
from domain.git_flow import ToggleOptOut, change_id, release_id
from domain.models import ChangeRequest, StageState
from domain.opt_out import CHECKLIST, MARKER
from domain.wire import read
from tests import samples
from tests.activities.conftest import World, run
from tests.activities.test_evaluation_activities import SNAPSHOT, store_snapshot
from tests.fakes import audited

AT = "2026-11-23T09:00:00.000000+00:00"
LATER = "2026-11-23T09:00:01.000000+00:00"
LABEL = "skip-e2e-evaluation"
BOXES = "".join(f"- [x] {text}\n" for text in CHECKLIST)
TICKED = f"{MARKER}\n{BOXES}\nReason for skipping: only the docs change\n"


def opened(world: World, base: str = "main", branch: str = "alex/1-answer", **options: Any) -> ChangeRequest:
    """Open a change of alex, and return the request to validate its head."""
    sha = world.double.push(world.repository, branch, {"docs/a.md": "a"}, author="alex")
    options = {"author": "alex", "base": base, **options}
    number = world.double.open_pull_request(world.repository, branch, "Answer better", **options)["number"]
    return ChangeRequest(world.repository, number, sha, "delivery")


def taken_up(request: ChangeRequest) -> Any:
    """Ask GitHub for the change, and take it up."""
    return run(take_up_change, {"request": asdict(request), "at": AT})


def record_of(request: ChangeRequest) -> ChangeRecord:
    """Take a change up and return its record."""
    return read(ChangeRecord, taken_up(request)["record"])


def told(record: ChangeRecord, last: bool = False, **fields: Any) -> Any:
    """Tell how a change stands."""
    return run(tell_change, {"record": asdict(replace(record, updated_at=LATER, **fields)), "last": last})


def statuses(world: World, sha: str) -> dict[str, str]:
    """Return the newest state of each status of a commit."""
    found = world.double.commit(world.repository, sha)["statuses"]
    return {one["context"]: one["state"] for one in sorted(found, key=lambda one: one["id"])}


def test_head_is_taken_up_and_speaks_for_its_change(world: World) -> None:
    """Twice is the same."""
    request = opened(world)

    first, second = taken_up(request), taken_up(request)

    assert first["record"] == second["record"]
    assert (first["facts"]["author"], first["branch"]) == ("alex", "main")
    assert first["record"]["instance"] == change_id(request)
    assert changes.speaks(world.blobs, world.repository, request.number, change_id(request))


def test_newer_push_ends_what_ran_for_the_head_before(world: World) -> None:
    """Its jobs are cancelled at the next look, and its story hears of it when it speaks next."""
    old = opened(world)
    record = record_of(old)
    new = replace(old, sha=world.double.push(world.repository, "alex/1-answer", {"docs/a.md": "b"}, author="alex"))

    taken_up(new)

    assert world.blobs.exists(blob_names.cancelled(blob_names.validation_plan(change_id(old))))
    assert world.blobs.exists(blob_names.cancelled(blob_names.plan(f"{change_id(old)}.syntax")))
    assert told(record, last=True) == {
        "over": f"superseded by {new.sha[:7]}, which is validated instead",
        "state": "superseded",
    }
    assert not world.blobs.exists(blob_names.cancelled(blob_names.validation_plan(change_id(new))))


def test_old_delivery_that_comes_late_takes_nothing_over(world: World) -> None:
    """GitHub says which head is the head, not the order of deliveries."""
    old = opened(world)
    new = replace(old, sha=world.double.push(world.repository, "alex/1-answer", {"docs/a.md": "b"}, author="alex"))
    taken_up(new)

    assert taken_up(old)["moved"] == new.sha
    assert changes.speaks(world.blobs, world.repository, new.number, change_id(new))


def test_draft_that_was_never_taken_up_is_validated_when_it_is_ready(world: World) -> None:
    """The instance of its first event has ended, and would never start again."""
    request = opened(world)
    world.double.to_draft(world.repository, request.number, by="alex")
    assert "over" in taken_up(request)
    assert changes.end(world.blobs, world.repository, request.number, "turned into a draft") is False
    world.double.ready(world.repository, request.number, by="alex")

    again = changes.begin(world.blobs, request)

    assert again.attempt == 2
    assert taken_up(again)["record"]["instance"] == f"{change_id(request)}.2"


def test_head_that_was_gone_and_came_back_is_validated(world: World) -> None:
    """Forced away before its story had looked: only the last look gives it up."""
    first = opened(world)
    second = replace(first, sha=world.double.push(world.repository, "alex/1-answer", {"b.md": "b"}, author="alex"))
    world.double.move_branch(world.repository, "alex/1-answer", first.sha)

    assert "moved" in taken_up(second)
    assert changes.begin(world.blobs, second).attempt == 1
    assert "moved" in run(take_up_change, {"request": asdict(second), "at": AT, "last": True})
    assert changes.begin(world.blobs, second).attempt == 2


def test_head_that_is_forced_back_gets_another_attempt(world: World) -> None:
    """The first attempt at it was superseded and cannot be started again."""
    first = opened(world)
    taken_up(first)
    second = replace(first, sha=world.double.push(world.repository, "alex/1-answer", {"b.md": "b"}, author="alex"))
    taken_up(second)
    world.double.move_branch(world.repository, "alex/1-answer", first.sha)

    again = changes.begin(world.blobs, first)

    assert (again.sha, again.attempt) == (first.sha, 2)
    assert taken_up(again)["record"]["instance"] == f"{change_id(first)}.2"
    assert not changes.speaks(world.blobs, world.repository, first.number, change_id(second))


def test_closed_change_and_draft_are_not_taken_up(world: World) -> None:
    """Their events may come late."""
    draft = opened(world)
    world.double.to_draft(world.repository, draft.number, by="alex")
    closed = opened(world, branch="alex/2-other")
    world.double.close(world.repository, closed.number, by="alex")

    assert taken_up(draft)["over"] == "the change was a draft: what ran for it was ended"
    assert taken_up(closed)["over"] == "the change was closed: what ran for it was ended"


def test_change_of_a_repository_that_was_deleted_says_so(world: World) -> None:
    """And what may have happened."""
    request = opened(world)
    world.double.delete_repository(world.repository)

    error = taken_up(request)["error"]

    assert error.startswith(
        "The change cannot be read any more: was its repository deleted or renamed, or may this app"
    )


def test_github_away_is_no_error(world: World) -> None:
    """The story waits as long as it is told to."""
    request = opened(world)
    world.double.fault(path_regex="/pulls/", status=503, retry_after=77, times=9)

    assert taken_up(request)["retry_after"] == 77


def test_credentials_that_github_refuses_are_waited_for(world: World) -> None:
    """They expire, or the clock of one host is off: no validation ends, and none is lost, because of that."""
    request = opened(world)
    world.double.fault(path_regex="/pulls/", status=401, times=1)

    assert taken_up(request) == {"retry_after": 60.0, "branch": "main", "look": settings.current().look_seconds}
    assert "record" in taken_up(request)


def test_same_name_in_two_organisations_is_two_repositories(world: World) -> None:
    """Change 1 of the one is not change 1 of the other."""
    other = world.repository.replace("acme/", "contoso/")
    world.double.create_repository(other)
    ours = opened(world)
    twin = opened(replace(world, repository=other))
    taken_up(ours)
    taken_up(replace(twin, number=twin.number))

    assert change_id(ours) != change_id(twin)
    assert changes.find(world.blobs, world.repository, ours.number).repository == world.repository
    assert changes.find(world.blobs, other, twin.number).repository == other


def test_change_has_one_comment_and_a_status_that_lead_to_its_page(world: World) -> None:
    """Told again, the comment is updated in place."""
    request = opened(world)
    record = record_of(request)
    told(record)
    failed = with_step(record, VALIDATE, StageState.FAILED, "`pytest -q` failed")

    answer = told(
        failed, state=ChangeState.FAILED, reason="Validate failed", needed="@alex mends it", person="needs-a-person"
    )

    (comment,) = world.comments(request.number)
    assert answer == {"over": ""}
    assert "a person is needed" in comment
    assert f"https://drawbridge.acme.example/api/changes/{change_id(request)}" in comment
    assert statuses(world, request.sha)["drawbridge/change"] == "failure"
    assert [label["name"] for label in world.double.pull(world.repository, request.number)["labels"]] == [
        "needs-a-person"
    ]


def test_label_that_asked_for_a_person_goes_when_everything_passed(world: World) -> None:
    """And the status is green."""
    request = opened(world)
    record = record_of(request)
    told(record, state=ChangeState.FAILED, reason="no", person="needs-a-person")

    passed = replace(record, state=ChangeState.PASSED, person="needs-a-person", updated_at="2026-11-23T09:00:02+00:00")
    run(tell_change, {"record": asdict(passed)})

    assert world.double.pull(world.repository, request.number)["labels"] == []
    assert statuses(world, request.sha)["drawbridge/change"] == "success"


def test_label_that_somebody_took_off_comes_back_with_the_next_failure(world: World) -> None:
    """It asks for a person again: GitHub was told the same before, about another head."""
    request = opened(world)
    failed: dict[str, Any] = {"state": ChangeState.FAILED, "person": "needs-a-person"}
    told(record_of(request), **failed)
    world.double.remove_label(world.repository, request.number, "needs-a-person", by="sam")
    newer = replace(request, sha=world.double.push(world.repository, "alex/1-answer", {"b.md": "b"}, author="alex"))

    told(record_of(newer), **failed)

    labels = world.double.pull(world.repository, request.number)["labels"]
    assert [label["name"] for label in labels] == ["needs-a-person"]


def test_status_of_a_head_that_was_pushed_over_says_by_what(world: World) -> None:
    """The comment is left to the newer head."""
    old = opened(world)
    record = record_of(old)
    new = replace(old, sha=world.double.push(world.repository, "alex/1-answer", {"docs/a.md": "b"}, author="alex"))
    told(record_of(new))

    told(record, last=True, state=ChangeState.SUPERSEDED, reason=f"superseded by {new.sha[:7]}")

    (comment,) = world.comments(old.number)
    assert f"`{new.sha[:7]}`" in comment
    assert changes.find(world.blobs, world.repository, old.number).head == new.sha
    (status,) = world.double.commit(world.repository, old.sha)["statuses"][:1]
    assert status["description"] == f"superseded by {new.sha[:7]}"


def test_change_that_was_turned_towards_another_branch_is_validated_anew(world: World) -> None:
    """Other rules hold there. What was asked before that asks for nothing any more."""
    request = replace(opened(world), base="main")
    taken_up(request)

    towards_main, towards_develop = (
        changes.begin(world.blobs, replace(request, base=to)) for to in ("main", "develop")
    )

    assert (towards_main.attempt, towards_develop.attempt) == (1, 2)
    assert taken_up(towards_develop)["over"] == "the change was turned towards main: what ran for it was ended"


def test_change_that_was_closed_meanwhile_is_told_so_once(world: World) -> None:
    """Its jobs are ended; reopened, it is validated anew."""
    request = opened(world)
    record = record_of(request)

    assert changes.end(world.blobs, world.repository, request.number, "closed")

    assert told(record) == {"over": "the change was closed: what ran for it was ended", "state": "cancelled"}
    assert world.blobs.exists(blob_names.cancelled(blob_names.validation_plan(change_id(request))))
    assert changes.begin(world.blobs, request).attempt == 2


def test_end_of_a_change_nobody_knows_is_nothing(world: World) -> None:
    """It was never validated here."""
    assert changes.end(world.blobs, world.repository, 4711, "closed") is False
    assert changes.find(world.blobs, world.repository, 4711) is None


def test_change_that_failed_for_a_required_check_is_found_by_its_head(world: World) -> None:
    """Until it was validated again, or pushed to."""
    request = opened(world)
    failed: dict[str, Any] = {"state": ChangeState.FAILED, "red": ("ci",), "person": "needs-a-person"}
    told(record_of(request), **failed)

    (again,) = changes.turn_green(world.blobs, world.repository, request.sha, "ci")

    assert (again.number, again.sha, again.attempt, again.base) == (request.number, request.sha, 2, "main")
    assert "record" in taken_up(again)
    assert changes.turn_green(world.blobs, world.repository, request.sha, "ci") == []
    told(replace(record_of(again), news=1), **failed)
    assert [record.attempt for record in changes.reds(world.blobs, world.repository)] == [2]
    taken_up(replace(request, sha=world.double.push(world.repository, "alex/1-answer", {"b.md": "b"}, author="alex")))
    assert changes.reds(world.blobs, world.repository) == []
    assert world.blobs.names("red/") == []


def foreseen(request: ChangeRequest, **rule: Any) -> Any:
    """Look at the label of a change by a policy."""
    config = samples.wire_config()
    config["opt_out"] = {**config["opt_out"], **rule}
    return run(preview_release, {"repository": request.repository, "number": request.number, "config": config})


def test_forbidden_path_refuses_the_label_in_words_until_it_is_taken_off(world: World) -> None:
    """With a status of its own, on the pull request."""
    request = opened(world, labels=[LABEL], body=TICKED)
    told(record_of(request))

    foreseen(request, forbidden_paths=["docs/**"])

    (comment,) = world.comments(request.number)
    assert statuses(world, request.sha)["drawbridge/opt-out"] == "failure"
    assert "**The opt-out is refused:** it changes docs/a.md, and docs/" in comment
    world.double.remove_label(world.repository, request.number, LABEL, by="alex")
    foreseen(request, forbidden_paths=["docs/**"])
    assert statuses(world, request.sha)["drawbridge/opt-out"] == "success"
    assert "refused" not in world.comments(request.number)[0]


def test_accepted_opt_out_names_person_reason_and_debt(world: World) -> None:
    """Before anybody merges."""
    request = opened(world, body=TICKED)
    told(record_of(request))
    world.double.add_label(world.repository, request.number, LABEL, by="maria")
    durations.keep(world.blobs, world.repository, "full", "e1", 3600.0)

    preview = foreseen(request)["preview"]

    (comment,) = world.comments(request.number)
    assert (preview["by"], preview["reason"], preview["refused"]) == ("maria", "only the docs change", "")
    assert "@maria opted out, because “only the docs change”" in comment
    assert "(lately 60 min)" in comment


def test_opt_out_without_a_reason_is_refused(world: World) -> None:
    """The checklist must be ticked and a reason given."""
    request = opened(world, labels=[LABEL], body=f"{MARKER}\n- [ ] I know\n")
    told(record_of(request))

    refused = foreseen(request)["preview"]["refused"]

    assert 'not ticked: "I know"' in refused
    assert "no reason is given" in refused


def test_label_that_was_renamed_into_the_opt_out_has_nobody_to_answer_for_it(world: World) -> None:
    """Whoever put it there did not opt out."""
    request = opened(world, labels=["docs"], body=TICKED)
    told(record_of(request))
    world.double.rename_label(world.repository, "docs", LABEL)

    refused = foreseen(request)["preview"]["refused"]

    assert refused == (
        f"nobody is on record for having put {LABEL} there, so it was renamed after that: "
        "take it off and put it on again"
    )


def test_label_that_was_renamed_away_opts_out_of_nothing_and_the_change_says_so(world: World) -> None:
    """The config says which label does. Who believes to have opted out reads there that nobody has."""
    request = opened(world, body=TICKED)
    told(record_of(request))
    world.double.add_label(world.repository, request.number, LABEL, by="maria")
    foreseen(request)
    before = world.comments(request.number)
    world.double.rename_label(world.repository, LABEL, "something-else")

    assert foreseen(request)["preview"] is None
    (comment,) = world.comments(request.number)
    assert "not the full evaluation on `data/full.jsonl` (not run here yet): @maria opted out" in before[0]
    assert "- the full evaluation on `data/full.jsonl` (not run here yet): nobody has opted out\n" in comment


def test_change_whose_branch_is_deleted_is_closed_and_what_ran_for_it_is_ended(world: World) -> None:
    """GitHub closes it, so there is nothing to validate until somebody restores the branch and opens it again."""
    request = opened(world)
    record_of(request)
    world.double.delete_branch(world.repository, "alex/1-answer")

    assert taken_up(request)["over"] == "the change was closed: what ran for it was ended"


CONFIG_TEXT = """
version: 1
target: {promptflow: flows/chat}
validate: {sample: data/sample.jsonl}
evaluation:
  columns: {question: "${data.question}"}
  evaluators: {f1: {use: azure.ai.evaluation.F1ScoreEvaluator, columns: {response: "${target.answer}"}}}
  minimal: {data: data/minimal.jsonl, gates: ["f1 >= 0.4"]}
  full: {data: data/full.jsonl, gates: ["f1 >= 0.4"]}
opt_out: {forbidden_paths: ["docs/**"]}
environments: [{name: dev}]
"""


def test_label_that_moves_on_an_open_change_is_judged_at_once(world: World) -> None:
    """By the rules of the head that was validated; before that there is nothing to say."""
    request = opened(world, labels=[LABEL], body=TICKED)
    where = {"repository": world.repository, "number": request.number}
    assert run(look_at_label, where) == {}
    store_snapshot(world.blobs, **{"drawbridge.yaml": CONFIG_TEXT})
    told(record_of(request), snapshot=SNAPSHOT)

    assert run(look_at_label, where) == {}

    read_snapshot_file.cache_clear()
    assert statuses(world, request.sha)["drawbridge/opt-out"] == "failure"


def toggled(request: ChangeRequest, label: str) -> dict[str, Any]:
    """Return what to look at when somebody put a label on."""
    toggle = ToggleOptOut(request.repository, request.number, label, True, "alex", "2026-11-23T09:00:00Z", f"k-{label}")
    return {"repository": request.repository, "number": request.number, "toggle": asdict(toggle)}


def test_opt_out_label_on_an_open_change_is_audited_once_and_another_never(world: World) -> None:
    """Also before its validation has read what the label is called there."""
    request = opened(world, body=TICKED)
    for label in (LABEL.upper(), LABEL.upper(), "docs"):
        assert run(look_at_label, toggled(request, label)) == {}

    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["at"]) == ("toggle", "alex", "2026-11-23T09:00:00Z")
    assert trace["subject"] == f"{request.repository}#{request.number}"
    assert trace["details"] == {"change": str(request.number), "label": LABEL.upper(), "on": "True"}


def test_label_of_another_name_is_known_by_the_newest_release_until_the_head_is_read(world: World) -> None:
    """A team may call it as it likes; a release of a broken config knows no policy."""
    request = opened(world, body=TICKED)
    rules = [OptOutRule(label=label).model_dump(mode="json") for label in ("ages-ago", "only-words")]
    for position, rule in enumerate([*rules, None], 1):
        sha = f"{position:040x}"
        commits.note_released(world.blobs, world.repository, Place(sha, position))
        kept = {"rule": rule, "changes": {}}
        world.blobs.write_json(blob_names.opt_outs(release_id(world.repository, sha)), kept)

    for label in (LABEL, "ages-ago", "Only-Words"):
        run(look_at_label, toggled(request, label))

    assert [trace["details"]["label"] for trace in audited(world.blobs)] == ["Only-Words"]


def test_label_that_nobody_could_look_at_is_told_in_the_comment(world: World) -> None:
    """The change stays as it is otherwise."""
    request = opened(world, labels=[LABEL], body=TICKED)
    store_snapshot(world.blobs, **{"drawbridge.yaml": CONFIG_TEXT})
    told(record_of(request), snapshot=SNAPSHOT)

    run(look_at_label, {**toggled(request, LABEL), "error": "GitHub did not answer for too long."})

    read_snapshot_file.cache_clear()
    assert "could not be found out: GitHub did not answer for too long." in world.comments(request.number)[0]


def test_checks_are_looked_at_only_for_the_story_that_speaks(world: World) -> None:
    """One that was superseded hears so instead."""
    request = opened(world)
    record_of(request)
    world.double.report_check(world.repository, request.sha, "test", "success")
    work = {"repository": world.repository, "number": request.number, "sha": request.sha, "names": ["test", "lint"]}

    seen = run(look_at_checks, {**work, "instance": change_id(request)})
    other = run(look_at_checks, {**work, "instance": "another"})

    assert [(check["name"], check["state"]) for check in seen["checks"]] == [("test", "passed"), ("lint", "missing")]
    assert (seen["over"], other) == (False, {"checks": [], "over": True})


def test_look_before_the_merge_sees_whether_the_rules_are_touched(world: World) -> None:
    """A change of drawbridge.yaml is for a person."""
    request = opened(world)
    record_of(request)
    world.double.push(world.repository, "alex/3-rules", {"drawbridge.yaml": "version: 1\n"}, author="alex")
    rules = world.double.open_pull_request(world.repository, "alex/3-rules", "Rules")["number"]
    where = {"repository": world.repository, "instance": change_id(request)}

    plain, touching = (run(look_at_merge, {**where, "number": number}) for number in (request.number, rules))

    assert (plain["rules"], plain["over"]) == (False, False)
    assert (touching["rules"], touching["over"]) == (True, True)


def merge(request: ChangeRequest, sha: str) -> Any:
    """Ask GitHub to merge a head."""
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    order = {"repository": request.repository, "number": request.number, "sha": sha, "method": "squash", "at": at}
    return run(merge_change, {**order, "base": "main", "title": "Answer better (#7)"})


def test_merge_is_asked_for_once_and_read_back(world: World) -> None:
    """Squashed under its title."""
    request = opened(world)

    first, second = merge(request, request.sha), merge(request, request.sha)

    pull = world.double.pull(world.repository, request.number)
    assert first == second == {"waits": False, "refused": ""}
    assert pull["merged"] is True
    message = world.double.commit(world.repository, pull["merge_commit_sha"])["commit"]["message"]
    assert message.startswith("Answer better (#7)")
    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["details"]["commit"]) == ("merged", "drawbridge", request.sha)


def test_head_that_moved_is_not_merged_and_the_refusal_is_read_back(world: World) -> None:
    """GitHub compares the sha."""
    request = opened(world)
    world.double.push(world.repository, "alex/1-answer", {"docs/a.md": "b"}, author="alex")

    answer = merge(request, request.sha)

    assert answer["waits"] is False
    assert "has a new head" in answer["refused"]
    assert audited(world.blobs) == []
    assert world.double.pull(world.repository, request.number)["merged"] is False


def test_merge_waits_while_github_is_away(world: World) -> None:
    """The outbox goes on; the story looks again."""
    request = opened(world)
    world.double.fault(method="PUT", path_regex="/merge", status=503, retry_after=60, times=9)

    assert merge(request, request.sha) == {"waits": True, "refused": ""}


@pytest.mark.parametrize("kind", ["minimal", "full"])
def test_durations_are_the_median_of_the_last_five(world: World, kind: str) -> None:
    """One evaluation counts once, however often it is concluded."""
    for number, seconds in enumerate([9000.0, 10.0, 30.0, 20.0, 50.0, 40.0]):
        for _ in range(2):
            durations.keep(world.blobs, world.repository, kind, f"e{number}", seconds)

    assert durations.lately(world.blobs, world.repository) == {kind: 30.0}
    assert durations.lately(world.blobs, "acme/another") == {}
