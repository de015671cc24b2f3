"""A label that moved after the merge, weighed as long as it takes, and then for the last time."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from domain.git_flow import ToggleOptOut
from orchestrators.toggle import toggle
from tests import samples
from tests.orchestrators.stage import START, Stage

EVENT = asdict(ToggleOptOut(samples.REPOSITORY, 7, "skip", True, "eve", "2026-11-23T09:00:00Z", "k"))


@pytest.mark.parametrize("wait", [{"retry_after": 600.0}, {"decision": "no release carries #7", "retry_after": 30.0}])
def test_toggle_that_is_never_weighed_ends_in_words(wait: dict[str, Any]) -> None:
    """After a day; until then it is asked for again, so that an outage loses nothing."""
    stage = Stage({"weigh_toggle": lambda event: {"decision": "given up"} if event.get("last") else wait})

    assert stage.play(toggle, EVENT) == {"decision": "given up"}
    assert stage.payloads("weigh_toggle")[-1] == {**EVENT, "last": True}
    assert stage.now - START >= timedelta(hours=24)


def test_toggle_is_weighed_as_soon_as_it_can_be() -> None:
    """Once."""
    answers = [{"retry_after": 30.0}, {"decision": "it stands"}]
    stage = Stage({"weigh_toggle": lambda _: answers.pop(0)})

    assert stage.play(toggle, EVENT) == {"decision": "it stands"}
    assert answers == []
