"""The story of a change, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.changes import ChangeFacts, ChangeRecord, ChangeState
from domain.git_flow import change_id
from domain.models import ChangeRequest, Verdict
from orchestrators.pull_request import pull_request
from tests import samples
from tests.domain.test_changes import config, facts
from tests.orchestrators.stage import Stage

HEAD, NEWER = "a" * 40, "b" * 40
REQUEST = ChangeRequest(samples.REPOSITORY, 7, HEAD, "delivery")
INSTANCE = change_id(REQUEST)
AUTO = {"merge": {"auto": True}}


def stage_with(change: ChangeFacts | None = None, rules: dict[str, Any] | None = None, **answers: Any) -> Stage:
    """Return a stage where everything goes well with a change, apart from what a test changes."""
    change = change or facts()
    record = ChangeRecord(
        samples.REPOSITORY,
        7,
        change.title,
        change.author,
        change.url,
        HEAD,
        change.base,
        INSTANCE,
        state=ChangeState.RUNNING,
    )
    activities: dict[str, Any] = {
        "take_up_change": lambda _: {"facts": asdict(change), "record": asdict(record), "branch": "main", "look": 300},
        "fetch_snapshot": lambda _: {"snapshot": {"sha256": "5" * 64, "size": 10}},
        "read_config": lambda _: {"config": config(**(rules or {})).model_dump(mode="json", by_alias=True)},
        "preview_release": lambda _: {"preview": None},
        "plan_validation": lambda _: {"plan": "p", "part": "validation", "poll": 1, "stage": "validate"},
        "tell_change": lambda _: {"over": ""},
        "merge_change": lambda _: {"waits": False, "refused": ""},
    }
    children: dict[str, Any] = {
        "run_jobs": lambda _: [{"ok": True, "error": ""}],
        "evaluation": lambda _: {"summary": asdict(samples.summary("syntax"))},
        "required_checks": lambda _: {"checks": [{"name": "ci", "state": "passed"}]},
        "mergeability": lambda _: {"facts": asdict(change), "rules": False, "late": False},
    }
    for name, answer in answers.items():
        (activities if name in activities else children)[name] = answer
    return Stage(activities, children, pace=timedelta(seconds=1))


def play(stage: Stage) -> Any:
    """Play the validation of HEAD."""
    return stage.play(pull_request, asdict(REQUEST), INSTANCE)


def told(stage: Stage) -> dict[str, Any]:
    """Return the record as it was told last."""
    record: dict[str, Any] = stage.payloads("tell_change")[-1]["record"]
    return record


def steps(stage: Stage) -> dict[str, str]:
    """Return the steps as they were told last."""
    return {step["name"]: step["state"] for step in told(stage)["steps"]}


def answers(*many: Any) -> Any:
    """Answer each of these once, the last for ever."""
    left = list(many)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_good_feature_branch_passes() -> None:
    """Branch and validation; nothing is merged that the config does not want merged."""
    stage = stage_with()

    output = play(stage)

    assert output == {"state": "passed", "reason": "Everything passed."}
    assert steps(stage) == {"branch": "passed", "validate": "passed"}
    assert stage.payloads("merge_change") == []
    assert stage.payloads("evaluation") == []


def test_release_branch_is_brought_back_by_a_merge_whatever_the_config_says() -> None:
    """Squashed, its commits would be new ones to develop, and the next release would conflict with itself."""
    stage = stage_with(facts(branch="main"), rules=AUTO)

    play(stage)

    (order,) = stage.payloads("merge_change")
    assert (order["method"], order["title"]) == ("merge", "")


def test_good_feature_branch_is_merged_when_the_config_wants_it() -> None:
    """With the head that was validated, and only after the status says that it passed."""
    stage = stage_with(rules=AUTO)

    play(stage)

    (order,) = stage.payloads("merge_change")
    assert (order["sha"], order["method"], order["title"]) == (HEAD, "squash", "Answer better (#7)")
    assert steps(stage)["merge"] == "passed"
    before = [payload["record"]["state"] for payload in stage.payloads("tell_change")[: _told_before(stage)]]
    assert before[-1] == "passed"


def _told_before(stage: Stage) -> int:
    """Return how often GitHub was told before it was asked to merge."""
    names = [name for name, _ in stage.asked]
    return names[: names.index("merge_change")].count("tell_change")


def test_branch_with_a_wrong_name_is_stopped_before_anything_runs() -> None:
    """The author is shown a corrected example."""
    stage = stage_with(facts(branch="Fix Login 42"))

    output = play(stage)

    assert output["state"] == "failed"
    assert "`alex/42-fix-login`" in told(stage)["reason"]
    assert told(stage)["needed"] == "@alex opens the change anew from a branch with a better name."
    assert steps(stage) == {"branch": "failed", "validate": "cancelled"}
    assert stage.payloads("run_jobs") == []


def test_name_of_a_forks_branch_is_its_own_business() -> None:
    """Nobody can make a stranger rename what is theirs."""
    stage = stage_with(facts(branch="patch-1", fork=True))

    assert play(stage)["state"] == "passed"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"branch": "main"}, "brings main back"),
        ({"branch": "dependabot/pip/x-2", "author": "dependabot[bot]"}, "a bot's branch, so its name is free"),
    ],
)
def test_branch_that_nobody_can_rename_is_not_asked_for_another_name(fields: dict[str, Any], detail: str) -> None:
    """A hotfix is brought back from the release branch itself, and a bot calls its branches what it likes."""
    stage = stage_with(facts(**fields))

    assert play(stage)["state"] == "passed"
    assert told(stage)["steps"][0]["detail"] == detail


def test_config_broken_by_the_change_itself_is_shown_with_its_lines() -> None:
    """The check fails; nothing crashes, and a person is asked for by the label's default name."""
    problem = "drawbridge.yaml:3: target: is missing; expected what is evaluated"
    stage = stage_with(read_config=lambda _: {"error": problem})

    output = play(stage)

    assert output["state"] == "failed"
    assert problem in told(stage)["reason"]
    assert told(stage)["problems"] == problem
    assert told(stage)["person"] == "needs-a-person"
    assert steps(stage) == {"config": "failed"}


