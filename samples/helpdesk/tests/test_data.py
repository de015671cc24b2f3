"""The datasets fit the articles they are about."""

import json
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARTICLES = " ".join(file.read_text(encoding="utf-8") for file in (ROOT / "flows/chat/articles").glob("*.md")).lower()


def rows(name):
    """Read one dataset."""
    return [json.loads(line) for line in (ROOT / "data" / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("name", "count"), [("full.jsonl", 300), ("minimal.jsonl", 30), ("sample.jsonl", 4)])
def test_each_row_is_complete_and_unique(name, count):
    """Ids and questions are unique, and every row has what the evaluators read."""
    found = rows(name)

    assert len(found) == count
    assert len({row["id"] for row in found}) == len({row["question"] for row in found}) == count
    assert all(row.keys() == {"id", "question", "answer", "category", "facts"} for row in found)


def test_expected_facts_stand_in_the_answer_and_in_an_article():
    """What the exact-fact evaluator looks for can be known from the articles."""
    for row in rows("full.jsonl"):
        assert row["facts"]
        assert all(fact.lower() in row["answer"].lower() and fact.lower() in ARTICLES for fact in row["facts"]), row


def test_the_minimal_dataset_covers_every_category():
    """A quick evaluation has no blind spot."""
    assert Counter(row["category"] for row in rows("minimal.jsonl")).keys() == {
        row["category"] for row in rows("full.jsonl")
    }
