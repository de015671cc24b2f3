"""Local compute with real processes; only the job's program is a stub that obeys its spec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from activities.plan_validation import plan
from adapters import processes
from adapters.archives import pack_directory
from adapters.local_compute import LocalCompute
from domain import blob_names, wire
from domain.config import Target, Validation
from domain.errors import Invalid, NotFound
from domain.models import Job, JobPhase
from evaluation import wall
from tests import samples
from tests.adapters.conftest import CONNECTIONS

ROOT = Path(__file__).parents[2]
STUB = """
# A double of `python -m evaluation job`: it does what its spec says, in the files of the contract.
import json, os, pathlib, sys, time
job = pathlib.Path(sys.argv[1])
spec = json.loads((job / "job.json").read_text())["spec"]
print("began", flush=True)
with (job / "results.jsonl").open("a") as rows:
    rows.write(json.dumps({"pid": os.getpid(), "cwd": os.getcwd(), "env": dict(os.environ)}) + "\\n")
(job / "progress.json").write_text(json.dumps({"done": 1, "total": 3}))
files = {str(path.relative_to(job)): path.read_text() for path in job.glob("repository/**/*") if path.is_file()}
(job / "repository" / "scribble").write_text("mine")
while "until" in spec and not pathlib.Path(spec["until"]).exists():
    time.sleep(0.02)
if "crash" in spec:
    print(spec["crash"], flush=True)
    os._exit(3)
inputs = {name: (job / name).read_text() for name in spec.get("read", [])}
(job / "result.json").write_text(json.dumps({"ok": True, "files": files, "inputs": inputs} | spec.get("result", {})))
"""


@pytest.fixture
def snapshot(blobs, tmp_path):
    """A snapshot with one file, in the blobs."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "README.md").write_text("hello")
    sha256 = pack_directory(tmp_path / "app", tmp_path / "app.tar.gz")
    blobs.upload_file(blob_names.snapshot(sha256), tmp_path / "app.tar.gz")
    return sha256


@pytest.fixture
def compute(state, blobs, tmp_path):
    """Compute with room for two long jobs and a short one; called again it is as another host process would make it."""
    stub = tmp_path / "stub.py"
    stub.write_text(textwrap.dedent(STUB))

    def make() -> LocalCompute:
        return LocalCompute(state, blobs, {"MODEL_API_KEY": "key"}, 3, (sys.executable, str(stub)))

    return make


@pytest.fixture
def job(snapshot):
    """Describe a job."""

    def describe(name="evaluation-1/shard-0", timeout=60, inputs=None, short=False, **spec) -> Job:
        return Job(name, "rows", snapshot, spec, timeout, inputs or {}, short=short)

    return describe


def phase(compute: LocalCompute, name: str = "evaluation-1/shard-0") -> JobPhase:
    return compute.status([name])[0].phase


def rows(compute: LocalCompute, name: str = "evaluation-1/shard-0") -> list[dict[str, Any]]:
    return [json.loads(line) for line in compute.results_file(name).read_text().splitlines()]


def test_a_job_runs_on_its_own_copy_of_the_repository(compute, job, until, tmp_path):
    """It gets job.json, the snapshot's files and its inputs; its result, rows and log are there afterwards."""
    compute()._blobs.write("evaluations/1/shards/0.jsonl", b"row")

    compute().submit(job(inputs={"shards/0.jsonl": "evaluations/1/shards/0.jsonl"}, read=["shards/0.jsonl"]))
    until(lambda: phase(compute()) is JobPhase.DONE)

    result = compute().result("evaluation-1/shard-0")
    assert result == {"ok": True, "files": {"repository/README.md": "hello"}, "inputs": {"shards/0.jsonl": "row"}}
    assert len(rows(compute())) == 1
    assert compute().log_tail("evaluation-1/shard-0") == "began\n"
    assert not (compute().results_file("evaluation-1/shard-0").parent / "repository").exists()


