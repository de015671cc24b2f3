"""Archives that are named by their content: the same files give the same bytes, whoever packs them and when."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from domain.errors import Invalid


@dataclass(frozen=True)
class Entry:
    """One file or link of an archive. `content` is open for reading; a link has `link` instead."""

    name: str
    size: int = 0
    executable: bool = False
    content: IO[bytes] | None = None
    link: str = ""


def write(entries: Iterable[Entry], to: Path) -> str:
    """Write entries, sorted by their caller, as .tar.gz without times or owners; return the SHA-256 of the file."""
    with (
        to.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in entries:
            archive.addfile(_header(entry), entry.content)
    return sha256(to)


def pack_directory(directory: Path, to: Path) -> str:
    """Pack all files below a directory, following no links; return the SHA-256 of the archive."""

    def entries() -> Iterator[Entry]:
        files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if _packable(path)}
        for name, path in sorted(files.items()):
            if path.is_symlink():
                yield Entry(name, link=str(path.readlink()))
                continue
            with path.open("rb") as content:
                stat = path.stat()
                yield Entry(name, stat.st_size, bool(stat.st_mode & 0o100), content)

    return write(entries(), to)


def extract(archive: Path, to: Path) -> None:
    """Unpack an archive into a directory, refusing members that would land or point outside. Raises Invalid."""
    to.mkdir(parents=True, exist_ok=True)
    with reading(archive), tarfile.open(archive) as packed:
        packed.extractall(to, filter="data")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def reading(archive: Path) -> Iterator[None]:
    """Turn what goes wrong while an archive is read into Invalid."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise Invalid(f"{archive.name} cannot be unpacked: {error}") from error


def _packable(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _header(entry: Entry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.name)
    header.mode = 0o755 if entry.executable else 0o644
    if entry.link:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, entry.link, 0o777
    else:
        header.size = entry.size
    return header
