"""Where a release comes from, whose opt-outs are honoured, and what later toggles of the label make of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.find_origin import find_origin
from activities.weigh_toggle import weigh_toggle
from adapters import branch_order, commits, debts, records
from domain import blob_names, timeline
from domain.branch_line import MOST_COMMITS, Place, counts
from domain.config import OptOutRule
from domain.debts import Branch, incur
from domain.git_flow import ToggleOptOut, release_id
from domain.opt_out import CHECKLIST
from tests import samples
from tests.activities.conftest import AT, World, run

LABEL = "skip-e2e-evaluation"
TICKED = "".join(f"- [x] {text}\n" for text in CHECKLIST)
BODY = f"<!-- drawbridge:opt-out -->\n{TICKED}\nReason for skipping: documentation only\n"


@pytest.fixture
def labelled(world: World) -> dict[str, Any]:
    """A merged change of alex whose label sam put there, with a ticked checklist; the release is of it."""
    return merge(world, body=BODY, by="sam")


def merge(
    world: World, body: str, by: str = "sam", files: str = "docs/guide.md", method: str = "merge"
) -> dict[str, Any]:
    """Merge a change that opts out."""
    branch = f"alex/{len(world.double.requests())}-x"
    world.double.push(world.repository, branch, {files: branch}, author="alex")
    number = int(world.double.open_pull_request(world.repository, branch, "Guide", body, author="alex")["number"])
    world.double.add_label(world.repository, number, LABEL, by=by)
    return world.double.merge(world.repository, number, by="maria", method=method)


def find(world: World, sha: str, before: str = "0" * 40, release: str = "release-x", **rule: Any) -> dict[str, Any]:
    """Find out where a commit comes from."""
    order = {
        "release": release,
        "repository": world.repository,
        "sha": sha,
        "before": before,
        "branch": "main",
        "rule": OptOutRule(**rule).model_dump(mode="json"),
    }
    found: dict[str, Any] = run(find_origin, order)
    return found


def audited(world: World) -> list[tuple[str, str, str]]:
    """Return what the audit log has: what, who, about which release."""
    lines = [world.blobs.read(name) or b"" for name in world.blobs.names("audit/2")]
    entries = [json.loads(line) for content in lines for line in content.splitlines() if line]
    return [(entry["what"], entry["who"], entry["subject"]) for entry in entries]


def test_origin_names_the_change(world: World) -> None:
    """And who wrote it."""
    found = find(world, world.record.commit.sha)["origin"]

    assert [(change["number"], change["author"]) for change in found["changes"]] == [(1, "alex")]
    assert found["commit"]["sha"] == world.record.commit.sha
    assert (found["opt_outs"], found["refused"]) == ((), ())


def test_commit_is_on_the_branch_once_its_place_is_known(world: World) -> None:
    """From then on nobody has to ask GitHub whether others stand on it."""
    sha = world.record.commit.sha
    commits.note_begun(world.blobs, world.repository, sha)
    begun = commits.on_branch(world.blobs, world.repository)
    position = find(world, sha)["origin"]["position"]

    assert begun == Branch(unplaced=(sha,))
    assert commits.on_branch(world.blobs, world.repository) == Branch(released=(Place(sha, position),))


def test_origin_waits_for_github(world: World) -> None:
    """As the snapshot does."""
    world.double.fault(status=429, retry_after=600, times=10)

    assert find(world, world.record.commit.sha) == {"retry_after": 600.0}


def test_honoured_opt_out_says_who_and_why_and_is_audited(world: World, labelled: dict[str, Any]) -> None:
    """The person comes from the change's timeline, the reason from its text."""
    found = find(world, labelled["merge_commit_sha"])["origin"]

    (opt_out,) = found["opt_outs"]
    assert (opt_out["by"], opt_out["reason"], opt_out["refused"]) == ("sam", "documentation only", "")
    assert audited(world) == [("opt-out", "sam", "release-x")]
    find(world, labelled["merge_commit_sha"])
    assert len(audited(world)) == 1