def test_files_that_are_gone_are_explained() -> None:
    """Its branch or repository was deleted while it waited."""
    stage = stage_with(fetch_snapshot=lambda _: {"error": "github.com has no such thing (404 Not Found)."})

    output = play(stage)

    assert output["state"] == "failed"
    assert told(stage)["reason"].startswith(
        "The files of aaaaaaa cannot be fetched: its branch or repository was deleted"
    )


def test_repository_that_is_gone_ends_the_story_in_words() -> None:
    """There is nobody left to tell on GitHub."""
    stage = stage_with(take_up_change=lambda _: {"error": "The change cannot be read any more"})

    assert play(stage) == {"state": "failed", "reason": "The change cannot be read any more"}
    assert stage.payloads("tell_change") == []


def test_failed_validation_says_what_failed_and_asks_for_the_author() -> None:
    """The steps behind it do not run."""
    stage = stage_with(rules=AUTO, run_jobs=lambda _: [{"ok": False, "error": "`pytest -q` failed with exit status 1"}])

    output = play(stage)

    assert output["state"] == "failed"
    assert told(stage)["reason"] == "Validate failed: \\`pytest \\-q\\` failed with exit status 1"
    assert told(stage)["needed"].startswith("@alex mends it")
    assert steps(stage) == {"branch": "passed", "validate": "failed", "merge": "cancelled"}
    assert stage.payloads("merge_change") == []


def test_change_to_main_runs_from_end_to_end_and_foresees_its_release() -> None:
    """The evaluation of the sample rows is the same child that releases have."""
    stage = stage_with(facts(base="main", branch="develop"))

    play(stage)

    (order,) = stage.payloads("evaluation")
    assert (order["kind"], order["id"], order["commit"]) == ("syntax", f"{INSTANCE}.syntax", HEAD)
    assert len(stage.payloads("preview_release")) == 1
    assert steps(stage)["evaluate-syntax"] == "passed"
    assert told(stage)["notes"] == []


