"""The task hub: instances, histories, messages and work items in one SQLite file."""

from __future__ import annotations

from pathlib import Path


class Hub:
    """Owns the hub's file; only one process may have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
