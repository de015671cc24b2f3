"""A repository's files at one commit: GitHub's tarball, checked and packed again so that its name is its content."""

from __future__ import annotations

import gzip
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from adapters import archives
from adapters.archives import Entry, extract, reading, write
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import Invalid, TooLarge
from domain.models import Snapshot

__all__ = ["extract", "fetch", "pack"]

MAX_BYTES = 512 * 1024 * 1024  # unpacked; a repository that needs more keeps its data elsewhere
MAX_FILES = 50_000
_CHUNK = 1024 * 1024


def fetch(blobs: Blobs, sha256: str, cache: Path) -> Path:
    """Return a snapshot's archive, from the cache directory or else from the blobs.

    Raises NotFound when it is not there, Invalid when it is damaged.
    """
    archive = cache / f"{sha256}.tar.gz"
    if not archive.exists():
        blobs.download_file(blob_names.snapshot(sha256), archive)
    if archives.sha256(archive) != sha256:
        archive.unlink()
        raise Invalid(f"snapshot {sha256} is damaged: its content has another SHA-256")
    return archive


def pack(tarball: Path, to: Path, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> Snapshot:
    """Repack a tarball as GitHub makes it, without its top folder; the same files give the same bytes.

    Raises Invalid when a member is not a plain file or a link that stays inside, TooLarge beyond the limits.
    """
    with reading(tarball), tempfile.TemporaryFile() as plain:
        _unzip(tarball, plain, max_bytes)
        with tarfile.open(fileobj=plain) as source:
            digest = write(_entries(source, _checked(source, max_files)), to)
    return Snapshot(digest, to.stat().st_size)


def _unzip(tarball: Path, plain: IO[bytes], max_bytes: int) -> None:
    with gzip.open(tarball) as packed:
        written = 0
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            if written > max_bytes:
                raise TooLarge(f"the repository has more than {max_bytes:,} bytes unpacked: keep large data elsewhere")
            plain.write(chunk)
    plain.seek(0)


def _checked(source: tarfile.TarFile, max_files: int) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    tops: set[str] = set()
    for member in source:
        name = _inner_name(member.name, tops)
        if not name or member.isdir():
            continue
        if name in members:
            raise Invalid(f"{name!r} is in the tarball twice")
        if len(members) == max_files:
            raise TooLarge(f"the repository has more than {max_files:,} files")
        _check_kind(name, member)
        members[name] = member
    _check_parents(members)
    return members


def _inner_name(name: str, tops: set[str]) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        raise Invalid(f"{name!r} does not stay inside the tarball's folder")
    tops.add(parts[0])
    if len(tops) > 1:
        raise Invalid(f"the tarball has more than one top folder: {', '.join(sorted(tops))}")
    return "/".join(parts[1:])


def _check_kind(name: str, member: tarfile.TarInfo) -> None:
    if member.issym():
        if not _stays_inside(name, member.linkname):
            raise Invalid(f"link {name!r} points outside the repository, to {member.linkname!r}")
    elif member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise Invalid(f"{name!r} is neither a file, a folder nor a symbolic link")


def _stays_inside(name: str, link: str) -> bool:
    # `..` only in front: after a part that is itself a link, it would lead where the text does not show.
    parts = link.split("/")
    while parts and parts[0] in ("..", "."):
        parts.pop(0)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    return (
        bool(link) and "\0" not in link and ".." not in parts and not target.startswith(("/", "../")) and target != ".."
    )


def _check_parents(members: dict[str, tarfile.TarInfo]) -> None:
    for name in members:
        parent = posixpath.dirname(name)
        while parent:
            if parent in members:
                raise Invalid(f"{parent!r} is a file or a link, and yet has {name!r} in it")
            parent = posixpath.dirname(parent)


def _entries(source: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Iterator[Entry]:
    for name, member in sorted(members.items()):
        if member.issym():
            yield Entry(name, link=member.linkname)
        else:
            yield Entry(name, member.size, bool(member.mode & 0o100), source.extractfile(member))