def test_a_job_sees_nothing_of_the_hosts_environment(compute, job, until, monkeypatch):
    """Secrets of the host do not reach the worker; what was named for it does."""
    monkeypatch.setenv("DRAWBRIDGE_WEBHOOK_SECRET", "s3cret")
    monkeypatch.setenv("AzureWebJobsStorage", "AccountKey=s3cret")

    compute().submit(job())
    until(lambda: phase(compute()) is JobPhase.DONE)

    [row] = rows(compute())
    directory = str(compute().results_file("evaluation-1/shard-0").parent)
    assert "s3cret" not in json.dumps(row)
    assert set(row["env"]) - {"LC_CTYPE"} == {
        "PATH",
        "HOME",
        "LANG",
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "PF_HOME_DIRECTORY",
        "PF_DISABLE_TRACING",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
        "MODEL_API_KEY",
    }
    assert row["env"]["HOME"] == f"{directory}/home"
    assert row["env"]["PYTHONPATH"] == str(ROOT)
    assert row["cwd"] == directory


def test_a_finished_job_is_not_run_again(compute, job, until):
    """Submitting the same name twice runs it once, also after it ended."""
    compute().submit(job())
    compute().submit(job())
    until(lambda: phase(compute()) is JobPhase.DONE)
    compute().submit(job())

    assert phase(compute()) is JobPhase.DONE
    assert len(rows(compute())) == 1


def test_submitted_by_many_threads_and_hosts_at_once_it_runs_once(compute, job, until, tmp_path):
    """Twelve threads, each with an adapter of its own, submit one name."""
    together = threading.Barrier(12)

    def submit():
        together.wait()
        compute().submit(job(until=str(tmp_path / "go")))

    threads = [threading.Thread(target=submit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (tmp_path / "go").touch()
    until(lambda: phase(compute()) is JobPhase.DONE)

    assert len(rows(compute())) == 1


def test_jobs_beyond_the_limit_wait_for_room(compute, job, until, tmp_path):
    """The third of three long jobs is QUEUED until one of the two before it ends."""
    names = ["a", "b", "c"]
    for name in names:
        compute().submit(job(name, until=str(tmp_path / name)))

    until(lambda: compute().status(["a", "b"])[1].done == 1)
    assert [status.phase for status in compute().status(names)] == ["running", "running", "queued"]
    (tmp_path / "b").touch()
    until(lambda: phase(compute(), "b") is JobPhase.DONE)
    until(lambda: phase(compute(), "c") is JobPhase.RUNNING)
    (tmp_path / "a").touch()
    (tmp_path / "c").touch()
    until(lambda: {status.phase for status in compute().status(names)} == {JobPhase.DONE})


def test_a_short_job_does_not_stand_in_line_behind_long_ones(compute, job, until, tmp_path):
    """One place is for short jobs alone: a validation goes on beside the shards of any number of evaluations."""
    for name in "abc":
        compute().submit(job(name, until=str(tmp_path / "go")))

    compute().submit(job("short", short=True))

    until(lambda: phase(compute(), "short") is JobPhase.DONE)
    assert [status.phase for status in compute().status(list("abc"))] == ["running", "running", "queued"]


def test_short_jobs_do_not_hold_up_long_ones_for_ever(compute, job, until, tmp_path):
    """They may use every place, but the one that was submitted first goes first, long or short."""
    for name in ("a", "b", "c"):
        compute().submit(job(name, short=True, until=str(tmp_path / name)))
    compute().submit(job("long", until=str(tmp_path / "long")))
    compute().submit(job("d", short=True, until=str(tmp_path / "d")))
    (tmp_path / "a").touch()
    until(lambda: phase(compute(), "a") is JobPhase.DONE)

    phases = [status.phase for status in compute().status(["b", "c", "long", "d"])]

    assert phases == ["running", "running", "running", "queued"]


def test_progress_is_told_while_it_runs(compute, job, until, tmp_path):
    """A running job says how many of how many rows are done."""
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].total)

    [status] = compute().status(["evaluation-1/shard-0"])

    assert (status.phase, status.done, status.total) == (JobPhase.RUNNING, 1, 3)


def test_a_job_that_vanished_is_lost_and_goes_on_when_submitted_again(compute, job, until, tmp_path):
    """After kill -9 the job is LOST; submitted again it finds its rows and a fresh copy of the repository."""
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].done)
    os.kill(rows(compute())[0]["pid"], signal.SIGKILL)
    until(lambda: phase(compute()) is JobPhase.LOST)

    [status] = compute().status(["evaluation-1/shard-0"])
    assert status.error == "the worker ended without a result: began"
    (tmp_path / "go").touch()
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: phase(compute()) is JobPhase.DONE)
    assert len(rows(compute())) == 2
    assert compute().result("evaluation-1/shard-0")["files"] == {"repository/README.md": "hello"}


