"""The files of a snapshot as a fingerprint needs them: without unpacking them, in one pass."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from pathlib import Path

from adapters.archives import reading
from adapters.blobs import Blobs
from domain import blob_names
from domain.fingerprints import File, link, python_file

LARGEST_SOURCE = 1024 * 1024  # bytes; nobody writes longer Python files by hand


def list_files(blobs: Blobs, sha256: str) -> list[File]:
    """List every file and link. Raises NotFound when there is no such snapshot, Invalid when it is damaged."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "snapshot.tar.gz")
        blobs.download_file(blob_names.snapshot(sha256), archive)
        with reading(archive), tarfile.open(archive, "r:gz") as members:
            return [_file(member, members) for member in members if not member.isdir()]


def _file(member: tarfile.TarInfo, members: tarfile.TarFile) -> File:
    content = members.extractfile(member) if member.isfile() else None
    if content is None:
        return link(member.name, member.linkname)
    if member.name.endswith(".py") and member.size <= LARGEST_SOURCE:
        source = content.read()
        return python_file(member.name, hashlib.sha256(source).hexdigest(), source)
    digest = hashlib.sha256()
    while chunk := content.read(LARGEST_SOURCE):
        digest.update(chunk)
    return File(member.name, digest.hexdigest())
