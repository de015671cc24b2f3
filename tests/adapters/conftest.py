"""What tests of the local parts share."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from adapters import processes


@pytest.fixture
def state(tmp_path):
    """A state directory; whatever was started with it is ended after the test."""
    yield tmp_path / "state"
    processes.stop_all(tmp_path / "state", grace=0.5)


@pytest.fixture
def until():
    """Wait for a condition, so that tests need no fixed sleeps."""

    def wait(condition: Callable[[], object], seconds: float = 30) -> object:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return found

    return wait
