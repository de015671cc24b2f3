"""GitHub Enterprise Server has its API below /api/v3 of a host of its own: nothing is asked beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from adapters.github_onboarding import Onboarding
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.outbox import Comment, DeploymentState, Issue, Message, Status
from tests.adapters.apps import APP, key_pair

REPOSITORY = "contoso/app"
AT = "2027-01-15T08:00:00Z"
PREFIX = "/api/v3"


@contextmanager
def below_a_prefix(origin: str) -> Iterator[tuple[str, list[str]]]:
    """Serve the double below /api/v3, its links as well; yield the address and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
            path = self.path.removeprefix(PREFIX)
            headers = {name: value for name, value in self.headers.items() if name != "Accept-Encoding"}
            reply = requests.request(
                self.command, origin + path, data=sent, headers=headers, allow_redirects=False, timeout=10
            )
            body = reply.content.replace(origin.encode(), here.encode()) if "json" in _type(reply) else reply.content
            self.send_response(reply.status_code)
            for name in {"Content-Type", "Link", "Location"} & {*reply.headers}:
                self.send_header(name, reply.headers[name].replace(origin, here))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = f"http://127.0.0.1:{server.server_port}{PREFIX}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield here, asked
    finally:
        server.shutdown()
        server.server_close()


def _type(reply: requests.Response) -> str:
    return reply.headers.get("Content-Type", "")


def test_everything_is_asked_below_the_servers_own_path(tmp_path: Path) -> None:
    """Signed in as the App, with the requests that PyGithub has no words for, and with an archive."""
    private, public = key_pair()
    options = Options(tmp_path / "github", access=Access(app_id=APP, app_public_key=public))
    with running(options) as origin, below_a_prefix(origin) as (here, asked):
        double = Client(origin)
        head = double.create_repository(REPOSITORY)["heads"]["main"]
        double.protect(REPOSITORY, "main", checks=["drawbridge/change"], by_rules=True)
        github = Onboarding(here, app_id=APP, app_key=private)
        messages: list[Message] = [
            Status(REPOSITORY, head, "drawbridge/validate", "passed", "fine", "http://x/1", at=AT),
            Comment(REPOSITORY, None, head, "release", "released", at=AT),
            Issue(REPOSITORY, "nightly", "It got worse", "f1 fell", True, at=AT),
            DeploymentState(REPOSITORY, head, "dev", "r", "success", "", "http://dev/", "http://log/", at=AT),
        ]
        written = [github.deliver(message, None, lambda: None) for message in messages]
        github.download(REPOSITORY, head, tmp_path / "repository.tar.gz")

        assert github.required_checks(REPOSITORY, "main") == ("drawbridge/change",)
        assert not github.app_delivers("https://drawbridge.example/api/github/webhook")
        shown = double.commit(REPOSITORY, head)
        assert [run["id"] for run in shown["check_runs"]] == [written[0].id]
        assert [one["id"] for one in shown["commit_comments"]] == [written[1].id]
        assert [one["id"] for one in shown["deployments"]] == [written[3].id]
        assert double.pull(REPOSITORY, written[2].id)["title"] == "It got worse"
    assert [path for path in asked if not path.startswith(f"{PREFIX}/")] == []