def test_a_job_that_crashed_says_its_last_words(compute, job, until):
    """A program that ends by itself without a result is LOST too, with the last line it printed."""
    compute().submit(job(crash="MemoryError: out of memory"))
    until(lambda: phase(compute()) is JobPhase.LOST)

    [status] = compute().status(["evaluation-1/shard-0"])

    assert status.error == "the worker ended without a result: MemoryError: out of memory"
    with pytest.raises(NotFound, match="job evaluation-1/shard-0 has no result"):
        compute().result("evaluation-1/shard-0")


def test_a_job_that_says_it_failed_has_failed(compute, job, until):
    """The job's own error is told, and stays with a second submit."""
    compute().submit(job(result={"ok": False, "error": "data/full.jsonl:3: not JSON"}))
    until(lambda: phase(compute()) is JobPhase.FAILED)
    compute().submit(job())

    [status] = compute().status(["evaluation-1/shard-0"])

    assert status.error == "data/full.jsonl:3: not JSON"


def test_a_job_that_takes_too_long_is_ended(compute, job, until, tmp_path):
    """After its timeout the process is gone and the job has failed."""
    compute().submit(job(timeout=0, until=str(tmp_path / "never")))
    until(lambda: phase(compute()) is JobPhase.FAILED)

    assert compute().result("evaluation-1/shard-0") == {"ok": False, "error": "timed out after 0 s"}
    assert processes.all(tmp_path / "state") == []


def test_a_cancelled_job_is_ended_and_makes_room(compute, job, until, tmp_path):
    """Cancelling ends a running job and one that waits; the next in line starts."""
    for name in "abcd":
        compute().submit(job(name, until=str(tmp_path / "go")))
    compute().cancel("c")
    compute().cancel("a")
    compute().cancel("unknown")

    phases = [status.phase for status in compute().status(list("abcd"))]

    assert phases == ["failed", "running", "failed", "running"]
    assert compute().result("a")["error"] == "cancelled"


def test_a_job_is_found_by_another_host_process(compute, job, until, state, tmp_path):
    """Another host process sees the job running, from the files alone."""
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].done)
    script = (
        "import sys; from pathlib import Path; from adapters.local_compute import LocalCompute;"
        "print(LocalCompute(Path(sys.argv[1]), None, {}, 2).status(['evaluation-1/shard-0'])[0].phase)"
    )

    seen = subprocess.run([sys.executable, "-c", script, state], cwd=ROOT, capture_output=True, text=True, check=True)

    assert seen.stdout.strip() == "running"


def test_a_job_whose_starter_died_at_once_is_adopted(compute, job, until, state, tmp_path):
    """When the host died between the start and keeping the record, the job goes on and is not started twice."""
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].done)
    [file] = (state / "jobs").glob("[!.]*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"process": None}))
    [record] = (state / "processes").iterdir()
    record.unlink()

    assert phase(compute()) is JobPhase.RUNNING
    (tmp_path / "go").touch()
    until(lambda: phase(compute()) is JobPhase.DONE)
    assert len(rows(compute())) == 1


def test_a_job_whose_starter_died_before_the_start_is_started(compute, job, until, state, tmp_path):
    """When there is no process either, the job goes back in line."""
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].done)
    [file] = (state / "jobs").glob("[!.]*.json")
    processes.stop_all(state)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"process": None}))
    (tmp_path / "go").touch()

    until(lambda: phase(compute()) is JobPhase.DONE)

    assert len(rows(compute())) == 2


def test_an_unknown_job_is_lost(compute):
    """A machine that does not know a job asks for it to be submitted."""
    [status] = compute().status(["nothing"])

    assert (status.phase, status.error) == (JobPhase.LOST, "not known on this machine: submit it again")


def test_a_snapshot_that_is_missing_or_damaged_is_named(compute, job, blobs, snapshot, state):
    """The submitter learns which snapshot is at fault, and nothing is left in line."""
    with pytest.raises(NotFound, match=f"there is no blob snapshots/{'0' * 64}.tar.gz"):
        compute().submit(Job("x", "rows", "0" * 64, {}, 60))
    blobs.write(blob_names.snapshot(snapshot), b"something else")
    with pytest.raises(Invalid, match=f"snapshot {snapshot} is damaged"):
        compute().submit(job())

    assert [path.name for path in (state / "jobs").iterdir()] == [".lock"]


