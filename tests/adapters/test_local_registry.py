"""Images built by the real `pf flow build`."""

from __future__ import annotations

import pytest

from adapters.local_registry import LocalRegistry
from domain.errors import Invalid, NotFound
from domain.models import Image


@pytest.fixture
def registry(state, shelf):
    """A registry with the shelf's blobs and a state of its own, as on another machine."""
    return LocalRegistry(state, shelf.blobs, {"MODEL_API_KEY": "s3cret"})


def test_the_same_flow_has_the_same_digest(shelf, registry, put_snapshot, tmp_path):
    """A commit that changes nothing the image holds gives the same image; a change in the flow another."""
    (tmp_path / "other" / "repository").mkdir(parents=True)
    (tmp_path / "other" / "repository" / "README.md").write_text("outside of the flow")
    snapshot = put_snapshot(shelf.blobs, tmp_path / "other", "first")
    image = registry.build(snapshot, shelf.target, "another commit")

    assert snapshot not in shelf.snapshots.values()
    assert image == shelf.first != shelf.second


def test_a_snapshot_is_built_once(shelf, registry, state):
    """Asked again, also on another machine, the registry answers from what it kept."""
    image = registry.build(shelf.snapshots["first"], shelf.target, "whatever")

    assert image == shelf.first
    assert not state.exists()


def test_an_image_holds_references_and_no_secrets(shelf, registry, tmp_path):
    """The variables of the build are nowhere in the image; the names of those to read when it runs are."""
    registry.fetch(shelf.first, tmp_path / "image")
    files = {path.relative_to(tmp_path / "image").as_posix(): path for path in (tmp_path / "image").rglob("*")}

    assert "${env:MODEL_API_KEY}" in files["connections.json"].read_text()
    assert not [name for name, path in files.items() if path.is_file() and b"s3cret" in path.read_bytes()]
    assert {"Dockerfile", "flow/flow.dag.yaml", "flow/answer.py"} <= files.keys()


def test_a_damaged_image_is_refused(shelf, registry, tmp_path):
    """What comes out of the blobs must be what was built."""
    shelf.blobs.write("images/damaged", b"something else")

    with pytest.raises(Invalid, match=f"image {shelf.first.digest} is damaged: its content is sha256:"):
        registry.fetch(Image(shelf.first.digest, "images/damaged"), tmp_path / "image")
    with pytest.raises(NotFound, match="there is no blob images/nothing"):
        registry.fetch(Image(shelf.first.digest, "images/nothing"), tmp_path / "image")
    assert list(tmp_path.glob("*image*")) == []


def test_a_flow_that_cannot_be_built_says_why(shelf, registry, put_snapshot, tmp_path):
    """The author reads what Prompt Flow said."""
    snapshot = put_snapshot(shelf.blobs, tmp_path, "first", **{"flow__dag__yaml": "nodes: [{name: a, type: nonsense}]"})

    with pytest.raises(Invalid, match=r"pf flow build of flows/chat failed: .*nonsense"):
        registry.build(snapshot, shelf.target, "commit")


@pytest.mark.parametrize("flow", ["flows/missing", "../../etc", "/etc"])
def test_a_flow_that_is_not_in_the_repository_is_refused(shelf, registry, flow):
    """The directory named in the config must be one of the repository."""
    with pytest.raises(Invalid, match=f"target.promptflow: there is no directory {flow} in the repository"):
        registry.build(shelf.snapshots["first"], {"promptflow": flow}, "commit")


def test_an_unknown_connection_type_is_named(shelf, registry):
    """A connection that Prompt Flow does not know is told as it stands in the config."""
    target = {"promptflow": "flows/chat", "connections": {"model": {"type": "telepathy"}}}

    with pytest.raises(Invalid, match=r"target.connections.model: type 'telepathy' is unknown, expected open_ai"):
        registry.build(shelf.snapshots["first"], target, "commit")
