"""Charts are drawings and nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from domain.models import Metric
from triggers import charts

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg):
    return ElementTree.fromstring(str(svg))  # noqa: S314 - our own drawing


@pytest.mark.parametrize(
    "svg",
    [
        charts.interval("a", Metric("f1", 30, 0.5, 0.45, 0.55), "what it shows", threshold=0.45, before=0.52),
        charts.distribution("a", "f1", [0.1, 0.2, 1.0], [0.3]),
    ],
)
def test_chart_carries_no_script_style_or_outside_address(svg):
    """pygal adds all three unless told not to."""
    text = str(svg)

    assert "<script" not in text
    assert "<style" not in text
    assert "style=" not in text
    assert "<!--" not in text
    assert set(text.split('"')) & {"http://www.w3.org/2000/svg"}
    assert text.count("http") == 1  # the namespace


def test_chart_has_a_name_and_a_description():
    """A screen reader gets both."""
    root = drawn(charts.interval("c1", Metric("f1", 30, 0.5, 0.45, 0.55), "f1 0.500"))

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "c1-title c1-desc"
    assert root.find(f"{SVG}title[@id='c1-title']").text == "f1: mean with its 95\xa0% interval"
    assert root.find(f"{SVG}desc[@id='c1-desc']").text == "f1 0.500"


def test_metric_names_are_escaped():
    """They come from a repository's file."""
    root = drawn(charts.interval("c1", Metric("<script>x</script>", 2, 0.5, 0.4, 0.6), "<b>"))

    assert root.find(f"{SVG}title").text.startswith("<script>x</script>")
    assert not list(root.iter(f"{SVG}script"))


def test_distribution_counts_every_row_once():
    """Ends included: 0 and 1 are the most frequent scores of all."""
    root = drawn(charts.distribution("d", "exact", [0.0, 0.0, 0.0, 0.5, 1.0]))

    assert "5 rows; most of them, 3, scored between 0.00 and 0.10" in root.find(f"{SVG}desc").text
    assert len([rect for rect in root.iter(f"{SVG}rect") if "rect" in rect.get("class", "")]) == charts.BINS


@pytest.mark.parametrize(
    "metric",
    [
        Metric("one row", 1, 0.5, None, None),
        Metric("constant", 9, 0.0, 0.0, 0.0),
        Metric("large", 9, 4.2, 3.9, 4.5),
        Metric("below zero", 9, -3.0, -4.0, -2.0),
        Metric("equal", 9, 7.0, 7.0, 7.0),
    ],
)
def test_any_metric_can_be_drawn(metric):
    """Scales follow the values; nothing divides by zero."""
    svg = charts.interval("m", metric, "x", threshold=metric.mean)
    rows = charts.distribution("d", metric.name, [metric.mean, metric.mean])

    assert "NaN" not in svg + rows
    assert "nan" not in svg + rows
    assert drawn(svg).find(f".//{SVG}circle") is not None
