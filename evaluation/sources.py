"""What an evaluation on a laptop depends on, so that results are never mixed with those of other sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_LARGEST = 2 * 1024 * 1024  # bytes; sources are smaller, models and archives larger


def sources_digest(repository: Path, leave_out: Path) -> str:
    """Return a SHA-256 over the repository's files, without `leave_out`, hidden files, environments and caches."""
    digest = hashlib.sha256()
    for path in _sources(repository, leave_out.resolve()):
        digest.update(f"{path.relative_to(repository)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(repository: Path, leave_out: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(repository):
        place = Path(folder)
        if place.resolve() == leave_out or (place / "pyvenv.cfg").exists():
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in ("__pycache__", "node_modules"))
        for name in sorted(files):
            path = place / name
            if name[0] != "." and path.is_file() and path.stat().st_size <= _LARGEST:
                yield path