def test_names_that_differ_only_in_signs_are_different_jobs(compute, job, until):
    """Job names come from ids with all kinds of signs; each gets a directory of its own."""
    for name in ("a/b.c", "a_b.c", "a/b.d", "../a"):
        compute().submit(job(name))
    until(lambda: {status.phase for status in compute().status(["a/b.c", "a_b.c", "a/b.d", "../a"])} == {JobPhase.DONE})

    assert len({compute().results_file(name).parent for name in ("a/b.c", "a_b.c", "a/b.d", "../a")}) == 4
    assert compute().results_file("../a").is_relative_to(compute()._jobs)


def test_nothing_is_left_running(compute, job, until, state):
    """A job that has ended has no process and no record."""
    compute().submit(job())
    until(lambda: phase(compute()) is JobPhase.DONE)

    assert not psutil.pid_exists(rows(compute())[0]["pid"])
    assert processes.all(state) == []


EVALUATOR = """
def score(answer, expected):
    return {"exact": float(answer == expected)}
"""


def test_a_real_evaluation_runs_as_a_job(state, blobs, put_snapshot, until, tmp_path):
    """The real `python -m evaluation job` evaluates a real flow, with nothing but the scrubbed environment."""
    data = [{"id": name, "question": name, "expected": f"first: {name}"} for name in ("a", "b", "fail")]
    files = {"data.jsonl": "".join(json.dumps(row) + "\n" for row in data), "exact.py": EVALUATOR}
    snapshot = put_snapshot(blobs, tmp_path, "first", **files)
    columns = {"answer": "${target.answer}", "expected": "${data.expected}"}
    spec = {
        "target": {"promptflow": "flows/chat", "connections": {}},
        "dataset": "flows/chat/data.jsonl",
        "columns": {"question": "${data.question}"},
        "evaluators": {"exact": {"use": "flows.chat.exact:score", "columns": columns, "init": {}}},
        "seed": 1,
        "start": 0,
        "stop": 3,
        "concurrency": 2,
        "workers": 1,
        "row_timeout": 30,
        "retries": 0,
    }
    compute = LocalCompute(state, blobs, {}, 1)
    compute.submit(Job("real", "rows", snapshot, spec, 120))
    until(lambda: compute.status(["real"])[0].phase not in (JobPhase.QUEUED, JobPhase.RUNNING), 90)

    [status] = compute.status(["real"])
    assert status.phase is JobPhase.DONE, compute.log_tail("real")
    assert (status.done, status.total) == (3, 3)
    assert {key: compute.result("real")[key] for key in ("rows", "scored", "errored")} == {
        "rows": 3,
        "scored": 2,
        "errored": 1,
    }
    assert {row["id"] for row in rows(compute, "real")} == {"a", "b", "fail"}


def _landlock() -> int:
    try:
        return wall.version()
    except OSError:
        return 0


LANDLOCK = _landlock()
WALLED = pytest.mark.skipif(not LANDLOCK, reason="no Landlock here: a stranger's code does not run at all")
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.mark.parametrize("sealed", [pytest.param(True, marks=WALLED), False])
def test_a_strangers_code_gets_no_secret_and_no_model(sealed, state, blobs, put_snapshot, until, tmp_path, monkeypatch):
    """A real sealed validation of a flow with connections prints its environment; its sample rows are left out."""
    monkeypatch.setenv("DRAWBRIDGE_WEBHOOK_SECRET", "s3cret-of-the-host")
    rows = json.dumps({"id": "s1", "question": "environment"}) + "\n"
    config = samples.CONFIG.model_copy(
        update={
            "target": Target(promptflow="flows/chat", connections=CONNECTIONS),
            "validation": Validation(commands=[f"python -c '{SHOW}'"], sample="flows/chat/sample.jsonl"),
        }
    )
    snapshot = put_snapshot(blobs, tmp_path, "first", sample__jsonl=rows)
    entry = blobs.read_json(plan("change-1", snapshot, config, blobs, sealed))["validation"][0]
    compute = LocalCompute(state, blobs, {"MODEL_API_KEY": "s3cret", "MODEL_URL": "http://127.0.0.1:9"}, 1)

    compute.submit(wire.read(Job, entry["job"]))
    until(lambda: compute.status(["change-1.validate"])[0].phase not in (JobPhase.QUEUED, JobPhase.RUNNING), 90)

    result = compute.result("change-1.validate")
    assert result["ok"], compute.log_tail("change-1.validate")
    said = [step["output_tail"] for step in result["steps"]]
    assert ("s3cret" in said[0]) is not sealed
    assert "MODEL_URL" not in said[0] or not sealed
    assert [step["step"].split()[0] for step in result["steps"]] == ["python", "load"] + ([] if sealed else ["sample"])
    assert "s3cret-of-the-host" not in json.dumps(result)


