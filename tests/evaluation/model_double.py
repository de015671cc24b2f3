"""A double of an OpenAI-compatible model server: it answers at once, and fails when a question asks for it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelDouble(ThreadingHTTPServer):
    """Counts the requests for each question.

    A question "busy 2" is answered 429 twice and then well, "broken 2" 500, "hang" never.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}
        self.retry_after: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: ModelDouble

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"].strip()
        self.server.requests[question] += 1
        self.server.times.setdefault(question, []).append(time.monotonic())
        kind, _, times = question.partition(" ")
        if kind == "hang":
            time.sleep(30)
        elif kind in ("busy", "broken") and self.server.requests[question] <= int(times):
            self._fail(429 if kind == "busy" else 500)
        elif kind == "refused":
            self._fail(400)
        else:
            self._answer(question)

    def _fail(self, status: int) -> None:
        headers = {"Retry-After": self.server.retry_after} if self.server.retry_after else {}
        self._send(status, {"error": {"message": f"double fails with {status}", "type": "double"}}, headers)

    def _answer(self, question: str) -> None:
        message = {"role": "assistant", "content": f"answer to {question}"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        content = {"id": "1", "object": "chat.completion", "created": 1, "model": "double"}
        self._send(200, {**content, "choices": [choice], "usage": usage}, {})

    def _send(self, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve_model() -> Iterator[ModelDouble]:
    """Serve on a free port of the loopback interface."""
    with ModelDouble() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
