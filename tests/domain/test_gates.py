"""Gates are judged fail closed, and say why in words."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.gates import compare, fingerprint, judge, parse_gate, verdict
from domain.models import Comparison, EvaluationSummary, GateResult, Metric, MetricChange, Verdict

PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE


def summary(**changes) -> EvaluationSummary:
    """An evaluation of 30 rows, as it ended."""
    fields = {
        "id": "evaluation-7",
        "kind": "full",
        "repository": "contoso/helpdesk",
        "commit": "a" * 40,
        "dataset": "data/full.jsonl",
        "fingerprint": "same",
        "rows": 30,
        "scored": 29,
        "errored": 1,
        "metrics": (Metric("f1", 29, 0.5, 0.45, 0.55),),
        "gates": (),
        "verdict": PASSED,
        "latency_p50": 1.0,
        "latency_p95": 2.5,
        "tokens": 900,
        "seconds": 60.0,
    }
    return EvaluationSummary(**{**fields, **changes})


def against(**changes) -> Comparison:
    """The comparison of f1 over 29 paired rows with a baseline."""
    fields = {
        "name": "f1",
        "count": 29,
        "before": 0.52,
        "after": 0.5,
        "difference": -0.02,
        "low": -0.04,
        "high": 0.0,
        "detectable": 0.03,
    }
    return Comparison("evaluation-6", "b" * 40, None, (MetricChange(**{**fields, **changes}),))


def judged(gate: str, measured: EvaluationSummary | None = None, comparison: Comparison | None = None) -> GateResult:
    """The result of one gate."""
    (result,) = judge([gate], measured or summary(), comparison)
    return result


@pytest.mark.parametrize(
    ("text", "metric", "drop", "sign", "limit"),
    [
        ("f1 >= 0.45", "f1", False, ">=", 0.45),
        ("  errors<=0.02 ", "errors", False, "<=", 0.02),
        ("latency_p95 <= 3", "latency_p95", False, "<=", 3.0),
        ("f1 drop <= 0.05", "f1", True, "<=", 0.05),
        ("similarity.gpt-score > -1.5", "similarity.gpt-score", False, ">", -1.5),
        ("drop >= 1", "drop", False, ">=", 1.0),
    ],
)
def test_a_gate_is_read(text, metric, drop, sign, limit):
    """A metric, how it compares, and a number."""
    gate = parse_gate(text)

    assert (gate.metric, gate.drop, gate.sign, gate.limit) == (metric, drop, sign, limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f1",
        "f1 >= high",
        "f1 => 0.45",
        "f1 == 0.45",
        ">= 0.45",
        "f1 >= 0.45 and errors <= 1",
        "f1 >= nan",
        "f1 >= ٣",
    ],
)
def test_anything_else_is_not_a_gate(text):
    """The message shows two that are."""
    with pytest.raises(Invalid, match=r'is not a gate; expected a rule such as "f1 >= 0.45" or "f1 drop <= 0.05"'):
        parse_gate(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("errors drop <= 0.1", "only scores are compared with the baseline"),
        ("latency_p95 >= 3", "more latency_p95 is worse; expected an upper limit"),
        ("errors > 0.1", "more errors is worse; expected an upper limit"),
        ("f1 drop >= 0.05", "expected the largest drop to accept"),
        ("f1 drop <= -0.05", "expected the largest drop to accept"),
        ("errors <= 2", "errors is a fraction of the rows; expected a limit from 0 to 1, 2 % is 0.02"),
    ],
)
def test_a_gate_that_would_never_do_what_it_says_is_refused(text, message):
    """Turned round by mistake, it would let everything or nothing through."""
    with pytest.raises(Invalid, match=message):
        parse_gate(text)


@pytest.mark.parametrize(
    ("gate", "expected", "detail"),
    [
        (
            "f1 >= 0.45",
            PASSED,
            "f1 = 0.500, expected at least 0.45 (over 29 rows, 95\xa0% interval 0.450 to 0.550)",
        ),
        (
            "f1 > 0.5",
            FAILED,
            "f1 = 0.500, expected more than 0.5 (over 29 rows, 95\xa0% interval 0.450 to 0.550)",
        ),
        ("errors <= 0.04", PASSED, "errors = 0.033, expected at most 0.04 (1 of 30 rows ended in an error)"),
        ("errors <= 0.03", FAILED, "errors = 0.033, expected at most 0.03 (1 of 30 rows ended in an error)"),
        ("latency_p95 <= 2.5", PASSED, "latency_p95 = 2.500, expected at most 2.5 (in seconds)"),
        ("latency_p50 < 1", FAILED, "latency_p50 = 1.000, expected less than 1 (in seconds)"),
        ("f2 >= 0.1", FAILED, "this evaluation has no metric f2; it has: f1"),
        ("f2 drop <= 0.1", FAILED, "this evaluation has no metric f2; it has: f1"),
    ],
)
def test_the_point_estimate_decides_an_absolute_gate(gate, expected, detail):
    """The interval is in the detail, for the reader."""
    assert judged(gate) == GateResult(gate, expected, detail)


def test_rounding_never_contradicts_the_verdict():
    """0.44996 misses 0.45, and the reader can see it."""
    measured = summary(rows=1, scored=1, errored=0, metrics=(Metric("f1", 1, 0.44996, None, None),))
    result = judged("f1 >= 0.45", measured)

    assert result.detail == "f1 = 0.44996, expected at least 0.45 (over 1 row)"


@pytest.mark.parametrize("gate", ["f1 >= 0", "errors <= 1", "latency_p95 <= 9", "f1 drop <= 1"])
def test_nothing_passes_when_no_row_was_scored(gate):
    """An evaluation that measured nothing shows nothing."""
    result = judged(gate, summary(scored=0, errored=30, metrics=()))

    assert result == GateResult(gate, FAILED, "no row was scored: 30 of 30 rows ended in an error")


def test_nothing_passes_when_rows_are_missing():
    """A lost shard must not look like a smaller dataset."""
    result = judged("f1 >= 0.1", summary(scored=20))

    assert result.verdict == FAILED
    assert result.detail.startswith(
        "30 rows were given, but 20 scored and 1 errored rows came back: results are missing"
    )


def test_a_missing_latency_fails():
    """Fail closed: unknown is not quick."""
    assert judged("latency_p95 <= 9", summary(latency_p95=None)) == GateResult(
        "latency_p95 <= 9", FAILED, "no row has a latency"
    )


def test_a_metric_over_some_of_the_rows_says_so():
    """An evaluator may leave out an output for some rows; the reader must know."""
    result = judged("f1 >= 0.45", summary(metrics=(Metric("f1", 20, 0.5, 0.4, 0.6),)))

    assert (
        result.detail
        == "f1 = 0.500, expected at least 0.45 (over 20 of 29 scored rows, 95\xa0% interval 0.400 to 0.600)"
    )


def test_nan_never_passes():
    """Should a NaN get this far, it fails whichever way the gate points."""
    measured = summary(metrics=(Metric("f1", 29, math.nan, None, None),))

    assert judged("f1 >= 0.1", measured).verdict == FAILED
    assert judged("f1 <= 0.1", measured).verdict == FAILED
    assert judged("f1 drop <= 0.1", comparison=against(difference=math.nan)).verdict == FAILED


def test_a_drop_within_the_margin_passes():
    """When the whole interval is within the margin, a larger drop is ruled out."""
    result = judged("f1 drop <= 0.05", comparison=against())

    assert result.verdict == PASSED
    assert result.detail == (
        "f1 fell by 0.020, from 0.520 to 0.500 over 29 paired rows "
        "(95\xa0% interval of the change \u22120.040 to +0.000): a drop of more than 0.05 is ruled out"
    )


def test_a_drop_beyond_the_margin_fails():
    """The mean drop decides, however wide the interval."""
    result = judged("f1 drop <= 0.05", comparison=against(difference=-0.06, low=-0.2, high=0.08))

    assert result.verdict == FAILED
    assert result.detail.endswith(": more than the 0.05 that is accepted")


def test_a_drop_that_cannot_be_ruled_out_is_inconclusive():
    """The detail says how small a drop these rows could have shown."""
    result = judged("f1 drop <= 0.05", comparison=against(low=-0.09, high=0.05, detectable=0.1))

    assert result.verdict == INCONCLUSIVE
    assert result.detail.endswith(
        "a drop of up to 0.090 is not ruled out; "
        "with these rows a drop of 0.100 or more would have shown (4 times in 5)"
    )


def test_a_gain_reads_as_a_gain():
    """Words follow the sign."""
    better = judged("f1 drop <= 0.05", comparison=against(difference=0.02, low=0.0, high=0.04))
    same = judged("f1 drop <= 0.05", comparison=against(difference=0.0, low=-0.01, high=0.01))

    assert better.detail.startswith("f1 rose by 0.020")
    assert same.detail.startswith("f1 stayed at 0.500")


@pytest.mark.parametrize("changes", [{"count": 9}, {"count": 1, "low": None, "high": None, "detectable": None}])
def test_a_handful_of_rows_cannot_rule_out_a_drop(changes):
    """Nine rows that agree are no evidence that the thousandth will."""
    result = judged("f1 drop <= 0.05", comparison=against(**changes))

    assert result.verdict == INCONCLUSIVE
    assert result.detail.endswith("too few to judge, expected at least 10 rows in common")


def test_rows_that_lost_their_score_count_as_worth_nothing():
    """A change that makes the hard rows end in errors must not look better for it."""
    result = judged("f1 drop <= 0.05", comparison=against(lost=3))

    assert result.verdict == INCONCLUSIVE
    assert "3 rows that the baseline scored have no score now, each counted as worth nothing" in result.detail
    assert "a drop of up to 0.085 is not ruled out" in result.detail


def test_the_first_release_has_nothing_to_compare_with():
    """No baseline yet is no reason to stop."""
    assert judged("f1 drop <= 0.05") == GateResult(
        "f1 drop <= 0.05", PASSED, "no baseline yet, nothing to compare with"
    )


def test_a_refused_comparison_is_inconclusive():
    """Another dataset says nothing about a drop: a person decides."""
    result = judged("f1 drop <= 0.05", comparison=Comparison("evaluation-6", "b" * 40, "the dataset changed"))

    assert (result.verdict, result.detail) == (INCONCLUSIVE, "not compared with the baseline: the dataset changed")


def test_a_metric_the_baseline_lacks_is_inconclusive():
    """An aggregate without rows cannot be paired."""
    result = judged("f1 drop <= 0.05", comparison=against(name="exact"))

    assert (result.verdict, result.detail) == (INCONCLUSIVE, "no row has f1 both now and in the baseline")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([PASSED, PASSED], PASSED),
        ([PASSED, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, FAILED, PASSED], FAILED),
        ([], FAILED),
    ],
)
def test_the_worst_gate_decides(verdicts, expected):
    """No gate at all is no reason to pass."""
    assert verdict([GateResult("gate", each, "") for each in verdicts]) == expected


NOW = {"a": {"f1": 0.5}, "b": {"f1": 0.9}, "d": {"f1": 1.0}}
BEFORE = {"a": {"f1": 0.7}, "b": {"f1": 0.8}, "c": {"f1": 0.3}}


def test_a_comparison_pairs_rows_by_id():
    """Rows on one side only are left out of the difference, and those that lost their score are counted."""
    comparison = compare(NOW, BEFORE, summary(), "same")
    (change,) = comparison.metrics

    assert (comparison.baseline, comparison.commit, comparison.refused) == ("evaluation-7", "a" * 40, None)
    assert (change.name, change.count, change.lost) == ("f1", 2, 1)
    assert (change.before, change.after) == pytest.approx((0.75, 0.7))
    assert change.difference == pytest.approx(-0.05)
    assert [(row.id, row.metric, row.before, row.after) for row in comparison.worse] == [("a", "f1", 0.7, 0.5)]


def test_a_row_without_one_score_is_left_out_of_that_metric_only():
    """An evaluator may skip a row that the others scored."""
    now = {"a": {"f1": 0.5, "exact": 1.0}, "b": {"f1": 0.5}}
    before = {"a": {"f1": 0.5, "exact": 1.0}, "b": {"f1": 0.5, "exact": 1.0}}

    assert [(change.name, change.count, change.lost) for change in compare(now, before, summary(), "same").metrics] == [
        ("exact", 1, 1),
        ("f1", 2, 0),
    ]


def test_different_fingerprints_are_not_compared():
    """Numbers from another dataset or another evaluator would mislead: no delta is shown."""
    comparison = compare(NOW, BEFORE, summary(), "other")

    assert comparison.refused == "the baseline was made with another dataset, other evaluators or other columns"
    assert (comparison.metrics, comparison.worse) == ((), ())


def test_evaluations_without_a_common_row_are_not_compared():
    """Nothing can be paired."""
    comparison = compare({"x": {"f1": 1.0}}, BEFORE, summary(), "same")

    assert comparison.refused == "no row of the baseline was scored in this evaluation"


def test_the_worst_rows_come_first_and_are_few():
    """The pull request shows the rows that fell most, at most twenty."""
    before = {f"r{n:02}": {"f1": 1.0} for n in range(40)}
    now = {f"r{n:02}": {"f1": n / 40} for n in range(40)}
    worse = compare(now, before, summary(), "same").worse

    assert [row.id for row in worse] == [f"r{n:02}" for n in range(20)]


def test_every_metric_has_its_worst_rows():
    """A metric on a scale from 1 to 5 must not crowd out one from 0 to 1."""
    before = {f"r{n:02}": {"f1": 1.0, "likert": 5.0} for n in range(40)}
    now = {row: {"f1": 0.5, "likert": 1.0} for row in before}
    worse = compare(now, before, summary(), "same").worse

    assert [row.metric for row in worse] == ["f1"] * 10 + ["likert"] * 10


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.tuples(st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1)),
        min_size=1,
        max_size=20,
    )
)
def test_comparing_with_itself_changes_nothing_and_order_does_not_matter(rows):
    """The same rows in another order give the same comparison."""
    before = {row: {"f1": scores[0]} for row, scores in rows.items()}
    now = {row: {"f1": scores[1]} for row, scores in rows.items()}
    turned = dict(reversed(now.items()))

    assert compare(now, before, summary(), "same") == compare(turned, before, summary(), "same")
    assert compare(before, before, summary(), "same").metrics[0].difference == 0
    assert compare(before, before, summary(), "same").worse == ()


def simulated(drop: float, count: int, rng: random.Random) -> Verdict:
    """The verdict of "f1 drop <= 0.05" over rows whose true mean falls by `drop`."""
    before = {str(n): {"f1": rng.random()} for n in range(count)}
    now = {row: {"f1": scores["f1"] - drop + rng.gauss(0, 0.2)} for row, scores in before.items()}
    measured = summary(rows=count, scored=count, errored=0)
    return judge(["f1 drop <= 0.05"], measured, compare(now, before, summary(), "same"))[0].verdict


def test_a_drop_at_the_margin_rarely_passes():
    """With a true drop of exactly the margin at most about 2.5 % of evaluations pass: the gate's promise."""
    rng = random.Random(5)
    verdicts = [simulated(0.05, 60, rng) for _ in range(600)]

    assert verdicts.count(PASSED) / 600 <= 0.045


def test_no_drop_passes_when_there_are_enough_rows():
    """With 300 rows and no true drop nearly every evaluation passes, and none of them is failed."""
    rng = random.Random(6)
    verdicts = [simulated(0.0, 300, rng) for _ in range(100)]

    assert verdicts.count(PASSED) >= 95
    assert FAILED not in verdicts


def test_a_fingerprint_depends_on_everything_that_is_compared_and_on_no_order():
    """Dataset, evaluators and columns; not on how a mapping happens to be ordered."""
    evaluators = {"f1": {"use": "a:b", "columns": {"x": "1", "y": "2"}}, "exact": {"use": "c:d"}}
    turned = {"exact": {"use": "c:d"}, "f1": {"columns": {"y": "2", "x": "1"}, "use": "a:b"}}
    first = fingerprint("hash", evaluators, {"question": "q"})

    assert first == fingerprint("hash", turned, {"question": "q"})
    assert len({first, fingerprint("hash2", evaluators, {"question": "q"}), fingerprint("hash", {}, {})}) == 3
    assert first != fingerprint("hash", evaluators, {"question": "other"})
