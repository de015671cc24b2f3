"""The double as a process: its command line, its files, what a restart keeps."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import requests

from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.server import Options
from tests.devhost.github.world import git, wait_for

COMMAND = [sys.executable, "-m", "devhost.github"]


@contextmanager
def process(root, *more):
    """Run the command until the test is done with it; gives the process and its client."""
    started = subprocess.Popen(
        [*COMMAND, "--root", str(root), "--port", "0", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout
    try:
        line = started.stdout.readline()
        assert line.startswith("GitHub double ready on http://127.0.0.1:"), started.communicate()
        yield started, Client(line.split()[-1])
    finally:
        started.kill()
        started.communicate()


def test_command_serves_and_stops_cleanly(tmp_path, inbox):
    """One ready line; SIGTERM ends it with status 0 and nothing on stderr."""
    with process(tmp_path, "--webhook", inbox.url, "--secret", "s", "--token", "t") as (started, client):
        client.create_repository("contoso/app")
        anonymous = requests.get(f"{client.origin}/repos/contoso/app", timeout=10)
        known = requests.get(f"{client.origin}/repos/contoso/app", headers={"Authorization": "token t"}, timeout=10)
        started.send_signal(signal.SIGTERM)
        output, errors = started.communicate(timeout=20)

    assert (anonymous.status_code, known.status_code) == (401, 200)
    assert (started.returncode, output, errors) == (0, "", "")


def test_killed_double_comes_back_with_everything(tmp_path):
    """After SIGKILL a new process has repositories, pull requests, labels, comments, statuses and the delivery log."""
    with process(tmp_path) as (started, client):
        client.create_repository("contoso/app")
        client.push("contoso/app", "alex/1-answer", {"a.txt": "a"}, author="alex")
        client.open_pull_request("contoso/app", "alex/1-answer", "Answer", author="alex", labels=["docs"])
        client.comment("contoso/app", 1, "fine", by="sam")
        before = client.pull("contoso/app", 1)
        log = [one["guid"] for one in client.deliveries()]
        started.kill()
    with process(tmp_path) as (_, client):
        after = client.pull("contoso/app", 1)
        merged = client.merge("contoso/app", 1, by="maria")
        log_after = [one["guid"] for one in client.deliveries()]

    assert after["labels"][0]["name"] == "docs"
    assert [one["body"] for one in after["comments"]] == ["fine"]
    assert (after["head"]["sha"], after["created_at"]) == (before["head"]["sha"], before["created_at"])
    assert merged["merged_by"]["login"] == "maria"
    assert log_after[: len(log)] == log


def test_push_while_the_double_is_down_is_told_when_it_starts(tmp_path, inbox):
    """A push succeeds without the double, which catches up."""
    with running(Options(tmp_path / "github")) as origin:
        path = Client(origin).create_repository("contoso/app")["clone_path"]
    git(tmp_path, "clone", "--quiet", path, "clone")
    (tmp_path / "clone" / "a.txt").write_text("a")
    git(tmp_path / "clone", "add", ".")
    git(tmp_path / "clone", "commit", "--quiet", "-m", "Add a")
    git(tmp_path / "clone", "push", "--quiet")
    inbox.taken.clear()

    with running(Options(tmp_path / "github", webhook=inbox.url)):
        (delivery,) = wait_for(lambda: inbox.taken)
        assert delivery.event == "push"
        assert git(tmp_path / "clone", "rev-parse", "HEAD").encode() in delivery.body


def test_busy_port_is_one_clear_line(tmp_path):
    """A port somebody has is said in a line, with status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--root", str(tmp_path), "--port", port], capture_output=True, text=True, timeout=30, check=False
        )

    assert done.returncode == 1
    assert done.stderr.startswith("The GitHub double cannot start: ")
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_repository_is_made_of_a_directory(tmp_path):
    """A directory's files become the first commit on every branch, without what its .gitignore names."""
    source = tmp_path / "helpdesk"
    (source / "flows").mkdir(parents=True)
    (source / "flows" / "chat.yaml").write_text("nodes: []\n")
    (source / ".gitignore").write_text("*.log\n")
    (source / "run.log").write_text("noise")
    with running(Options(tmp_path / "github")) as origin:
        made = Client(origin).create_repository("contoso/app", source, branches=("main", "develop"), author="alex")
    git(tmp_path, "clone", "--quiet", "--branch", "develop", made["clone_path"], "clone")

    assert sorted(path.name for path in (tmp_path / "clone").iterdir()) == [".git", ".gitignore", "flows"]
    assert made["heads"]["main"] == made["heads"]["develop"] == git(tmp_path / "clone", "rev-parse", "HEAD")
    assert not (source / ".git").exists()
