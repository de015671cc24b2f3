"""Snapshots: what GitHub sends, and what somebody might send instead."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import archives, snapshots
from domain.errors import Invalid, TooLarge


@dataclass
class Member:
    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o664
    mtime: int = 0


@pytest.fixture
def tarball(tmp_path):
    """Write a tarball of the given members and return its path."""

    def write(*members, name="github.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for member in members:
                header = tarfile.TarInfo(member.name)
                header.size, header.type, header.linkname = len(member.content), member.kind, member.link
                header.mode, header.mtime = member.mode, member.mtime
                archive.addfile(header, io.BytesIO(member.content))
        return tmp_path / name

    return write


def test_files_come_out_as_they_were_without_the_top_folder(tarball, tmp_path):
    """Content, executable bits and inner links survive; the folder GitHub adds does not."""
    source = tarball(
        Member("o-r-sha", kind=tarfile.DIRTYPE),
        Member("o-r-sha/run.sh", b"#!/bin/sh", mode=0o775),
        Member("o-r-sha/flows/chat/flow.dag.yaml", b"nodes: []"),
        Member("o-r-sha/flows/latest", kind=tarfile.SYMTYPE, link="../flows/chat"),
    )

    snapshot = snapshots.pack(source, tmp_path / "packed.tar.gz")
    snapshots.extract(tmp_path / "packed.tar.gz", tmp_path / "out")

    assert (tmp_path / "out/flows/latest/flow.dag.yaml").read_bytes() == b"nodes: []"
    assert os.access(tmp_path / "out/run.sh", os.X_OK)
    assert not os.access(tmp_path / "out/flows/chat/flow.dag.yaml", os.X_OK)
    assert snapshot.sha256 == archives.sha256(tmp_path / "packed.tar.gz")
    assert snapshot.size == (tmp_path / "packed.tar.gz").stat().st_size


def test_the_same_files_give_the_same_snapshot(tarball, tmp_path):
    """Order, times, the top folder's name and umask do not matter; content does."""
    first = tarball(Member("a-1/x", b"1"), Member("a-1/y", b"2", mtime=5), name="1.tar.gz")
    second = tarball(Member("b-2/y", b"2", mode=0o600), Member("b-2/x", b"1"), name="2.tar.gz")
    third = tarball(Member("b-2/y", b"2"), Member("b-2/x", b"3"), name="3.tar.gz")

    packed = [snapshots.pack(source, tmp_path / "packed") for source in (first, second, third)]

    assert packed[0] == packed[1]
    assert packed[0].sha256 != packed[2].sha256


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([Member("/etc/passwd", b"x")], "'/etc/passwd' does not stay inside the tarball's folder"),
        ([Member("r/../../x", b"x")], "'r/../../x' does not stay inside the tarball's folder"),
        ([Member("r/x"), Member("s/x")], "more than one top folder: r, s"),
        ([Member("r/x"), Member("r/./x")], "'x' is in the tarball twice"),
        ([Member("r/x", kind=tarfile.SYMTYPE, link="/etc")], "link 'x' points outside the repository, to '/etc'"),
        ([Member("r/x", kind=tarfile.SYMTYPE, link="..")], "link 'x' points outside"),
        ([Member("r/a/x", kind=tarfile.SYMTYPE, link="../../y")], "link 'a/x' points outside"),
        ([Member("r/x", kind=tarfile.SYMTYPE, link="a/b/../../../c")], "link 'x' points outside"),
        ([Member("r/x", kind=tarfile.SYMTYPE, link="a/../b")], "link 'x' points outside"),
        ([Member("r/x", kind=tarfile.SYMTYPE, link="")], "link 'x' points outside"),
        ([Member("r/x", b""), Member("r/y", kind=tarfile.LNKTYPE, link="r/x")], "'y' is neither a file"),
        ([Member("r/x", kind=tarfile.CHRTYPE)], "'x' is neither a file"),
        ([Member("r/x", kind=tarfile.FIFOTYPE)], "'x' is neither a file"),
        (
            [Member("r/x", kind=tarfile.SYMTYPE, link="y"), Member("r/x/z", b"")],
            "'x' is a file or a link, and yet has 'x/z' in it",
        ),
    ],
)
def test_a_hostile_member_is_refused_by_name(tarball, tmp_path, members, message):
    """Paths, links, devices and doubles that could write or read elsewhere are named and refused."""
    with pytest.raises(Invalid) as refused:
        snapshots.pack(tarball(*members), tmp_path / "packed.tar.gz")

    assert message in str(refused.value)


def test_a_decompression_bomb_stops_at_the_limit(tmp_path):
    """A small file that unpacks to a huge one is refused after the limit, not after the disk is full."""
    bomb = tmp_path / "bomb.tar.gz"
    with gzip.open(bomb, "wb") as file:
        header = tarfile.TarInfo("r/big")
        header.size = 1 << 40
        file.write(header.tobuf())
        for _ in range(8):
            file.write(bytes(1 << 20))

    with pytest.raises(TooLarge, match="more than 4,194,304 bytes unpacked: keep large data elsewhere"):
        snapshots.pack(bomb, tmp_path / "packed", max_bytes=4 << 20)
    assert not (tmp_path / "packed").exists()


def test_too_many_files_are_refused(tarball, tmp_path):
    """The number of files has a limit of its own."""
    source = tarball(*(Member(f"r/{number}") for number in range(4)))

    with pytest.raises(TooLarge, match="more than 3 files"):
        snapshots.pack(source, tmp_path / "packed", max_files=3)


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_truncated_tarball_is_refused(tarball, tmp_path, keep):
    """Half a download is not a repository."""
    whole = tarball(Member("r/x", os.urandom(1000))).read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[:keep])

    with pytest.raises(Invalid, match=r"half.tar.gz cannot be unpacked: "):
        snapshots.pack(tmp_path / "half.tar.gz", tmp_path / "packed")


@given(link=st.lists(st.sampled_from(["..", ".", "a", "b", "c", ""]), max_size=6).map("/".join))
def test_a_link_that_is_accepted_never_leads_outside(tmp_path_factory, link):
    """Whatever a link says, with other links around it, it resolves inside or is refused."""
    folder = tmp_path_factory.mktemp("links")
    root = folder / "root"
    (root / "a").mkdir(parents=True)
    (root / "c").mkdir()
    (root / "a" / "b").symlink_to("../c")
    if snapshots._stays_inside("a/x", link):
        (root / "a" / "x").symlink_to(link)

        assert (root / "a" / "x").resolve().is_relative_to(root)


def test_unpacking_refuses_what_leads_outside(tarball, tmp_path):
    """Also an archive that was not packed here cannot write elsewhere."""
    with pytest.raises(Invalid, match="cannot be unpacked"):
        snapshots.extract(tarball(Member("../x", b"x")), tmp_path / "deep" / "out")
    assert not (tmp_path / "deep" / "x").exists()
