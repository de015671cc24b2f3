"""A commit's files and where it comes from, from GitHub."""

from __future__ import annotations

from typing import Any

from activities.fetch_snapshot import fetch_snapshot
from adapters import records
from domain import blob_names
from tests.activities.conftest import World, run


def fetch(world: World, sha: str | None = None) -> dict[str, Any]:
    """Fetch the release's commit."""
    fetched: dict[str, Any] = run(
        fetch_snapshot, {"repository": world.repository, "sha": sha or world.record.commit.sha}
    )
    return fetched


def test_same_commit_gives_the_same_snapshot(world: World) -> None:
    """It is named by its content, and lies there once."""
    first, second = fetch(world), fetch(world)

    assert first == second
    assert world.blobs.names("snapshots/") == [blob_names.snapshot(first["snapshot"]["sha256"])]


def test_snapshot_holds_the_files_of_the_commit(world: World) -> None:
    """Without the folder that GitHub puts around them."""
    sha = world.double.push(world.repository, "main", {"data/a.txt": "first"}, "Add a file")
    snapshot = fetch(world, sha)["snapshot"]

    assert records.read_snapshot_file(world.blobs, snapshot["sha256"], "data/a.txt") == b"first"
    assert snapshot["size"] > 0


def test_commit_that_is_not_there_is_an_answer(world: World) -> None:
    """The release ends with words a person can act on."""
    answer = fetch(world, "d" * 40)

    assert set(answer) == {"error"}
    assert "check the name and what our token or App may see" in answer["error"]


def test_github_being_away_says_when_to_come_again(world: World) -> None:
    """The story waits with a durable timer instead of failing."""
    world.double.fault(status=503, retry_after=600, times=10)

    assert fetch(world) == {"retry_after": 600.0}
    assert world.blobs.names("snapshots/") == []