# What a fork's command tries with what it finds on the machine; each line says what came of it.
BURGLAR = """
import os, signal, sys
host, state, code = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def tried(what, act):
    try:
        act()
        print(what, "worked")
    except OSError as error:
        print(what, error.strerror)
tried("environment", lambda: open(f"/proc/{host}/environ").read())
tried("memory", lambda: open(f"/proc/{host}/mem").read(1))
tried("secrets", lambda: open(state + "/secrets.json").read())
tried("settings", lambda: open(code + "/settings.py").read())
tried("code", lambda: open(code + "/evaluation/summary.py", "a"))
tried("signal", lambda: os.kill(host, 0))
tried("own", lambda: open("/proc/self/environ").read())
tried("files", lambda: open("made-here", "w"))
"""


@pytest.mark.parametrize("sealed", [pytest.param(True, marks=WALLED), False])
def test_a_strangers_code_is_walled_off_from_the_host(sealed, state, blobs, put_snapshot, until, tmp_path):
    """A fork's command cannot look into the host, though it is the same user, nor touch what others run next."""
    state.mkdir(exist_ok=True)
    (state / "secrets.json").write_text("s3cret")
    command = f"python flows/chat/burglar.py {os.getpid()} {state} {ROOT}"
    validation = Validation(commands=[command], sample="flows/chat/none.jsonl")
    config = samples.CONFIG.model_copy(update={"validation": validation})
    snapshot = put_snapshot(blobs, tmp_path, "first", burglar__py=BURGLAR)
    entry = blobs.read_json(plan("change-1", snapshot, config, blobs, sealed))["validation"][0]
    compute = LocalCompute(state, blobs, {}, 1)

    compute.submit(wire.read(Job, entry["job"]))
    until(lambda: compute.status(["change-1.validate"])[0].phase not in (JobPhase.QUEUED, JobPhase.RUNNING), 90)

    said = compute.result("change-1.validate")["steps"][0]["output_tail"]
    came_of = dict(line.split(" ", 1) for line in said.splitlines())
    barred = {what for what, came in came_of.items() if came == "Permission denied"}
    if sealed:
        assert barred == {"environment", "memory", "secrets", "settings", "code"}
    else:
        assert barred <= {"memory"}  # which many systems keep for a process and its parents
    assert (came_of["signal"] == "Operation not permitted") is (sealed and LANDLOCK >= wall.NO_SIGNALS_SINCE)
    assert (came_of["own"], came_of["files"]) == ("worked", "worked")


@pytest.mark.parametrize("step", range(1, 9))
def test_a_host_killed_while_it_submits_has_the_job_run_once(
    compute, job, until, state, snapshot, azurite, killed_after, tmp_path, step
):
    """Killed -9 after any of its steps and asked again by the next host, the job runs exactly once."""
    container, program = compute()._blobs._container.container_name, list(compute()._command)
    statement = (
        f"compute = LocalCompute(Path({str(state)!r}), Blobs({azurite!r}, {container!r}), {{}}, 2, {program!r})\n"
        f"compute.submit(Job('evaluation-1/shard-0', 'rows', {snapshot!r}, {{'until': {str(tmp_path / 'go')!r}}}, 60))"
    )

    killed = killed_after(step, statement)

    assert killed.returncode == -signal.SIGKILL, killed
    compute().submit(job(until=str(tmp_path / "go")))
    until(lambda: compute().status(["evaluation-1/shard-0"])[0].done)
    (tmp_path / "go").touch()
    until(lambda: phase(compute()) is JobPhase.DONE)
    assert len(rows(compute())) == 1
    assert processes.all(state) == []
