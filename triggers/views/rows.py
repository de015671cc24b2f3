"""Result rows of an evaluation as lines a person can read and page through."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.models import RowChange
from triggers.views.common import NONE, number, signed

PAGE_ROWS = 50
TEXT_LIMIT = 1000  # characters of one text on a page
QUESTION_KEYS = ("question", "query", "input", "prompt", "text")
EXPECTED_KEYS = ("answer", "expected", "expected_answer", "ground_truth", "label", "reference")
ANSWER_KEYS = ("answer", "response", "output", "result")

Row = Mapping[str, Any]  # one line of evaluations/<id>/shards/<n>.jsonl


@dataclass(frozen=True)
class ScoreView:
    name: str
    text: str


@dataclass(frozen=True)
class RowView:
    """A scored row, or one that failed with its `error`."""

    id: str
    question: str
    expected: str
    answer: str
    scores: tuple[ScoreView, ...]
    error: str
    latency: str
    attempts: int


@dataclass(frozen=True)
class RegressionView:
    """A row that scored worse than in the baseline, or lowest where there is no baseline."""

    id: str
    metric: str
    question: str
    expected: str
    answer_before: str
    answer_now: str
    before: str  # empty where there is no baseline
    after: str
    difference: str


@dataclass(frozen=True)
class Pages:
    """Where in a long list we are; the links are empty at its ends."""

    number: int
    count: int
    first: int  # of the rows shown, from 1; 0 when there are none
    last: int
    total: int
    previous_url: str
    next_url: str


def row_view(row: Row) -> RowView:
    scores = tuple(ScoreView(name, number(value)) for name, value in sorted(row.get("scores", {}).items()))
    latency = row.get("latency")
    return RowView(
        id=str(row["id"]),
        question=_question(row),
        expected=_pick(row.get("inputs"), EXPECTED_KEYS),
        answer=_answer(row),
        scores=scores,
        error=_short(str(row.get("error") or "")),
        latency=NONE if latency is None else f"{number(latency)} s",
        attempts=int(row.get("attempts") or 1),
    )


def regression_view(change: RowChange, rows: Mapping[str, Row], baseline: Mapping[str, Row]) -> RegressionView:
    row, before = rows.get(change.id, {}), baseline.get(change.id, {})
    difference = None if change.before is None else change.after - change.before
    return RegressionView(
        id=change.id,
        metric=change.metric,
        question=_question(row),
        expected=_pick(row.get("inputs"), EXPECTED_KEYS),
        answer_before=_answer(before),
        answer_now=_answer(row),
        before="" if change.before is None else number(change.before),
        after=number(change.after),
        difference=signed(difference),
    )


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    return {str(row["id"]): row for row in rows}


def lowest_first(rows: Iterable[Row]) -> list[Row]:
    """Scored rows by the mean of their scores, lowest first; the id decides between equals."""
    scored = [row for row in rows if not row.get("error")]
    return sorted(scored, key=lambda row: (_mean(row.get("scores", {}).values()), str(row["id"])))


def take_page(items: Sequence[Row], page: int, url: str) -> tuple[Sequence[Row], Pages]:
    """One page of `items`; a page number out of range shows the nearest one there is."""
    count = max(1, -(-len(items) // PAGE_ROWS))
    page = min(max(1, page), count)
    start = (page - 1) * PAGE_ROWS
    shown = items[start : start + PAGE_ROWS]
    pages = Pages(
        number=page,
        count=count,
        first=start + 1 if shown else 0,
        last=start + len(shown),
        total=len(items),
        previous_url=f"{url}?page={page - 1}#rows" if page > 1 else "",
        next_url=f"{url}?page={page + 1}#rows" if page < count else "",
    )
    return shown, pages


def _question(row: Row) -> str:
    inputs = row.get("inputs") or {}
    return _pick(inputs, QUESTION_KEYS) or _short(next((text for text in inputs.values() if isinstance(text, str)), ""))


def _answer(row: Row) -> str:
    output = row.get("output") or {}
    if len(output) == 1:
        return _text(next(iter(output.values())))
    return _pick(output, ANSWER_KEYS) or (_text(output) if output else "")


def _pick(values: Mapping[str, Any] | None, keys: tuple[str, ...]) -> str:
    return next((_text(values[key]) for key in keys if values and values.get(key) not in (None, "")), "")


def _text(value: Any) -> str:
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _short(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]} … ({len(text) - TEXT_LIMIT:,} more characters)"


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0
