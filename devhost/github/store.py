"""What the double knows beside git, in one SQLite file: records of JSON, each with an id of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, repository TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_kind ON records (kind, repository, id);
"""


def now() -> str:
    """The time as GitHub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Records by kind and repository. Every write is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside, or nothing of it."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add(self, kind: str, repository: str, **body: Any) -> Record:
        """Keep a new record and give it back with its id."""
        cursor = self._database.execute(
            "INSERT INTO records (kind, repository, body) VALUES (?, ?, ?)", (kind, repository, json.dumps(body))
        )
        return {"id": cursor.lastrowid, "repository": repository, **body}

    def save(self, record: Record) -> None:
        """Replace a record that was read before."""
        body = {name: value for name, value in record.items() if name not in ("id", "repository")}
        self._database.execute("UPDATE records SET body = ? WHERE id = ?", (json.dumps(body), record["id"]))

    def remove(self, record: Record) -> None:
        """Forget a record."""
        self._database.execute("DELETE FROM records WHERE id = ?", (record["id"],))

    def rename(self, repository: str, new_name: str) -> None:
        """Let everything of a repository belong to its new name."""
        self._database.execute("UPDATE records SET repository = ? WHERE repository = ?", (new_name, repository))

    def forget(self, repository: str) -> None:
        """Forget everything of a repository but what was delivered about it."""
        self._database.execute("DELETE FROM records WHERE repository = ? AND kind != 'delivery'", (repository,))

    def all(self, kind: str, repository: str | None = None, **fields: Any) -> list[Record]:
        """List records, oldest first, whose fields have these values."""
        clauses, values = ["kind = ?"], [kind]
        if repository is not None:
            clauses.append("repository = ?")
            values.append(repository)
        for name, value in fields.items():
            clauses.append(f"json_extract(body, '$.{name}') = ?")
            values.append(value)
        # Names come from keyword arguments in this package, values are bound.
        query = f"SELECT id, repository, body FROM records WHERE {' AND '.join(clauses)} ORDER BY id"  # noqa: S608
        rows = self._database.execute(query, values).fetchall()
        return [{"id": number, "repository": name, **json.loads(body)} for number, name, body in rows]

    def one(self, kind: str, repository: str | None = None, **fields: Any) -> Record | None:
        """Find the newest record whose fields have these values."""
        return next(reversed(self.all(kind, repository, **fields)), None)

    def by_id(self, kind: str, repository: str, number: int) -> Record | None:
        """Find a record by its id."""
        row = self._database.execute(
            "SELECT body FROM records WHERE id = ? AND kind = ? AND repository = ?", (number, kind, repository)
        ).fetchone()
        return {"id": number, "repository": repository, **json.loads(row[0])} if row else None
