"""Planning an evaluation and judging it, with real blobs."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.conclude_evaluation import conclude, conclude_evaluation
from activities.keep_baseline import keep
from activities.plan_evaluation import cut, make_plan
from adapters.blobs import Blobs
from adapters.records import read_snapshot_file
from domain import blob_names
from domain.errors import Invalid
from domain.models import EvaluationSummary, Verdict
from domain.wire import digest_of
from tests import samples
from tests.activities.conftest import World, run
from tests.fakes import audited, row

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PROMOTED = "2026-11-23T10:00:00Z"
SNAPSHOT = "5" * 64


def store_snapshot(blobs: Blobs, **files: str) -> None:
    """Store a snapshot with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    blobs.write(blob_names.snapshot(SNAPSHOT), packed.getvalue())
    read_snapshot_file.cache_clear()  # outside of tests a name never gets other content


def rows(count: int) -> str:
    """Return a dataset of so many rows."""
    return "".join(json.dumps({"id": f"r{n}", "question": "q", "answer": "a"}) + "\n" for n in range(count))


def order(kind: str = "full", release: str = samples.RELEASE) -> dict[str, Any]:
    """Return what the orchestration asks for."""
    return {
        "id": f"{release}.{kind}",
        "kind": kind,
        "repository": samples.REPOSITORY,
        "commit": samples.SHA,
        "snapshot": SNAPSHOT,
        "config": samples.wire_config(),
    }


def evaluate(blobs: Blobs, scores: dict[str, float | None], release: str = samples.RELEASE) -> Any:
    """Plan a full evaluation, write its rows as workers do, and conclude."""
    make_plan(order(release=release), blobs)
    evaluation = f"{release}.full"
    lines = [json.dumps(row(name, score, None if score is not None else "HTTP 500")) for name, score in scores.items()]
    blobs.write(blob_names.shard(evaluation, 0), "".join(f"{line}\n" for line in lines).encode())
    summary = conclude(evaluation, [], 12.0, NOW, blobs)
    blobs.write_json(blob_names.summary(evaluation), asdict(summary))
    return summary


@pytest.mark.parametrize(
    ("count", "shards", "slices"),
    [
        (10, 3, [(0, 3), (3, 6), (6, 10)]),
        (2, 12, [(0, 1), (1, 2)]),
        (5, 1, [(0, 5)]),
    ],
)
def test_rows_are_cut_evenly_and_no_shard_is_empty(count: int, shards: int, slices: list[tuple[int, int]]) -> None:
    """More shards than rows are not used."""
    assert cut(count, shards) == slices


def test_nightly_evaluation_follows_the_plan_of_the_full_one(blobs: Blobs) -> None:
    """Its kind is told, its rows and gates are those of `full`."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(7)})

    make_plan({**order("nightly"), "plan": "full"}, blobs)

    plan = blobs.read_json(blob_names.plan(f"{samples.RELEASE}.nightly"))
    assert (plan["kind"], plan["dataset"], len(plan["ids"])) == ("nightly", "data/full.jsonl", 7)
    assert plan["gates"] == samples.CONFIG.evaluation.full.gates


def test_plan_fixes_all_that_the_result_depends_on(blobs: Blobs) -> None:
    """Snapshot, dataset content, order, evaluators and gates stand in plan.json."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(7)})

    planned = make_plan(order(), blobs)

    plan = blobs.read_json(planned["blob"])
    assert planned["parts"] == ["shards"]
    assert [shard["job"]["name"] for shard in plan["shards"]] == [f"{samples.RELEASE}.full.{n}" for n in range(3)]
    assert sorted(plan["ids"]) == [f"r{n}" for n in range(7)]
    assert plan["gates"] == ["f1 >= 0.45", "f1 drop <= 0.05"]
    assert plan["snapshot"] == SNAPSHOT
    assert len(plan["dataset_hash"]) == 64
    slices = [(job["job"]["spec"]["start"], job["job"]["spec"]["stop"]) for job in plan["shards"]]
    assert slices == [(0, 2), (2, 4), (4, 7)]


