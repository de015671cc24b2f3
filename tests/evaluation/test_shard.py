"""A shard from first row to last: resuming, isolation, nothing that reaches out."""

from __future__ import annotations

import json
import sys

import psutil

from tests.evaluation.conftest import EXACT


def test_rows_that_are_there_are_not_run_again(repository):
    """A rerun keeps finished rows, also errored ones, drops a line that was cut off, and runs the rest."""
    repository.questions("a", "b", "c")
    kept = {"id": "r0", "scores": {"exact": 0.125}, "error": None}
    failed = {"id": "r1", "scores": {}, "error": "boom"}
    repository.results_file.write_text(f'{json.dumps(kept)}\n{json.dumps(failed)}\n{{"id": "r2", "sco')

    results = repository.run()

    assert results["r0"] == kept
    assert results["r1"] == failed
    assert results["r2"]["scores"] == {"exact": 1.0}
    assert [(told.done, told.errored) for told in repository.told] == [(2, 1), (3, 1)]


def test_nothing_is_started_twice_when_everything_is_there(repository):
    """A finished shard is told as finished."""
    repository.questions("a")
    repository.run()
    before = repository.results_file.read_bytes()

    repository.run()

    assert repository.results_file.read_bytes() == before
    assert [(told.done, told.total) for told in repository.told] == [(1, 1)]


def test_several_workers_share_the_rows(repository):
    """With two workers rows are answered in two processes."""
    repository.flow("""
        import os
        import time

        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            time.sleep(0.2)
            return str(os.getpid())
    """)
    repository.questions(*[str(i) for i in range(40)])

    results = repository.run(crew={"workers": 2, "concurrency": 2})

    assert len({result["output"]["answer"] for result in results.values()}) == 2


def test_modules_of_the_repository_win_over_ours(repository):
    """A repository may call its modules as we call ours."""
    for name in ("settings", "domain", "evaluation", "adapters"):
        repository.write(f"{name}.py", f"NAME = 'their {name}'\n")
    repository.flow("""
        import adapters
        import domain
        import evaluation
        import settings
        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            return "|".join([adapters.NAME, domain.NAME, evaluation.NAME, settings.NAME])
    """)
    repository.questions("x")

    (result,) = repository.run().values()

    assert result["output"]["answer"] == "their adapters|their domain|their evaluation|their settings"


def test_workers_leave_nothing_behind(repository):
    """When a shard is done, its worker and what the flow started are gone."""
    repository.flow("""
        import os
        import subprocess

        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            return f"{os.getpid()} {subprocess.Popen(['sleep', '600']).pid}"
    """)
    repository.questions("x")

    (result,) = repository.run().values()

    assert [pid for pid in result["output"]["answer"].split() if _runs(int(pid))] == []


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_nothing_tries_to_reach_the_internet(repository, monkeypatch):
    """Prompt Flow's executor and tools and azure-ai-evaluation connect to nothing but the loopback interface."""
    log = repository.job / "connects.txt"
    repository.write(
        "sitecustomize/sitecustomize.py",
        """
        import os
        import sys

        def record(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
                with open(os.environ["CONNECTS"], "a") as file:
                    file.write(f"{event} {arguments}\\n")

        sys.addaudithook(record)
        open(os.environ["CONNECTS"], "a").close()
        """,
    )
    repository.flow("""
        import threading

        import promptflow.tools
        from promptflow.core import tool

        @tool
        def answer(question: str) -> str:
            return ", ".join(thread.name for thread in threading.enumerate())
    """)
    # A start-up hook sees everything, also what a library does on another thread.
    launcher = repository.write(
        "python",
        f"""
        #!/bin/sh
        PYTHONPATH="{repository.path}/sitecustomize:$PYTHONPATH" exec {sys.executable} "$@"
        """,
    )
    launcher.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(launcher))
    monkeypatch.setenv("CONNECTS", str(log))
    repository.questions("x")
    columns = {"response": "${target.answer}", "ground_truth": "${data.answer}"}
    rouge = {"use": "azure.ai.evaluation.RougeScoreEvaluator", "init": {"rouge_type": "rougeL"}, "columns": columns}
    evaluators = {
        "f1": {"use": "azure.ai.evaluation.F1ScoreEvaluator", "columns": columns},
        "rouge": rouge,
        "exact": EXACT,
        "meteor": {"use": "azure.ai.evaluation.MeteorScoreEvaluator", "columns": columns},
    }

    (result,) = repository.run(evaluators=evaluators).values()

    assert "evaluator meteor: LookupError" in result["error"]
    assert log.read_text() == ""
    assert "ConfigurationWorker" not in result["output"]["answer"]  # it would ask Azure Monitor within half a minute