@pytest.mark.parametrize(
    ("rule", "body", "words"),
    [
        ({"forbidden_paths": ["docs/**"]}, BODY, "it changes docs/guide.md"),
        ({"allowed": ["maria"]}, BODY, "@sam is none of those who may opt out (maria)"),
        ({"allowed": ["acme/nobody-here"]}, BODY, "@sam is none of those who may opt out (acme/nobody-here)"),
        ({}, BODY.replace("[x]", "[ ]"), 'not ticked: "Answers cannot change: only'),
    ],
)
def test_policy_refuses_in_words(world: World, rule: dict[str, Any], body: str, words: str) -> None:
    """A forbidden path, a person who may not, a team that does not exist, a box that is not ticked."""
    found = find(world, merge(world, body)["merge_commit_sha"], **rule)["origin"]

    assert found["opt_outs"] == ()
    assert words in found["refused"][0]["refused"]
    assert [what for what, _, _ in audited(world)] == ["opt-out-refused"]


def test_member_of_a_team_may_opt_out(world: World, labelled: dict[str, Any]) -> None:
    """Sam is in it."""
    world.double.set_team("acme", "writers", ["Sam"])

    assert find(world, labelled["merge_commit_sha"], allowed=["acme/writers"])["origin"]["refused"] == ()


def test_overdue_debt_lets_nobody_opt_out(world: World, labelled: dict[str, Any]) -> None:
    """It was due long ago and nobody paid it."""
    old = replace(world.record, commit=replace(world.record.commit, sha="d" * 40))
    debts.record(world.blobs, incur(old, samples.CONFIG, "2020-01-01T00:00:00Z"))

    (refused,) = find(world, labelled["merge_commit_sha"])["origin"]["refused"]
    assert refused["refused"] == "the debt of ddddddd was due at 2020-01-08T00:00:00Z and must be paid first"


def test_rewritten_branch_comes_after_everything_before_it(world: World) -> None:
    """A forced push has fewer commits than what it replaced, and is newer all the same."""
    first = world.record.commit.sha
    long = world.merge()["merge_commit_sha"]
    position = find(world, long)["origin"]["position"]
    pushed = world.double.push(world.repository, "main", {"y": "y"}, base=first, force=True)
    rewritten = find(world, pushed, before=long)["origin"]["position"]

    assert rewritten > position
    assert find(world, pushed, before=long)["origin"]["position"] == rewritten


def test_forced_back_branch_goes_on_from_there(world: World) -> None:
    """Nobody heard of the force; what comes on top of it is newer than what was thrown away."""
    first = world.record.commit.sha
    thrown_away = find(world, world.merge()["merge_commit_sha"], before=first)["origin"]["position"]
    world.double.move_branch(world.repository, "main", first)
    pushed = world.double.push(world.repository, "main", {"z": "z"})

    assert find(world, pushed, before=first)["origin"]["position"] > thrown_away


def claim(world: World, sha: str) -> None:
    """Let a commit have a release."""
    world.blobs.create(blob_names.claim(release_id(world.repository, sha)), b"{}")


def brought(world: World, sha: str, before: str) -> list[int]:
    """Find the changes that the release of a push brings."""
    origin = find(world, sha, before, release_id(world.repository, sha))["origin"]
    return [change["number"] for change in origin["changes"]]


def test_changes_of_a_push_that_nobody_heard_of_come_with_the_next(world: World) -> None:
    """Its webhook was lost: they would go out without any release that carries them."""
    claim(world, world.record.commit.sha)
    lost, heard = world.merge(), world.merge()
    carried = [lost["number"], heard["number"]]

    assert brought(world, heard["merge_commit_sha"], lost["merge_commit_sha"]) == carried
    claim(world, lost["merge_commit_sha"])  # it was late only; an activity that runs again answers as before
    assert brought(world, heard["merge_commit_sha"], lost["merge_commit_sha"]) == carried