def test_evaluation_flow_gets_a_job_that_aggregates_all_shards(blobs: Blobs) -> None:
    """Only an evaluation flow can have aggregation nodes."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(7)})
    wanted = order()
    wanted["config"]["evaluation"]["evaluators"]["judge"] = {"use": "flows/eval_judge", "columns": {}, "init": {}}

    planned = make_plan(wanted, blobs)

    job = blobs.read_json(planned["blob"])["aggregates"][0]["job"]
    assert (job["kind"], job["short"]) == ("aggregate", True)
    assert job["inputs"] == {f"inputs/{n}.jsonl": blob_names.shard(wanted["id"], n) for n in range(3)}


@pytest.mark.parametrize(
    ("wanted", "short"),
    [
        (order("full"), False),
        ({**order("nightly"), "plan": "full"}, False),
        (order("minimal"), True),
        ({**order("on-demand"), "plan": "minimal"}, True),
        (order("syntax"), True),
    ],
    ids=["full", "full at night", "minimal", "minimal on demand", "syntax"],
)
def test_all_but_the_full_dataset_is_short(blobs: Blobs, wanted: dict[str, Any], short: bool) -> None:
    """People wait for it, so the compute does not let it stand in line behind a full evaluation."""
    store_snapshot(blobs, **{f"data/{name}.jsonl": rows(2) for name in ("full", "minimal", "sample")})

    plan = blobs.read_json(make_plan(wanted, blobs)["blob"])

    assert {shard["job"]["short"] for shard in plan["shards"]} == {short}


def test_missing_dataset_says_that_it_must_be_committed(blobs: Blobs) -> None:
    """The message names the file."""
    store_snapshot(blobs, **{"README.md": "x"})

    with pytest.raises(Invalid, match=r"data/full.jsonl is not in the repository"):
        make_plan(order(), blobs)


def test_broken_dataset_names_file_and_line(blobs: Blobs) -> None:
    """The file is named as in the repository, not as the temporary copy."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(2) + "{\n"})

    with pytest.raises(Invalid, match=r"^data/full\.jsonl:3"):
        make_plan(order(), blobs)


def test_scored_and_errored_rows_are_all_rows(blobs: Blobs) -> None:
    """A row that no shard returned is a row with an error."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(4)})

    summary = evaluate(blobs, {"r0": 0.9, "r1": 0.7, "r2": None})

    assert (summary.rows, summary.scored, summary.errored) == (4, 2, 2)
    assert sorted(summary.failed_rows) == ["r2", "r3"]
    assert summary.metrics[0].mean == pytest.approx(0.8)


def test_verdict_is_audited_once_with_the_digest_of_what_is_stored(world: World) -> None:
    """Whoever doubts a verdict later compares the summary with the log."""
    evaluation = f"{samples.RELEASE}.minimal"
    kept = json.loads(json.dumps(asdict(replace(samples.summary("minimal"), id=evaluation))))
    world.blobs.write_json(blob_names.summary(evaluation), kept)
    for _ in range(2):
        run(conclude_evaluation, {"id": evaluation, "jobs": [], "started_at": NOW.isoformat()})

    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("verdict", "drawbridge", evaluation)
    assert trace["evidence"] == digest_of(kept)
    assert (trace["details"]["verdict"], trace["details"]["kind"]) == ("passed", "minimal")
    assert trace["details"]["gates"].startswith("f1 >= 0.45: passed (")


def test_of_two_verdicts_at_once_the_first_one_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An activity may run twice at the same time, and a release must not be told two verdicts."""
    evaluation = f"{samples.RELEASE}.minimal"
    ours = replace(samples.summary("minimal"), id=evaluation)
    kept = json.loads(json.dumps(asdict(replace(ours, seconds=1.0))))

    def overtaken(*_: Any) -> EvaluationSummary:
        world.blobs.write_json(blob_names.summary(evaluation), kept)
        return replace(ours, seconds=2.0)

    monkeypatch.setattr("activities.conclude_evaluation.conclude", overtaken)

    answer = run(conclude_evaluation, {"id": evaluation, "jobs": [], "started_at": NOW.isoformat()})

    assert answer == {"summary": kept}
    assert world.blobs.read_json(blob_names.summary(evaluation)) == kept


def test_first_evaluation_has_nothing_to_compare_with(blobs: Blobs) -> None:
    """A drop gate passes and says so."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(4)})

    summary = evaluate(blobs, {f"r{n}": 0.9 for n in range(4)})

    assert summary.verdict is Verdict.PASSED
    assert summary.comparison is None
    assert "no baseline" in summary.gates[1].detail


def test_second_release_is_compared_row_by_row_with_the_first(blobs: Blobs) -> None:
    """The rows that got worse are named, and the drop fails its gate although the mean is still high."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(40)})
    first = evaluate(blobs, {f"r{n}": 0.9 for n in range(40)})
    keep(samples.RELEASE, [first], PROMOTED, blobs)

    second = evaluate(blobs, {f"r{n}": 0.9 if n > 9 else 0.4 for n in range(40)}, release="release-second")

    assert second.verdict is Verdict.FAILED
    assert second.comparison.baseline == first.id
    assert {change.id for change in second.comparison.worse} <= {f"r{n}" for n in range(10)}
    assert [gate.verdict for gate in second.gates] == [Verdict.PASSED, Verdict.FAILED]


def test_changed_dataset_is_not_compared(blobs: Blobs) -> None:
    """A difference between two datasets says nothing about the app."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(4)})
    keep(samples.RELEASE, [evaluate(blobs, {f"r{n}": 0.9 for n in range(4)})], PROMOTED, blobs)
    store_snapshot(blobs, **{"data/full.jsonl": rows(5)})

    second = evaluate(blobs, {f"r{n}": 0.9 for n in range(5)}, release="release-second")

    assert second.verdict is Verdict.INCONCLUSIVE
    assert "another dataset" in second.comparison.refused


def test_evaluation_that_did_not_pass_is_no_baseline(blobs: Blobs) -> None:
    """Otherwise a bad release would lower the bar for the next."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(4)})

    keep(samples.RELEASE, [evaluate(blobs, {f"r{n}": 0.1 for n in range(4)})], PROMOTED, blobs)

    assert blobs.read_json(blob_names.baseline(samples.REPOSITORY, "data/full.jsonl")) is None


def test_baseline_of_a_newer_release_stays(blobs: Blobs) -> None:
    """A release may be late to keep its own, by the minutes in which storage was away."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(4)})
    older = evaluate(blobs, {f"r{n}": 0.9 for n in range(4)})
    newer = evaluate(blobs, {f"r{n}": 0.9 for n in range(4)}, release="release-second")

    keep("release-second", [newer], PROMOTED, blobs)
    keep(samples.RELEASE, [older], "2026-11-23T09:58:00Z", blobs)

    assert blobs.read_json(blob_names.baseline(samples.REPOSITORY, "data/full.jsonl"))["release"] == "release-second"


def test_gates_on_drops_work_again_after_the_dataset_has_changed(blobs: Blobs) -> None:
    """The release that could not be compared becomes the baseline, so the next drop is seen."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(40)})
    keep(samples.RELEASE, [evaluate(blobs, {f"r{n}": 0.9 for n in range(40)})], PROMOTED, blobs)
    store_snapshot(blobs, **{"data/full.jsonl": rows(41)})
    keep(
        "release-second",
        [evaluate(blobs, {f"r{n}": 0.9 for n in range(41)}, release="release-second")],
        PROMOTED,
        blobs,
    )

    third = evaluate(blobs, {f"r{n}": 0.6 for n in range(41)}, release="release-third")

    assert third.verdict is Verdict.FAILED
    assert third.comparison.baseline == "release-second.full"


def test_half_a_line_of_a_killed_worker_is_no_row(blobs: Blobs) -> None:
    """Its row is a row with an error; line breaks inside JSON are none."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(3)})
    make_plan(order(), blobs)
    whole = json.dumps({**row("r0", 0.9), "output": {"answer": "a\u2028b\u0085c"}}, ensure_ascii=False)
    blobs.write(blob_names.shard(f"{samples.RELEASE}.full", 0), f'{whole}\n{{"id": "r1", "sco'.encode())

    summary = conclude(f"{samples.RELEASE}.full", [], 1.0, NOW, blobs)

    assert (summary.scored, summary.errored) == (1, 2)


def test_baseline_whose_results_are_gone_is_refused(blobs: Blobs) -> None:
    """The evaluation still comes to a verdict."""
    store_snapshot(blobs, **{"data/full.jsonl": rows(40)})
    blobs.write_json(blob_names.baseline(samples.REPOSITORY, "data/full.jsonl"), {"evaluation": "gone"})

    summary = evaluate(blobs, {f"r{n}": 0.9 for n in range(40)})

    assert summary.comparison.refused == "the baseline's results are no longer stored"
    assert summary.verdict is Verdict.INCONCLUSIVE


def test_syntax_run_takes_the_sample_rows_through_everything(blobs: Blobs) -> None:
    """Target, evaluators and aggregation, with the one gate that no row may fail, and nothing to compare with."""
    store_snapshot(blobs, **{"data/sample.jsonl": rows(3)})
    blobs.write_json(blob_names.baseline(samples.REPOSITORY, "data/sample.jsonl"), {"evaluation": "e"})
    wanted = order("syntax")
    wanted["config"]["evaluation"]["evaluators"]["judge"] = {"use": "flows/eval_judge", "columns": {}, "init": {}}

    planned = make_plan(wanted, blobs)

    plan = blobs.read_json(planned["blob"])
    assert planned["parts"] == ["shards", "aggregates"]
    assert (plan["dataset"], plan["gates"], plan["baseline"]) == ("data/sample.jsonl", ["errors <= 0"], None)
    assert len(plan["ids"]) == 3
    assert sorted(plan["shards"][0]["job"]["spec"]["evaluators"]) == ["f1", "judge"]


@pytest.mark.parametrize(
    ("scores", "jobs", "verdict"),
    [
        ({"r0": 0.0, "r1": 0.1}, [{"ok": True, "error": ""}], Verdict.PASSED),
        ({"r0": 0.9, "r1": None}, [{"ok": True, "error": ""}], Verdict.FAILED),
        ({"r0": 0.9, "r1": 0.9}, [{"ok": True, "error": ""}, {"ok": False, "error": "no column x"}], Verdict.FAILED),
    ],
)
def test_syntax_run_asks_only_whether_everything_ran(
    blobs: Blobs, scores: dict[str, float | None], jobs: list[dict[str, Any]], verdict: Verdict
) -> None:
    """Bad answers pass; a row without one does not, nor does an aggregation that breaks."""
    store_snapshot(blobs, **{"data/sample.jsonl": rows(2)})
    make_plan(order("syntax"), blobs)
    lines = [json.dumps(row(name, score, None if score is not None else "HTTP 500")) for name, score in scores.items()]
    blobs.write(blob_names.shard(f"{samples.RELEASE}.syntax", 0), "".join(f"{line}\n" for line in lines).encode())

    summary = conclude(f"{samples.RELEASE}.syntax", jobs, 12.0, NOW, blobs)

    assert summary.verdict is verdict
    assert "no column x" not in str(summary.gates)
