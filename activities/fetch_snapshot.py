"""Fetch a commit's files through the GitHub API and keep them, content-addressed."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import connect, snapshots
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import DrawbridgeError, as_answer
from domain.models import Snapshot
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def fetch_snapshot(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"snapshot"} of {"repository", "sha"}, or {"error": what to mend}, or {"retry_after": seconds}."""
    settings = current()
    try:
        snapshot = fetch(payload["repository"], payload["sha"], connect.github(settings), connect.blobs(settings))
    except DrawbridgeError as error:
        return as_answer(error)
    return {"snapshot": asdict(snapshot)}


def fetch(repository: str, sha: str, github: GitHub, blobs: Blobs) -> Snapshot:
    """Download, repack deterministically, store under the hash of the content. Twice gives the same blob."""
    with tempfile.TemporaryDirectory() as folder:
        tarball, archive = Path(folder, "github.tar.gz"), Path(folder, "snapshot.tar.gz")
        github.download(repository, sha, tarball)
        snapshot = snapshots.pack(tarball, archive)
        blobs.upload_file(blob_names.snapshot(snapshot.sha256), archive)
    return snapshot
