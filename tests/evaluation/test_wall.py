"""A stranger's code runs behind a wall or not at all; test_local_compute.py has what the wall keeps out."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

import pytest

from evaluation import wall
from evaluation.job import run_job


def test_where_no_wall_can_be_put_up_a_strangers_code_does_not_run(tmp_path: Any, monkeypatch: Any) -> None:
    """An old kernel: the job fails before it reads what to do, and says how the change gets validated after all."""

    def refuse(*_: Any) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(wall, "_call", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert not run_job(tmp_path, sealed=True)
    assert json.loads((tmp_path / "result.json").read_text())["error"] == (
        "This machine cannot wall a stranger's code off from its secrets (Landlock, Linux 5.13 or newer: Function not "
        "implemented), so the fork's code was not run. Read the change, then push its branch to the repository itself: "
        "there it is validated like any other."
    )


@pytest.mark.parametrize("version", [1, 2, 3, 5, 6, 99])
def test_every_version_of_the_system_is_asked_for_no_more_than_it_knows(
    version: int, tmp_path: Any, monkeypatch: Any
) -> None:
    """What one does not know it refuses as a whole, and there would be no wall."""
    asked: list[tuple[Any, ...]] = []

    def answer(number: int, *arguments: Any) -> int:
        asked.append((number, *arguments))
        return version if arguments[0] is None else os.open(os.devnull, os.O_RDONLY)

    monkeypatch.setattr(wall, "_call", answer)
    monkeypatch.setattr(wall, "_drop_privileges", lambda: None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    wall.put_up(tmp_path)

    created = asked[1][1]
    assert int.from_bytes(created[:8], "little").bit_length() == {1: 13, 2: 14}.get(version, 15)
    assert len(created) == (24 if version >= 6 else 8)
    assert asked[-1][0] == 446