def test_end_to_end_run_that_fails_has_counts_and_ids() -> None:
    """No row's text goes to GitHub."""
    failed = samples.summary("syntax", Verdict.FAILED, rows=5, errored=2, failed_rows=("s1", "s2"))
    stage = stage_with(facts(base="main", branch="develop"), evaluation=lambda _: {"summary": asdict(failed)})

    output = play(stage)

    assert output["reason"] == "End-to-end syntax run failed: 2 of 5 sample rows failed: s1, s2"


def test_hotfix_is_let_through_and_named() -> None:
    """Its commits have to come to develop as well."""
    stage = stage_with(facts(base="main", branch="alex/9-hotfix"))

    output = play(stage)

    assert output["state"] == "passed"
    assert "That is meant for hotfixes" in told(stage)["notes"][0]


def test_opt_out_label_on_a_change_to_develop_is_said_to_mean_nothing() -> None:
    """What counts is the label on the change to the release branch."""
    stage = stage_with(facts(labels=("Skip-E2E-evaluation",)))

    play(stage)

    assert "says nothing here" in told(stage)["notes"][0]
    assert stage.payloads("preview_release") == []


def test_preview_that_cannot_be_made_stops_nothing() -> None:
    """It is said, though."""
    stage = stage_with(facts(base="main", branch="develop"), preview_release=lambda _: {"error": "team is gone"})

    assert play(stage)["state"] == "passed"
    assert told(stage)["notes"] == ["What the release will evaluate could not be found out: team is gone"]


def test_fork_is_validated_without_secrets_and_merged_by_a_person() -> None:
    """No sample rows, no end-to-end run, no merge by itself, and all of it is said."""
    stage = stage_with(facts(fork=True), AUTO)

    output = play(stage)

    (plan,) = stage.payloads("plan_validation")
    assert plan["sealed"] is True
    assert output["state"] == "passed"
    assert "runs without secrets and without the model" in told(stage)["notes"][0]
    assert "it comes from a fork, and a person merges those" in told(stage)["needed"]
    assert stage.payloads("merge_change") == stage.payloads("mergeability") == []


def test_fork_to_main_never_runs_from_end_to_end() -> None:
    """The evaluators would need the model."""
    stage = stage_with(facts(base="main", fork=True))

    play(stage)

    assert stage.payloads("evaluation") == []


def test_own_branch_is_validated_with_the_model() -> None:
    """Sealing is for strangers."""
    stage = stage_with()

    play(stage)

    assert stage.payloads("plan_validation")[0]["sealed"] is False


CHECKED = {"validate": {**samples.wire_config()["validate"], "required_checks": ["ci"], "checks_timeout": "2h"}}


def test_required_checks_are_waited_for() -> None:
    """By the names of the config, until their time is up."""
    stage = stage_with(rules=CHECKED)

    play(stage)

    (wait,) = stage.payloads("required_checks")
    assert (wait["names"], wait["sha"], wait["look"]) == (["ci"], HEAD, 300)
    assert steps(stage)["checks"] == "passed"


def test_required_check_that_never_comes_fails_by_name() -> None:
    """With what to look for."""
    stage = stage_with(rules=CHECKED, required_checks=lambda _: {"checks": [{"name": "ci", "state": "missing"}]})

    output = play(stage)

    assert output["state"] == "failed"
    assert "ci never came within 2 h" in told(stage)["reason"]
    assert steps(stage)["checks"] == "failed"


def test_change_that_failed_for_required_checks_alone_names_them() -> None:
    """When they turn green it is validated again; those that were still running are not waited for before that."""
    seen = [{"name": "ci", "state": "failed"}, {"name": "lint", "state": "pending"}]
    stage = stage_with(rules=CHECKED, required_checks=lambda _: {"checks": seen})

    play(stage)

    assert told(stage)["red"] == ["ci"]
    assert "once it is green this starts again by itself" in told(stage)["reason"]


def test_change_that_failed_for_more_waits_for_no_check() -> None:
    """Its author has to push."""
    stage = stage_with(rules=CHECKED, run_jobs=lambda _: [{"ok": False, "error": "`pytest -q` failed"}])

    play(stage)

    assert told(stage)["red"] == []


