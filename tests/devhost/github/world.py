"""Somebody the double's webhooks go to, and people with a clone."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import jwt
import requests

SECRET = "of the tests"
TOKEN = "ghp_of_the_tests"


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


def app_jwt(app, key):
    """What an App signs in with."""
    return jwt.encode({"iss": app, "iat": int(time.time()) - 60, "exp": int(time.time()) + 300}, key, "RS256")


def caller(origin, repository, credential=""):
    """Call an API: a path that begins with a slash is below the repository, any other below the API's root."""

    def call(method, path, headers=None, **fields):
        url = f"{origin}/repos/{repository}{path}" if path[:1] in ("", "/") else f"{origin}/{path}"
        signed = {"Authorization": f"Bearer {credential}"} if credential else {}
        return requests.request(method, url, headers={**signed, **(headers or {})}, timeout=10, **fields)

    return call


def said(reply):
    """Give the status of a refusal and its words."""
    errors = [error.get("message", error["code"]) for error in reply.json().get("errors", [])]
    return reply.status_code, reply.json()["message"], *errors


def payloads(inbox, event, action=None, count=1):
    """Wait for deliveries of an event and give their payloads, oldest first."""

    def fitting():
        known = [(one.event, json.loads(one.body)) for one in inbox.taken]
        return [payload for name, payload in known if (name, payload.get("action")) == (event, action)]

    return wait_for(lambda: fitting() if len(fitting()) >= count else None)


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
