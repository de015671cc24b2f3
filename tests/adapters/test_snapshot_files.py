"""The files of a snapshot, listed for a fingerprint."""

from __future__ import annotations

import hashlib

import pytest

from adapters.archives import pack_directory
from adapters.snapshot_files import list_files
from domain import blob_names
from domain.errors import NotFound


def test_every_file_is_listed_with_its_hash_and_what_it_leads_to(blobs, tmp_path):
    """Python files lead to what they import, links to where they point, even to nowhere."""
    (tmp_path / "repository" / "evaluators").mkdir(parents=True)
    (tmp_path / "repository" / "evaluators" / "exact.py").write_text("import shared.words\n")
    (tmp_path / "repository" / "evaluators" / "gone").symlink_to("../nowhere")
    (tmp_path / "repository" / "large.bin").write_bytes(b"x" * 3_000_000)
    sha256 = pack_directory(tmp_path / "repository", tmp_path / "snapshot.tar.gz")
    blobs.upload_file(blob_names.snapshot(sha256), tmp_path / "snapshot.tar.gz")

    files = {file.path: file for file in list_files(blobs, sha256)}

    assert sorted(files) == ["evaluators/exact.py", "evaluators/gone", "large.bin"]
    assert files["evaluators/exact.py"].leads == {"shared", "shared.py"}
    assert files["evaluators/gone"].leads == {"nowhere"}
    assert files["large.bin"].digest == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_snapshot_that_is_gone_is_told(blobs):
    """Somebody emptied the container."""
    with pytest.raises(NotFound, match="there is no blob snapshots/"):
        list_files(blobs, "0" * 64)
