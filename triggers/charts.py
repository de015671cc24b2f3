"""Charts as inline SVG by pygal, stripped of everything a page must not carry: scripts, styles, links.

The page's own style sheet colours them through classes, so that they follow light and dark, and the
content security policy needs no exception for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from domain.models import Metric

WIDTH = 440  # units of the drawing; the page scales it to the width there is
FONT = 13
BINS = 10
DROPPED = {"script", "style", "defs"}


def interval(
    anchor: str, metric: Metric, description: str, *, threshold: float | None = None, before: float | None = None
) -> Markup:
    """Draw a metric's mean and 95 % interval, the baseline's mean and the gate's threshold on one scale."""
    low = metric.mean if metric.low is None else metric.low
    high = metric.mean if metric.high is None else metric.high
    known = [value for value in (low, high, threshold, before) if value is not None]
    ends = _scale(known)
    labels = [{"value": 2, "label": "now"}] + ([{"value": 1, "label": "baseline"}] if before is not None else [])
    bottom = 0.4 if before is not None else 1.4
    chart = _chart("XY", ends, height=130 if before is not None else 100, y_labels=labels, range=(bottom, 2.6))
    names = ["interval", "mean"]
    chart.add("interval", [(low, 2), (high, 2)], show_dots=False)
    chart.add("mean", [(metric.mean, 2)], dots_size=5)
    if before is not None:
        names.append("before")
        chart.add("baseline", [(before, 1)], dots_size=5)
    if threshold is not None:
        names.append("gate")
        chart.add("gate", [(threshold, bottom), (threshold, 2.6)], show_dots=False)
    return _svg(chart, anchor, f"{metric.name}: mean with its 95\N{NO-BREAK SPACE}% interval", description, names)


def distribution(anchor: str, name: str, values: Sequence[float], before: Sequence[float] = ()) -> Markup:
    """Draw how many rows scored how high, with the baseline's rows as an outline."""
    ends = _scale([*values, *before])
    chart = _chart("Histogram", ends, height=160, y_title="rows", max_scale=6)
    chart.add("now", _bars(values, ends))
    if before:
        chart.add("baseline", _bars(before, ends))
    most = max(_bars(values, ends))
    text = f"{len(values)} rows; most of them, {most[0]}, scored between {most[1]:.2f} and {most[2]:.2f}"
    return _svg(chart, anchor, f"{name}: distribution of row scores", text, ["bars", "bars-before"])


def _scale(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of the axis: 0 to 1 for scores, else what the values need."""
    low, high = min(values := list(values)), max(values)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    margin = (high - low) * 0.1 or 1.0
    return (0.0 if low >= 0 else low - margin), high + margin


def _bars(values: Sequence[float], ends: tuple[float, float]) -> list[tuple[int, float, float]]:
    start, end = ends
    width = (end - start) / BINS
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((value - start) / width))] += 1
    return [(many, start + index * width, start + (index + 1) * width) for index, many in enumerate(counts)]


def _chart(kind: str, ends: tuple[float, float], **options: Any) -> Any:
    # Imported here because only the report draws, and the function app should start without it.
    import pygal  # noqa: PLC0415
    from pygal.style import Style  # noqa: PLC0415

    low, high = ends
    return getattr(pygal, kind)(
        width=WIDTH,
        xrange=ends,
        margin=6,
        spacing=6,
        style=Style(label_font_size=FONT, title_font_size=FONT),
        show_legend=False,
        x_labels=[low + (high - low) * step / 5 for step in range(6)],
        x_value_formatter="{:.3g}".format,
        no_prefix=True,
        disable_xml_declaration=True,
        js=[],  # the default loads a script from the web
        css=[],
        **options,
    )


def _svg(chart: Any, anchor: str, title: str, description: str, series: Sequence[str]) -> Markup:
    chart.add_xml_filter(lambda root: _clean(root, anchor, title, description, series))
    return Markup(chart.render(is_unicode=True))  # noqa: S704 - built as an element tree, which escapes every text


def _clean(root: Any, anchor: str, title: str, description: str, series: Sequence[str]) -> Any:
    """Keep the drawing only; name it for screen readers."""
    _drop(root)
    for element in root.iter():
        element.attrib.pop("style", None)
        element.attrib.pop("id", None)
        words = element.get("class", "").split()
        if words[:1] == ["series"]:
            element.set("class", f"series {series[int(words[1].removeprefix('serie-'))]}")
    root.attrib.update({"class": "chart", "role": "img", "aria-labelledby": f"{anchor}-title {anchor}-desc"})
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        label = root.makeelement(f"{tag}", {"id": f"{anchor}-{tag}"})
        label.text = text
        root.insert(position, label)
    return root


def _drop(parent: Any) -> None:
    """Remove comments, scripts, styles, tooltips and pygal's own titles, at every depth."""
    for child in list(parent):
        tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if tag in DROPPED or tag in ("", "title", "desc") or "tooltip-overlay" in child.get("class", ""):
            parent.remove(child)
        else:
            _drop(child)
