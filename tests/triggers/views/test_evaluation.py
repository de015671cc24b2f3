"""The report shows metrics with their intervals, and the rows behind them."""

from __future__ import annotations

from dataclasses import replace

from domain.models import Comparison
from scripts import preview_data as data
from triggers.views import evaluation_page
from triggers.views.evaluation import gate_threshold
from triggers.views.rows import PAGE_ROWS, TEXT_LIMIT


def report(page, drift=0.3, number=1):
    summary, rows, before = data.evaluations(drift)
    return page("evaluation.html", evaluation_page(summary, rows, data.NOW, baseline_rows=before, page=number))


def test_metrics_have_mean_interval_rows_and_baseline(page):
    """A mean never stands alone."""
    headers = [cell.text() for cell in report(page).all("section[aria-labelledby=metrics] thead th")]
    first = report(page).text("section[aria-labelledby=metrics] tbody tr:first-child")

    assert headers == ["Metric", "Mean", "Interval", "Rows", "Baseline", "Difference"]
    assert first.startswith("f1 0.439 0.414 to 0.464 297 0.585 \u22120.146")


def test_verdict_names_the_gates_behind_it(page):
    """Which rule failed is the first question."""
    failed = report(page)

    assert "Failed: f1 >= 0.45, f1 drop <= 0.05." in failed.text("header")
    assert len(failed.all("section[aria-labelledby=gates] .chip.failed")) == 2
    assert len(failed.all("section[aria-labelledby=gates] .chip.passed")) == 1


def test_each_metric_has_a_chart_with_interval_distribution_gate_and_baseline(page):
    """One figure per metric, described in words too."""
    figures = report(page).all("figure")

    assert [figure.css_first("h3").text() for figure in figures] == ["f1", "exact"]
    assert len(figures[0].css("svg[role=img]")) == 2
    assert figures[0].css_first("svg[role=img] .gate path") is not None
    assert figures[0].css_first("svg[role=img] .before circle") is not None
    assert figures[1].css_first("svg[role=img] .gate") is None
    assert "95\xa0% interval 0.414 to 0.464, baseline 0.585, gate at 0.450" in figures[0].css_first("figcaption").text()


def test_regressions_show_expected_before_and_now(page):
    """What got worse, next to what was wanted."""
    worst = report(page).all("section[aria-labelledby=regressions] li")[0]
    text = " ".join(worst.text(separator=" ").split())

    assert "Expected" in text
    assert "Answer before" in text
    assert "Answer now Please contact the help desk" in text
    assert "1.000 → 0.000 \u22121.000" in text


def test_errored_rows_show_their_reason(page):
    """A row that failed is a row, with its reason."""
    failed = report(page).all("section[aria-labelledby=failed] tbody tr")

    assert len(failed) == 3
    assert "no reply within 120 s" in failed[0].text()


def test_rows_come_fifty_at_a_time_lowest_first(page):
    """Plain links lead on; the first page has the worst."""
    first, last = report(page), report(page, number=6)
    lowest, higher = (
        [float(cell.text(separator=" ").split()[3]) for cell in one.all("#rows td[data-label=Scores]")]
        for one in (first, last)
    )

    assert len(first.all("#rows tbody tr")) == PAGE_ROWS
    assert max(lowest) < min(higher)
    assert "Rows 1 to 50 of 297" in first.text("#rows caption")
    assert [link.attributes["href"].rsplit("?", 1)[1] for link in first.all(".pager a")] == ["page=2#rows"]
    assert "Rows 251 to 297 of 297" in last.text("#rows caption")
    assert [link.attributes["href"].rsplit("?", 1)[1] for link in last.all(".pager a")] == ["page=5#rows"]


def test_a_page_number_out_of_range_shows_the_nearest(page):
    """A mistyped address is no error."""
    assert "Rows 251 to 297" in report(page, number=99).text("#rows caption")
    assert "Rows 1 to 50" in report(page, number=-3).text("#rows caption")


def test_first_evaluation_has_nothing_to_compare_with(page):
    """No baseline: no empty columns, and a sentence that says so."""
    first = page("evaluation.html", evaluation_page(data.minimal(), data.result_rows(30), data.NOW))

    assert "No baseline yet" in first.text()
    assert "Baseline" not in first.text("thead")
    assert not first.all("section[aria-labelledby=regressions]")


def test_a_refused_comparison_gives_its_reason(page):
    """Why there are no differences is part of the report."""
    refused = replace(data.minimal(), comparison=Comparison("old", data.BASELINE_SHA, "the dataset changed"))
    text = page("evaluation.html", evaluation_page(refused, [], data.NOW)).text()

    assert "Not compared with the baseline: the dataset changed" in text


def test_without_result_rows_the_ids_remain(page):
    """When the rows' text is gone, the summary still names the lowest and the errored."""
    summary = data.summary(data.result_rows(5, errored=3), "minimal")
    bare = page("evaluation.html", evaluation_page(summary, [], data.NOW))

    assert "Row q001" in bare.text("section[aria-labelledby=lowest]")
    assert "its text is no longer stored" in bare.text("section[aria-labelledby=failed]")
    assert not bare.all("#rows")


def test_an_evaluation_without_scored_rows_has_no_metrics(page):
    """Everything errored: the report says so instead of drawing."""
    summary = replace(data.minimal(), metrics=(), scored=0, errored=30, latency_p50=None, latency_p95=None)
    empty = page("evaluation.html", evaluation_page(summary, [], data.NOW))

    assert "No row was scored, so there are no metrics." in empty.text()
    assert not empty.all("figure")


def test_one_scored_row_has_no_interval(page):
    """An interval needs two rows."""
    one = replace(data.minimal(), metrics=(replace(data.minimal().metrics[0], count=1, low=None, high=None),))
    text = page("evaluation.html", evaluation_page(one, data.result_rows(1), data.NOW)).text()

    assert "too few rows" in text


def test_a_very_long_answer_is_cut(page):
    """One runaway answer does not fill the page."""
    rows = data.result_rows(2)
    rows[0]["output"] = {"answer": "x" * (TEXT_LIMIT + 5000)}
    text = page("evaluation.html", evaluation_page(data.minimal(), rows, data.NOW)).text("#rows")

    assert "(5,000 more characters)" in text
    assert "x" * (TEXT_LIMIT + 1) not in text


def test_rows_of_other_shapes_are_shown(page):
    """Datasets name their columns as they like; outputs may have parts, numbers and nothing."""
    rows = data.result_rows(3)
    rows[0] |= {"inputs": {"claim": "Water is wet", "n": 3}, "output": {"label": 1, "why": ["physics"]}}
    rows[1] |= {"inputs": {}, "output": None}
    rows[2] |= {"inputs": {"query": "A?", "ground_truth": 0}, "output": {"result": {"answer": "B"}}}
    text = page("evaluation.html", evaluation_page(data.minimal(), rows, data.NOW)).text("#rows")

    assert "Water is wet" in text
    assert '{"label": 1, "why": ["physics"]}' in text
    assert '{"answer": "B"}' in text


def test_a_gate_on_the_drop_has_no_threshold_to_draw():
    """Only a gate on the metric itself is a line in its chart."""
    gates = data.evaluations()[0].gates

    assert gate_threshold("f1", gates[1:]) is None
    assert gate_threshold("f1", gates) == 0.45
    assert gate_threshold("exact", gates) is None