def test_push_that_nobody_heard_of_is_carried_in_whatever_order_the_later_ones_are_read(world: World) -> None:
    """The second of those after it was read first: it begins at the first, which has to carry the lost one."""
    claim(world, world.record.commit.sha)
    lost, first, second = world.merge(), world.merge(), world.merge()
    claim(world, first["merge_commit_sha"])
    claim(world, second["merge_commit_sha"])

    assert brought(world, second["merge_commit_sha"], first["merge_commit_sha"]) == [second["number"]]
    assert brought(world, first["merge_commit_sha"], lost["merge_commit_sha"]) == [lost["number"], first["number"]]


def test_release_of_the_push_before_is_all_that_has_to_be_known(world: World) -> None:
    """Where it is there, GitHub is not asked for the branch's commits."""
    claim(world, world.record.commit.sha)
    pull = world.merge()
    known = len(world.double.requests())

    assert brought(world, pull["merge_commit_sha"], world.record.commit.sha) == [pull["number"]]
    paths = [one["path"] for one in world.double.requests()[known:]]
    assert not any(f"sha={world.record.commit.sha}" in path for path in paths)


def test_change_of_a_push_that_is_told_after_all_stays_with_the_newer_release(world: World) -> None:
    """GitHub delivers it again, so both releases bring its change: the newer one goes to production."""
    claim(world, world.record.commit.sha)
    lost, heard = unlabelled(world), world.merge()
    newer, older = (release_id(world.repository, pull["merge_commit_sha"]) for pull in (heard, lost))
    brought(world, heard["merge_commit_sha"], lost["merge_commit_sha"])
    brought(world, lost["merge_commit_sha"], world.record.commit.sha)
    toggle(world, lost["number"], on=True)

    kept = {
        one: world.blobs.read_json(blob_names.opt_outs(one))["changes"][str(lost["number"])] for one in (newer, older)
    }
    assert kept[older] is None
    assert kept[newer]["label"] == LABEL


@pytest.mark.parametrize(("newer", "position"), [(True, 0), (False, 9 * MOST_COMMITS)])
def test_change_is_carried_by_the_newer_release_whatever_the_positions(
    world: World, newer: bool, position: int
) -> None:
    """Over a rewritten branch the greater one may be an ancestor's: GitHub is asked, and waited for."""
    pull, other = world.merge(), world.merge()
    ours, theirs = (other, pull) if not newer else (pull, other)
    name = blob_names.carrier(world.repository, pull["number"])
    kept = {"release": "release-y", "sha": theirs["merge_commit_sha"], "position": position}
    world.blobs.write_json(name, kept)
    world.double.fault(path_regex=f"/compare/{kept['sha']}", status=429, retry_after=600, times=1)
    looks = [find(world, ours["merge_commit_sha"], world.record.commit.sha) for _ in range(2)]

    assert [set(one) for one in looks] == [{"retry_after"}, {"origin"}]
    assert world.blobs.read_json(name)["release"] == ("release-y" if newer else "release-x")


@pytest.mark.parametrize(("method", "commits"), [("merge", 2), ("squash", 1)])
def test_merge_that_github_has_not_linked_yet_is_looked_at_again(world: World, method: str, commits: int) -> None:
    """As a direct push its opt-out, and who merged it, would be unknown for good."""
    pull = merge(world, BODY, method=method)
    world.double.fault(path_regex="/commits/.*/pulls$", answer=[], times=3 * commits)
    found = [find(world, pull["merge_commit_sha"], world.record.commit.sha) for _ in range(4)]

    assert [set(one) for one in found] == [{"retry_after"}] * 3 + [{"origin"}]
    origin = found[-1]["origin"]
    assert [(one["number"], one["merged_by"]) for one in origin["changes"]] == [(pull["number"], "maria")]
    assert [one["by"] for one in origin["opt_outs"]] == ["sam"]
    assert not origin["unlinked"]


def test_merge_that_github_never_links_is_a_direct_push_in_the_end(world: World) -> None:
    """The release does not wait for ever, and says what is not known."""
    sha = world.merge()["merge_commit_sha"]
    world.double.fault(path_regex="/commits/.*/pulls$", answer=[], times=100)
    found = [find(world, sha, world.record.commit.sha) for _ in range(5)]

    assert [set(one) for one in found] == [{"retry_after"}] * 3 + [{"origin"}] * 2
    assert (found[-1]["origin"]["changes"], found[-1]["origin"]["unlinked"]) == ((), True)


