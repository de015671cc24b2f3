"""Reading rows."""

from __future__ import annotations

import pytest

from domain.errors import Invalid
from evaluation.dataset import Row, content_hash, order, read_dataset


def read(tmp_path, content: bytes | str) -> list[Row]:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_dataset(file, "data/rows.jsonl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1}\n{"id":\n', "data/rows.jsonl:2: not JSON: Expecting value at column 7"),
        ('{"id": 1}\n[1]\n', "data/rows.jsonl:2: expected a JSON object, found [1]"),
        ('{"id": 1, "x": NaN}\n', "data/rows.jsonl:1: not JSON: NaN is not a JSON number"),
        (b'{"id": "\xff"}\n', "data/rows.jsonl:1: not UTF-8 text (byte 9 of the line)"),
        ('{"id": null}\n', "data/rows.jsonl:1: id is null: expected text or a whole number"),
        ('{"id": true}\n', "data/rows.jsonl:1: id is true: expected text or a whole number"),
        (
            '{"id": 1}\n\n{"id": "1"}\n',
            "data/rows.jsonl:3: id '1' is already on line 1: each row needs its own id",
        ),
        (
            '{"q": 1}\n{"q": 1}\n',
            "data/rows.jsonl:2: this row (it has no id of its own) is already on line 1: each row needs its own id",
        ),
        ("", "data/rows.jsonl: the dataset is empty: expected one JSON object per line"),
    ],
)
def test_bad_line_is_named(tmp_path, content, message):
    """Every problem names the file and the line."""
    with pytest.raises(Invalid) as caught:
        read(tmp_path, content)

    assert str(caught.value) == message


def test_rows_keep_their_line_and_text(tmp_path):
    """A byte-order mark, blank lines, Windows line ends and separators inside text do no harm."""
    rows = read(tmp_path, '\ufeff{"id": 7, "q": "ä\u2028b"}\r\n\r\n{"id": "x"}')

    assert rows == [Row("7", 1, {"id": 7, "q": "ä\u2028b"}), Row("x", 3, {"id": "x"})]


def test_row_without_id_is_named_by_its_content(tmp_path):
    """The id does not depend on the order of keys or rows."""
    (first,) = read(tmp_path, '{"q": 1, "a": 2}\n')
    (second,) = read(tmp_path, '{"a": 2, "q": 1}\n')

    assert first.id == second.id
    assert len(first.id) == 16


def test_order_depends_on_ids_and_seed_only(tmp_path):
    """Rows moved within the file are run in the same order; another seed is another order."""
    rows = [Row(str(i), i, {}) for i in range(50)]

    assert order(rows, 3) == order(reversed(rows), 3)
    assert order(rows, 3) != order(rows, 4)
    assert sorted(row.id for row in order(rows, 3)) == sorted(row.id for row in rows)


def test_content_hash_is_about_what_rows_hold():
    """Line numbers and order do not change it; content does."""
    a, b = Row("a", 1, {"x": 1}), Row("b", 2, {"x": 2})

    assert content_hash([a, b]) == content_hash([Row("b", 1, {"x": 2}), a])
    assert content_hash([a, b]) != content_hash([a, Row("b", 2, {"x": 3})])
