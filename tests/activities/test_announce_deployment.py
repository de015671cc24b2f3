"""Deployments on GitHub: one per release and environment, whatever GitHub thinks of it."""

from __future__ import annotations

from typing import Any

from activities.announce_deployment import announce_deployment
from tests.activities.conftest import World, run


def announce(world: World, state: str, environment: str = "dev", detail: str = "", url: str = "") -> Any:
    """Say how a deployment goes."""
    return run(
        announce_deployment,
        {
            "repository": world.repository,
            "commit": world.record.commit.sha,
            "environment": environment,
            "release": world.record.id,
            "state": state,
            "detail": detail,
            "url": url,
        },
    )["refused"]


def deployments(world: World) -> list[dict[str, Any]]:
    """Return what GitHub shows."""
    return list(world.double.commit(world.repository, world.record.commit.sha)["deployments"])


def test_deployment_is_one_thing_with_a_history(world: World) -> None:
    """Said twice, it stands there once."""
    for state in ("in_progress", "in_progress", "success", "success"):
        assert announce(world, state, url="http://dev.acme.example") == ""
        world.deliver()

    (shown,) = deployments(world)
    assert (shown["environment"], shown["payload"]) == ("dev", {"release": world.record.id})
    assert sorted(one["state"] for one in shown["statuses"]) == ["in_progress", "success"]
    newest = max(shown["statuses"], key=lambda one: one["id"])
    assert newest["environment_url"] == "http://dev.acme.example"
    assert newest["log_url"] == f"https://drawbridge.acme.example/api/releases/{world.record.id}"


def test_each_environment_has_its_own(world: World) -> None:
    """The same commit goes through all of them."""
    for environment in ("dev", "prod", "dev"):
        announce(world, "success", environment)
    world.deliver()

    assert sorted(one["environment"] for one in deployments(world)) == ["dev", "prod"]


def test_refusal_is_an_answer(world: World, caplog: Any) -> None:
    """What is deployed does not depend on what GitHub shows; whoever tells the next state hears of it."""
    world.double.fault(method="POST", path_regex="/deployments", status=403, message="not allowed", times=1)
    announce(world, "in_progress")
    world.deliver()

    assert deployments(world) == []
    assert "GitHub refused the deployment" in caplog.text
    assert "not allowed" in announce(world, "success")
    world.deliver()
    assert [one["statuses"][0]["state"] for one in deployments(world)] == ["success"]


def test_github_being_away_is_no_failure(world: World) -> None:
    """A reply that was lost after its effect leaves one deployment."""
    world.double.fault(method="POST", path_regex="/deployments", status=503, after_effect=True)
    announce(world, "success")

    for _ in range(3):
        world.deliver()

    assert len(deployments(world)) == 1


def test_long_and_hostile_detail_is_cut_and_kept_as_text(world: World) -> None:
    """It may quote what a web app answered."""
    announce(world, "failure", detail="<b>500</b>\n" + "x" * 500)
    world.deliver()

    ((status,),) = [one["statuses"] for one in deployments(world)]
    assert len(status["description"]) == 140
    assert status["description"].startswith("<b>500</b> xxx")
