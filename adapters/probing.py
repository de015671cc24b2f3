"""Real requests to a deployed app, and what they showed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from domain.models import Probe

REQUEST_TIMEOUT = 60.0  # seconds for one question
CONCURRENCY = 4  # questions at once


def probe(url: str, rows: Sequence[Mapping[str, Any]], count: int, timeout: float = REQUEST_TIMEOUT) -> Probe:
    """Ask /health, then send `count` questions to /score, taken from `rows` (the target's inputs) in turn.

    Healthy means: the app says so, and answered at least one question if there were any. `timeout` is seconds
    for each question.
    """
    problem = health(url)
    if problem:
        return Probe(False, 0, 0, (), f"/health {problem}")
    questions = [rows[number % len(rows)] for number in range(count)] if rows else []
    with ThreadPoolExecutor(CONCURRENCY) as threads:
        return _summed_up(list(threads.map(lambda row: _ask(url, row, timeout), questions)))


def health(url: str) -> str | None:
    """Return what is wrong with an app's health in words, or None."""
    try:
        with _session() as session:
            answer = session.get(f"{url}/health", timeout=10)
        healthy = answer.ok and answer.json().get("status") == "Healthy"
    except (requests.RequestException, ValueError) as error:
        return f"does not answer: {type(error).__name__}"
    return None if healthy else f"answers {answer.status_code}: {answer.text[:200]}"


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy for the outside world must not get what goes to this machine
    return session


def _ask(url: str, row: Mapping[str, Any], timeout: float) -> tuple[float, str]:
    """Return the seconds one question took, and what went wrong or nothing. The row's text stays out of it."""
    began = time.monotonic()
    try:
        with _session() as session:
            answer = session.post(f"{url}/score", json=row, timeout=timeout)
            problem = "" if answer.ok and isinstance(answer.json(), dict) else f"status {answer.status_code}"
    except requests.Timeout:
        problem = f"no answer within {timeout:g} s"
    except (requests.RequestException, ValueError) as error:
        problem = type(error).__name__
    return time.monotonic() - began, problem


def _summed_up(answers: Sequence[tuple[float, str]]) -> Probe:
    problems = [problem for _, problem in answers if problem]
    latencies = tuple(round(seconds, 4) for seconds, problem in answers if not problem)
    if problems:
        detail = f"{len(problems)} of {len(answers)} requests failed: {', '.join(sorted(set(problems)))}"
    else:
        detail = f"{len(answers)} requests answered" if answers else "healthy; no questions were asked"
    return Probe(bool(latencies) or not answers, len(answers), len(problems), latencies, detail)
