"""Putting an image into an environment."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from domain.models import Image, Probe
from orchestrators.deployment import SMOKE_REQUESTS, WATCH_REQUESTS, deployment
from tests import samples
from tests.orchestrators.stage import START, Stage

GOOD = Probe(True, 5, 0, (0.4,) * 5, "")
ORDER = {
    "release": samples.RELEASE,
    "repository": samples.REPOSITORY,
    "commit": samples.SHA,
    "image": asdict(samples.IMAGE),
    "environment": samples.CONFIG.environments[0].model_dump(mode="json"),
    "snapshot": "5" * 64,
    "sample": "data/sample.jsonl",
    "columns": {"question": "${data.question}"},
    "by": "maria",
    "evidence": "e" * 64,
}


def stage_with(*probes: Probe, deploy: Any = None, undone: Any = None) -> Stage:
    """Return a stage whose deployment shows these probes, the last one for ever."""
    shown = list(probes)
    nothing = {"image": None, "replaced": False}
    return Stage(
        {
            "announce_deployment": lambda _: {"delivered": True},
            "deploy_image": deploy or (lambda _: {"deployment": asdict(samples.deployment("dev"))}),
            "probe_deployment": lambda _: asdict(shown.pop(0) if len(shown) > 1 else shown[0]),
            "roll_back": lambda _: undone or nothing,
        }
    )


def states(stage: Stage) -> list[tuple[str, str]]:
    """Return what GitHub was told, in order."""
    return [(told["state"], told["detail"]) for told in stage.payloads("announce_deployment")]


def test_deployment_that_holds_is_watched_to_the_end() -> None:
    """It is smoke-tested at once and then looked at until the time is over."""
    stage = stage_with(GOOD)

    output = stage.play(deployment, ORDER)

    assert output["ok"] is True
    assert (stage.now - START).total_seconds() >= 10
    requests = [look["requests"] for look in stage.payloads("probe_deployment")]
    assert requests[0] == SMOKE_REQUESTS
    assert len(requests) > 3
    assert [state for state, _ in states(stage)] == ["in_progress", "success"]


def test_smoke_test_that_takes_longer_than_the_watch_is_not_the_only_look() -> None:
    """The time to watch begins when it is over: an image that is slow to warm up is looked at again."""
    stage = stage_with(GOOD)
    stage.pace = timedelta(seconds=30)

    output = stage.play(deployment, ORDER)

    assert output["ok"] is True
    assert [look["requests"] for look in stage.payloads("probe_deployment")] == [SMOKE_REQUESTS, WATCH_REQUESTS]


def test_failed_smoke_test_rolls_back_at_once() -> None:
    """The environment had nothing before, so it is left empty, and everybody hears why."""
    stage = stage_with(Probe(False, 3, 3, (), "connection refused"))

    output = stage.play(deployment, ORDER)

    assert output == {
        "ok": False,
        "detail": "dev: it is not healthy: connection refused; nothing ran there before, so it was stopped",
    }
    (undone,) = stage.payloads("roll_back")
    assert undone["why"] == "it is not healthy: connection refused"
    assert states(stage)[-1] == ("failure", output["detail"])


def test_word_and_evidence_go_with_the_image_there_and_back() -> None:
    """The audit log has them, under the name of this one deployment."""
    stage = stage_with(Probe(False, 3, 3, (), "connection refused"))

    stage.play(deployment, ORDER, "release-1.deploy-dev")

    for name in ("deploy_image", "roll_back"):
        (asked,) = stage.payloads(name)
        grounds = asked["instance"], asked["by"], asked["evidence"]
        assert grounds == ("release-1.deploy-dev", "maria", "e" * 64)


def test_errors_while_watched_roll_back_to_the_image_before() -> None:
    """The third look shows errors; the image before is named."""
    before = Image("sha256:" + "cd" * 32, "x")
    deployed = samples.deployment("dev", previous=before)
    stage = stage_with(
        GOOD,
        GOOD,
        Probe(True, 5, 2, (0.4,) * 3, "500"),
        deploy=lambda _: {"deployment": asdict(deployed)},
        undone={"image": asdict(before), "replaced": False},
    )

    output = stage.play(deployment, ORDER)

    assert output["detail"] == "dev: 2 of 15 requests failed (500); rolled back to sha256:cdcdcdcdcdcd"
    assert stage.payloads("roll_back")[0]["deployment"]["previous"]["digest"] == "sha256:" + "cd" * 32


def test_image_that_never_gets_healthy_is_not_rolled_back() -> None:
    """The adapter kept the image before running, so there is nothing to undo."""
    stage = stage_with(GOOD, deploy=lambda _: {"error": "no answer on /health within 60 s"})

    output = stage.play(deployment, ORDER)

    assert output == {"ok": False, "detail": "no answer on /health within 60 s"}
    assert stage.payloads("roll_back") == []


def test_watching_nothing_still_tests_once() -> None:
    """`watch: 0s` is a smoke test only."""
    order = {**ORDER, "environment": {**ORDER["environment"], "watch": 0}}  # type: ignore[dict-item]
    stage = stage_with(GOOD)

    assert stage.play(deployment, order)["ok"] is True
    assert len(stage.payloads("probe_deployment")) == 1


def test_look_that_cannot_be_made_rolls_back() -> None:
    """An image that nobody can watch must not stay."""

    def crash(_: Any) -> Any:
        raise RuntimeError("storage away")

    stage = stage_with(GOOD)
    stage.activities["probe_deployment"] = crash

    output = stage.play(deployment, ORDER)

    assert output["ok"] is False
    assert "it could not be watched (storage away)" in output["detail"]
    assert len(stage.payloads("roll_back")) == 1
    assert states(stage)[-1][0] == "failure"


def test_environment_that_another_release_took_over_is_left_alone() -> None:
    """The message says so, instead of claiming a rollback."""
    undone = {"image": asdict(samples.IMAGE), "replaced": True}
    stage = stage_with(Probe(False, 0, 0, (), "another release has been deployed there meanwhile"), undone=undone)

    output = stage.play(deployment, ORDER)

    assert output["detail"].endswith("another release runs there now, so nothing was changed")


def test_github_that_is_away_does_not_decide_what_is_deployed() -> None:
    """The deployment holds although nobody could be told."""

    def away(_: Any) -> Any:
        raise RuntimeError("GitHub is away")

    stage = stage_with(GOOD)
    stage.activities["announce_deployment"] = away

    assert stage.play(deployment, ORDER)["ok"] is True


def test_image_that_cannot_be_placed_is_an_answer() -> None:
    """After the last try the reason is told; the image before still runs, so nothing is rolled back."""

    def slow(_: Any) -> Any:
        raise RuntimeError("not healthy within 90 s")

    stage = stage_with(GOOD, deploy=slow)

    assert stage.play(deployment, ORDER) == {"ok": False, "detail": "not healthy within 90 s"}
    assert stage.payloads("roll_back") == []
