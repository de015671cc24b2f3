"""The peers' environment: made once, made again when its list changes, never in the way of the other benchmarks."""

from __future__ import annotations

import subprocess

import pytest
from rich.console import Console

from benchmarks import bench_replay, peers


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An environment of this test's own, and the commands that would have been run."""
    ran = []
    (tmp_path / "requirements.txt").write_text("a-peer==1.0\n")
    for name, value in {"PLACE": tmp_path / "env", "WANTED": tmp_path / "requirements.txt"}.items():
        monkeypatch.setattr(peers, name, value)
    monkeypatch.setattr(peers, "STAMP", tmp_path / "env" / "made-from.txt")

    def run(command):
        (tmp_path / "env").mkdir(exist_ok=True)
        ran.append(command[2])

    monkeypatch.setattr(peers, "_run", run)
    return tmp_path, ran


def said(run) -> str:
    """Run and return what was printed."""
    console = Console(record=True, width=200)
    run(console)
    return console.export_text()


def test_it_is_made_once_and_again_when_the_list_changes(place):
    """The stamp holds the list that it was made from."""
    folder, ran = place
    lines = [said(peers.set_up), said(peers.set_up)]
    (folder / "requirements.txt").write_text("a-peer==2.0\n")
    lines.append(said(peers.set_up))

    assert ["installed into env" in line for line in lines] == [True, False, True]
    assert ran == ["venv", "pip"] * 2


def test_without_it_the_benchmarks_go_on(place, monkeypatch):
    """One line gives the reason, and nothing half made is left."""

    def refuse(command):
        raise subprocess.CalledProcessError(1, command, output=b"...\nERROR: No matching distribution found\n")

    monkeypatch.setattr(peers, "_run", refuse)
    line = said(peers.set_up)

    assert "their rows are missing: ERROR: No matching distribution found" in line
    assert not peers.PLACE.exists()


def test_the_replay_benchmark_runs_the_orchestrators_as_they_are():
    """A small evaluation comes to its end with all rows, in several generations."""
    hub = bench_replay._ours(512)

    assert hub.generations > 3
    assert hub.largest_history < bench_replay.MEGABYTE