def test_newer_push_supersedes_the_running_validation() -> None:
    """The jobs come back as cancelled; the story says by which commit, and blames nobody."""
    over = {"over": "bbbbbbb is validated instead", "state": "superseded"}
    stage: Stage = stage_with(
        run_jobs=lambda _: [{"ok": False, "error": "cancelled"}],
        tell_change=lambda _: over if len(stage.payloads("tell_change")) > 3 else {"over": ""},
    )

    output = play(stage)

    assert output == {"state": "superseded", "reason": over["over"]}
    assert stage.payloads("tell_change")[-1]["last"] is True


def test_change_that_was_closed_ends_as_cancelled() -> None:
    """Nobody is told that it failed."""
    over = {"over": "the change was closed: what ran for it was ended", "state": "cancelled"}
    stage = stage_with(tell_change=lambda _: over)

    assert play(stage) == {"state": "cancelled", "reason": over["over"]}
    assert [payload["record"]["state"] for payload in stage.payloads("tell_change")] == ["running", "cancelled"]


def test_head_that_github_shows_late_is_waited_for() -> None:
    """A pull request may show its old head for a moment after the push."""
    good = stage_with().activities["take_up_change"](None)
    stage = stage_with(take_up_change=answers({"moved": NEWER}, {"moved": NEWER}, good))

    assert play(stage)["state"] == "passed"


def test_head_that_is_no_longer_the_head_is_left_alone() -> None:
    """An old delivery that came late, or a force-push meanwhile: nothing is told, nothing is run."""
    stage = stage_with(take_up_change=lambda _: {"moved": NEWER})

    output = play(stage)

    assert output == {"state": "cancelled", "reason": "superseded by bbbbbbb, which is validated instead"}
    assert {name for name, _ in stage.asked} == {"take_up_change"}


def test_github_away_at_the_beginning_is_waited_out() -> None:
    """As long as it says."""
    good = stage_with().activities["take_up_change"](None)
    stage = stage_with(take_up_change=answers({"retry_after": 600.0}, good))

    assert play(stage)["state"] == "passed"
    assert stage.now - stage.timers[0].fire_at >= timedelta(0)


def test_github_away_for_days_makes_no_endless_history() -> None:
    """Another generation goes on asking."""
    good = stage_with().activities["take_up_change"](None)
    stage = stage_with(take_up_change=answers(*[{"retry_after": 600.0}] * 100, good))

    assert play(stage)["state"] == "passed"
    assert stage.generations == 3


def test_only_the_last_look_for_the_head_gives_it_up() -> None:
    """GitHub may be late to show it."""
    stage = stage_with(take_up_change=lambda _: {"moved": NEWER})

    play(stage)

    assert [ask["last"] for ask in stage.payloads("take_up_change")] == [False] * 4 + [True]


def test_blocked_change_says_who_is_needed_and_is_merged_when_nothing_is_missing() -> None:
    """The comment asks for the review while the story waits."""
    change = facts()
    blocked = replace(change, merge_state="blocked", reviewers=("maria",))
    stage = stage_with(
        rules=AUTO,
        mergeability=answers(
            {"facts": asdict(blocked), "rules": False, "late": False},
            {"facts": asdict(change), "rules": False, "late": False},
        ),
    )

    play(stage)

    needed = [payload["record"]["needed"] for payload in stage.payloads("tell_change")]
    assert "@maria review it; then it is merged." in needed
    assert told(stage)["needed"] == ""
    assert steps(stage)["merge"] == "passed"
    known = [payload["known"] for payload in stage.payloads("mergeability")]
    assert known == ["", "the branch protection of develop still wants a review by maria"]


def test_change_that_stays_blocked_passes_and_is_left_to_people() -> None:
    """A red status would block the people too."""
    blocked = replace(facts(), merge_state="blocked")
    late = {"facts": asdict(blocked), "rules": False, "late": True}
    stage = stage_with(rules=AUTO, mergeability=lambda _: late)

    output = play(stage)

    assert output["state"] == "passed"
    assert steps(stage)["merge"] == "skipped"
    assert told(stage)["needed"].startswith("somebody with write access reviews it")


