"""Replay: what an evaluation's orchestrators cost as its rows double, beside a flat fan-out on the same SDK."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Generator
from typing import Any

import azure.durable_functions as df

from benchmarks.simulated_hub import START, SimulatedHub
from orchestrators import evaluation, jobs

ROWS_PER_SHARD = 64
ROWS_PER_SECOND = 4096 / (6 * 3600)  # the evaluation that this was built for: 4,096 rows in six hours
POLL = 30.0  # seconds, the default of DRAWBRIDGE_POLL_SECONDS
SMALL, LARGE = 2048, 4096
FLAT_SMALL, FLAT_LARGE = 64, 128  # flat at 4,096 rows takes hours
MEGABYTE = 1_000_000


def main(runs: int) -> list[dict[str, Any]]:
    """Measure growth and history; ours and the flat fan-out alternate."""
    smalls, larges, flat_smalls, flat_larges = [], [], [], []
    for _ in range(runs):
        smalls.append(_ours(SMALL))
        larges.append(_ours(LARGE))
        smalls.append(_ours(SMALL))  # before and after: a machine that slows down meanwhile looks like growth
        flat_smalls.append(_flat(FLAT_SMALL))
        flat_larges.append(_flat(FLAT_LARGE))
    small_cpu, large_cpu, flat_small_cpu, flat_large_cpu = (
        statistics.median(hub.cpu for hub in hubs) for hubs in (smalls, larges, flat_smalls, flat_larges)
    )
    ours, peer = large_cpu / small_cpu, flat_large_cpu / flat_small_cpu
    small, large, flat_large = smalls[-1], larges[-1], flat_larges[-1]  # what is no time is the same in each run
    flat = f"flat fan-out {FLAT_SMALL} to {FLAT_LARGE}: {flat_small_cpu:.2f} s to {flat_large_cpu:.2f} s: {peer:.2f} x"
    return [
        {
            "name": f"replay: orchestrator CPU from {SMALL:,} to {LARGE:,} rows",
            "ours": f"{small_cpu:.2f} s to {large_cpu:.2f} s: {ours:.2f} x",
            "peer": flat,
            "ratio": ours,
            "goal": 2.2,
            "note": f"real SDK replay, simulated hub; {small.events:,} to {large.events:,} events replayed "
            f"({large.events / small.events:.2f} x), {large.episodes:,} episodes, {large.generations} generations",
        },
        {
            "name": f"replay: largest history of one instance, {LARGE:,} rows",
            "ours": f"{large.largest_history / 1000:,.0f} KB",
            "peer": f"flat fan-out of {FLAT_LARGE}: {flat_large.largest_history / 1000:,.0f} KB",
            "ratio": large.largest_history / MEGABYTE,
            "goal": 1.0,
            "note": "against 1 MB; as JSON handed to the SDK",
        },
    ]


def _ours(rows: int) -> SimulatedHub:
    compute = _SimulatedCompute(rows)
    activities = {
        "plan_evaluation": compute.plan,
        "advance_jobs": compute.advance,
        "conclude_evaluation": lambda _: {"summary": {"rows": rows, "padding": "x" * 4000}},
    }
    gc.collect()  # what an earlier run left is not this one's work
    hub = SimulatedHub(
        {"evaluation": _replayed(evaluation.evaluation), "run_jobs": _replayed(jobs.run_jobs)}, activities
    )
    compute.hub = hub
    summary = hub.run("evaluation", {"id": "release-contoso.helpdesk-" + "a" * 40 + ".full", "kind": "full"})
    if summary["summary"]["rows"] != rows:
        raise RuntimeError(f"the evaluation came to {summary}")
    return hub


class _SimulatedCompute:
    """Jobs that progress with the virtual clock, two at a time, as one machine runs them."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.shards = rows // ROWS_PER_SHARD
        self.hub: SimulatedHub | None = None

    def plan(self, _: Any) -> dict[str, Any]:
        return {"blob": "plan.json", "parts": ["shards"], "poll": POLL, "stage": "evaluate-full"}

    def advance(self, look: dict[str, Any]) -> dict[str, Any]:
        assert self.hub is not None  # noqa: S101  set before anything runs
        done = min(self.rows, int((self.hub.now - START).total_seconds() * ROWS_PER_SECOND))
        new = [str(n) for n in range(done // ROWS_PER_SHARD) if str(n) not in look["finished"]]
        return {
            "finished": {number: {"ok": True, "error": "", "metrics": {}} for number in new},
            "lost": {},
            "jobs": self.shards,
            "rows": {"done": done, "total": self.rows},
        }


def _flat(rows: int) -> SimulatedHub:
    def orchestrate(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
        return len((yield context.task_all([context.call_activity("score", {"row": row}) for row in range(rows)])))

    hub = SimulatedHub({"flat": df.Orchestrator.create(orchestrate)}, {"score": lambda _: {"f1": 0.5}})
    if hub.run("flat", None) != rows:
        raise RuntimeError("the flat fan-out lost rows")
    return hub


def _replayed(handle: Any) -> Callable[[str], str]:
    """Return the SDK's own entry into a decorated orchestrator."""
    replayed: Callable[[str], str] = df.Orchestrator.create(handle.build().get_user_function().orchestrator_function)
    return replayed