def test_merge_before_the_newest_one_waits_for_its_link_as_well(world: World) -> None:
    """Both came with one push, or the webhook of the first one was lost."""
    first, second = world.merge(), world.merge()
    its_commits = f"({first['merge_commit_sha']}|{first['head']['sha']})"
    world.double.fault(path_regex=f"/commits/{its_commits}/pulls$", answer=[], times=2)
    looks = [find(world, second["merge_commit_sha"], world.record.commit.sha) for _ in range(2)]

    assert set(looks[0]) == {"retry_after"}
    assert [one["number"] for one in looks[1]["origin"]["changes"]] == [first["number"], second["number"]]


def test_commit_of_githubs_own_hand_waits_for_its_link(world: World) -> None:
    """Whoever merges may write another title, without the number."""
    sha = world.double.push(world.repository, "main", {"x": "x"}, "Better", author="web-flow")

    assert set(find(world, sha, world.record.commit.sha)) == {"retry_after"}


@pytest.mark.parametrize("message", ["Change", "Answer #7 better", "Revert (#7) once more"])
def test_direct_push_waits_for_no_link(world: World, message: str) -> None:
    """Nothing says that GitHub merged it."""
    sha = world.double.push(world.repository, "main", {"x": message}, message, author="alex")

    assert find(world, sha, world.record.commit.sha)["origin"]["unlinked"] is False


def test_push_of_what_was_merged_elsewhere_waits_for_no_link(world: World) -> None:
    """GitHub names its change, to develop; to main it was pushed."""
    world.double.move_branch(world.repository, "develop", world.record.commit.sha)
    world.double.push(world.repository, "alex/3-z", {"z": "z"}, author="alex", base="develop")
    number = world.double.open_pull_request(world.repository, "alex/3-z", "Z", base="develop", author="alex")["number"]
    sha = world.double.merge(world.repository, number, "sam", "squash")["merge_commit_sha"]
    world.double.move_branch(world.repository, "main", sha)
    origin = find(world, sha, world.record.commit.sha)["origin"]

    assert (origin["changes"], origin["unlinked"]) == ((), False)


def test_first_release_ever_brings_its_own_push_and_not_all_that_was_there(world: World) -> None:
    """No commit before it has a release."""
    before, pull = world.merge(), world.merge()

    assert brought(world, pull["merge_commit_sha"], before["merge_commit_sha"]) == [pull["number"]]