def test_conflict_is_said() -> None:
    """The author solves it."""
    conflict = {"facts": asdict(replace(facts(), mergeable=False, merge_state="dirty")), "rules": False, "late": True}
    stage = stage_with(rules=AUTO, mergeability=lambda _: conflict)

    play(stage)

    assert "it conflicts with develop" in told(stage)["steps"][-1]["detail"]
    assert told(stage)["needed"].startswith("@alex merges `develop`")


def test_change_of_the_rules_themselves_is_merged_by_a_person() -> None:
    """Nobody takes the gate away unseen."""
    stage = stage_with(rules=AUTO, mergeability=lambda _: {"facts": asdict(facts()), "rules": True, "late": False})

    play(stage)

    assert stage.payloads("merge_change") == []
    assert "it changes drawbridge.yaml itself" in told(stage)["needed"]


@pytest.mark.parametrize("fields", [{"draft": True}, {"head": NEWER}, {"base": "main"}, {"open": False}])
def test_what_is_not_what_was_validated_is_not_merged(fields: dict[str, Any]) -> None:
    """A draft, a moved head, another base with other rules, a closed change."""
    seen = {"facts": asdict(replace(facts(), **fields)), "rules": False, "late": False}
    stage = stage_with(rules=AUTO, mergeability=lambda _: seen)

    play(stage)

    assert stage.payloads("merge_change") == []
    assert steps(stage)["merge"] == "cancelled"


def test_change_that_somebody_merged_is_said_to_be_merged() -> None:
    """By hand, while the story waited for a review."""
    seen = {"facts": asdict(replace(facts(), open=False, merged_by="maria")), "rules": False, "late": False}
    stage = stage_with(rules=AUTO, mergeability=lambda _: seen)

    play(stage)

    assert told(stage)["steps"][-1] == {"name": "merge", "state": "passed", "detail": "merged by maria", "url": ""}
    assert stage.payloads("merge_change") == []


def test_change_whose_hindrance_changes_all_the_time_is_left_to_people() -> None:
    """Nobody is left waiting for a merge that is not tried any more."""
    names = iter(range(1000))

    def hindered(_: Any) -> dict[str, Any]:
        seen = facts(merge_state="blocked", reviewers=(f"maria{next(names)}",))
        return {"facts": asdict(seen), "rules": False, "late": False}

    stage = stage_with(rules=AUTO, mergeability=hindered)

    play(stage)

    assert steps(stage)["merge"] == "skipped"
    assert "merges this change: what stands in its way changes all the time." in told(stage)["needed"]


def test_refused_merge_is_read_back_and_told() -> None:
    """With GitHub's own words."""
    refusal = {"waits": False, "refused": "Head branch was modified (409)"}
    stage = stage_with(rules=AUTO, merge_change=answers({"waits": True, "refused": ""}, refusal))

    output = play(stage)

    assert output["state"] == "passed"
    assert "GitHub refused to merge it: Head branch was modified" in told(stage)["needed"]
    assert steps(stage)["merge"] == "skipped"


def test_merge_that_only_a_queue_may_make_is_left_to_whoever_puts_it_there() -> None:
    """GitHub's own words lead nowhere: asking again would be refused for ever."""
    refusal = {"waits": False, "refused": "Changes must be made through the merge queue (405)"}
    stage = stage_with(rules=AUTO, merge_change=lambda _: refusal)

    assert play(stage)["state"] == "passed"
    assert told(stage)["needed"] == (
        "somebody with write access merges this change: its branch has a merge queue, so press *Merge when ready*."
    )
    assert steps(stage)["merge"] == "skipped"


def test_crash_is_told_and_shown() -> None:
    """The people on the change hear of it, and the instance fails."""

    def fail(_: Any) -> Any:
        raise RuntimeError("disk full")

    stage = stage_with(plan_validation=fail)

    with pytest.raises(RuntimeError, match="disk full"):
        play(stage)

    assert told(stage)["state"] == "failed"
    assert told(stage)["reason"] == "Drawbridge itself failed here: disk full"
