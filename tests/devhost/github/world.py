"""Somebody the double's webhooks go to, and people with a clone."""

from __future__ import annotations

import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

SECRET = "of the tests"


class Inbox:
    """Takes webhooks and remembers them: event, headers, body. Answers with `status`."""

    def __init__(self):
        self.taken: list[SimpleNamespace] = []
        self.status = 202
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.taken.append(
                    SimpleNamespace(event=self.headers["X-GitHub-Event"], headers=self.headers, body=body)
                )
                self.send_response(inbox.status)
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/github/webhook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def wait_for(condition):
    """Give what `condition` gives, once that is something."""
    for _ in range(1000):
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it never happened")


def git(place, *command, author="alex"):
    """Run git as a person would, in their clone."""
    identity = ["-c", f"user.name={author}", "-c", f"user.email={author}@users.noreply.example"]
    done = subprocess.run(["git", *identity, *command], cwd=place, check=True, capture_output=True, text=True)
    return done.stdout.strip()
