"""Planning a validation, of our own code and of a stranger's."""

from __future__ import annotations

from typing import Any

from activities.plan_validation import NOWHERE, plan
from adapters.blobs import Blobs
from domain.config import Config
from tests import samples

CONNECTIONS = {"model": {"type": "open_ai", "api_key": "${env:MODEL_API_KEY}", "base_url": "${env:MODEL_URL}/v1"}}


def job(blobs: Blobs, sealed: bool) -> dict[str, Any]:
    """Return the one job of the plan."""
    wire = samples.wire_config()
    config = Config.model_validate({**wire, "target": {**wire["target"], "connections": CONNECTIONS}})
    (entry,) = blobs.read_json(plan("change-1", "5" * 64, config, blobs, sealed))["validation"]
    found: dict[str, Any] = entry["job"]
    return found


def test_own_code_is_validated_with_the_model(blobs: Blobs) -> None:
    """Its connections are filled where it runs, and its sample rows run."""
    planned = job(blobs, sealed=False)

    assert planned["sealed"] is False
    assert planned["short"] is True
    assert planned["spec"]["sample"] == "data/sample.jsonl"
    assert planned["spec"]["target"]["connections"] == CONNECTIONS


def test_strangers_code_is_sealed(blobs: Blobs) -> None:
    """Without sample rows, and with connections that lead nowhere, so that its flow can still be loaded."""
    planned = job(blobs, sealed=True)

    assert planned["sealed"] is True
    assert planned["spec"]["sample"] is None
    assert planned["spec"]["target"]["connections"] == {
        "model": {"type": "open_ai", "api_key": NOWHERE, "base_url": f"{NOWHERE}/v1"}
    }