def test_two_commits_that_are_placed_at_once_share_no_generation_over_a_rewrite(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were forced to main, and the second is placed while the first asks GitHub where it stands."""
    first = world.record.commit.sha
    find(world, world.merge()["merge_commit_sha"])
    lost = world.double.push(world.repository, "main", {"x": "x"}, base=first, force=True)
    compare, later = branch_order.compare, list[int]()

    def slow(*asked: Any) -> Any:
        found = compare(*asked)
        if not later:
            later.append(0)
            pushed = world.double.push(world.repository, "main", {"y": "y"}, base=first, force=True)
            later[0] = find(world, pushed)["origin"]["position"]
        return found

    monkeypatch.setattr(branch_order, "compare", slow)
    placed = find(world, lost)["origin"]["position"]

    assert placed < later[0]
    assert not counts(placed, later[0])


# Toggles after the merge.


def on_its_way(world: World, pull: dict[str, Any]) -> None:
    """Let the release of a merged change be known, with its full evaluation running."""
    find(world, pull["merge_commit_sha"])
    record = timeline.plan_stages(replace(world.record, id="release-x"), samples.CONFIG)
    change = replace(record.changes[0], number=pull["number"])
    record = timeline.begin(replace(record, changes=(change,)), timeline.FULL, AT, "release-x.full:shards")
    records.save_record(world.blobs, record)


def toggle(world: World, number: int, on: bool, label: str = LABEL, at: str = AT) -> str:
    """Put the label on or take it off, and let the release hear of it."""
    (world.double.add_label if on else world.double.remove_label)(world.repository, number, label, by="eve")
    event = {
        "repository": world.repository,
        "number": number,
        "label": label,
        "on": on,
        "by": "eve",
        "at": at,
        "key": "k",
    }
    return str(run(weigh_toggle, event)["decision"])


def cancelled(world: World) -> bool:
    """Say whether the running full evaluation was asked to stop."""
    return world.blobs.exists(blob_names.cancelled(blob_names.plan("release-x.full")))


def test_label_put_on_late_stops_the_evaluation_that_has_no_verdict(world: World) -> None:
    """The checklist was ticked before; who put the label on is in the audit log."""
    pull = unlabelled(world)

    assert toggle(world, pull["number"], on=True) == f"the full evaluation is stopped: #{pull['number']} opted out"
    assert cancelled(world)
    assert ("toggle", "eve", "release-x") in audited(world)


def unlabelled(world: World, body: str = BODY) -> dict[str, Any]:
    """Merge a change that could have opted out, and start its release."""
    world.double.push(world.repository, "alex/9-y", {"docs/x.md": "y"}, author="alex")
    number = int(world.double.open_pull_request(world.repository, "alex/9-y", "Guide", body, author="alex")["number"])
    pull = world.double.merge(world.repository, number, by="maria")
    on_its_way(world, pull)
    return pull


def test_late_label_never_erases_a_verdict(world: World) -> None:
    """A failed result stays, whatever anybody labels."""
    pull = unlabelled(world)
    world.blobs.write_json(blob_names.summary("release-x.full"), asdict(samples.summary("full")))

    assert toggle(world, pull["number"], on=True) == (
        "no full evaluation runs that could be stopped; a verdict that is in stays"
    )
    assert not cancelled(world)


def test_late_label_that_the_policy_refuses_stops_nothing(world: World) -> None:
    """It is judged as one before the merge would be."""
    pull = unlabelled(world, body="no checklist")

    assert "may not: its text has no opt-out checklist" in toggle(world, pull["number"], on=True)
    assert not cancelled(world)


def test_other_labels_change_nothing(world: World) -> None:
    """Not even a line in the audit log."""
    pull = unlabelled(world)

    assert toggle(world, pull["number"], on=True, label="docs") == "docs is not the opt-out label"
    assert not cancelled(world)
    assert audited(world) == []


def test_label_taken_off_leaves_nothing_that_opts_out(world: World, labelled: dict[str, Any]) -> None:
    """The release finds it when it looks around, and runs the full evaluation."""
    find(world, labelled["merge_commit_sha"])

    assert toggle(world, labelled["number"], on=False) == "no change opts out: the full evaluation is owed"
    kept = world.blobs.read_json(blob_names.opt_outs("release-x"))
    assert kept["changes"] == {str(labelled["number"]): None}


def test_label_on_a_change_that_no_release_carries_is_said(world: World) -> None:
    """Merged before Drawbridge was there, or never."""
    assert toggle(world, 1, on=True) == "no release carries change #1"


def test_label_taken_off_before_the_release_knows_its_changes_is_not_lost(
    world: World, labelled: dict[str, Any]
) -> None:
    """It was there at the merge and gone a moment later: it is weighed as soon as a release carries the change."""
    world.double.remove_label(world.repository, labelled["number"], LABEL, by="eve")
    event = asdict(ToggleOptOut(world.repository, labelled["number"], LABEL, False, "eve", AT, "k"))

    assert run(weigh_toggle, event)["retry_after"] > 0
    find(world, labelled["merge_commit_sha"])
    assert run(weigh_toggle, event) == {"decision": "no change opts out: the full evaluation is owed"}


def test_same_toggle_told_twice_is_one_line_in_the_audit_log(world: World) -> None:
    """By the webhook and by the reconciler."""
    pull = unlabelled(world)
    for _ in range(2):
        event = {
            "repository": world.repository,
            "number": pull["number"],
            "label": LABEL,
            "on": True,
            "by": "eve",
            "key": "k",
        }
        run(weigh_toggle, {**event, "at": AT})

    assert [what for what, _, _ in audited(world)] == ["toggle"]
