"""Plan an evaluation: fix everything its result depends on, and cut it into jobs."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from domain import blob_names, gates
from domain.config import Config, Plan
from domain.errors import Invalid
from domain.models import Job
from evaluation.dataset import content_hash, order, read_dataset
from settings import current

bp = df.Blueprint()

SYNTAX = "syntax"  # the kind of an evaluation that only asks whether everything runs
SETUP_TIME = 600  # seconds a job may need besides its rows


@bp.activity_trigger(input_name="payload")
def plan_evaluation(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"blob", "parts": of the plan, one after the other, "poll", "stage"}, or {"error": what to mend}.

    Input: {"id", "kind", "repository", "commit", "snapshot", "config"}, and {"plan": minimal | full} for another kind.
    """
    settings = current()
    try:
        plan = make_plan(payload, connect.blobs(settings))
    except Invalid as error:
        return {"error": str(error)}
    return {**plan, "poll": settings.poll_seconds, "stage": f"evaluate-{payload['kind']}"}


def make_plan(wanted: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Read the dataset, write plan.json and return its parts. Raises Invalid naming file and line."""
    config = Config.model_validate(wanted["config"])
    chosen: Plan = _chosen(config, wanted.get("plan") or wanted["kind"])
    ids, dataset_hash = _dataset(chosen.data, wanted["snapshot"], config.evaluation.seed, blobs)
    shards = [
        _shard(wanted, config, chosen, number, start, stop)
        for number, (start, stop) in enumerate(cut(len(ids), chosen.shards))
    ]
    evaluators = _evaluators(config)
    aggregates = [_aggregate(wanted, config, len(shards))] if _may_aggregate(config) else []
    compared = wanted["kind"] != SYNTAX
    baseline = blobs.read_json(blob_names.baseline(wanted["repository"], chosen.data)) if compared else None
    plan = {
        "id": wanted["id"],
        "kind": wanted["kind"],
        "repository": wanted["repository"],
        "commit": wanted["commit"],
        "snapshot": wanted["snapshot"],
        "target": config.target.model_dump(mode="json"),
        "dataset": chosen.data,
        "dataset_hash": dataset_hash,
        "ids": ids,
        "seed": config.evaluation.seed,
        "columns": config.evaluation.columns,
        "evaluators": evaluators,
        "gates": chosen.gates,
        "fingerprint": gates.fingerprint(dataset_hash, evaluators, config.evaluation.columns),
        "baseline": baseline["evaluation"] if baseline else None,
        "shards": [
            {"job": asdict(job), "results": blob_names.shard(wanted["id"], number)} for number, job in enumerate(shards)
        ],
        "aggregates": [{"job": asdict(job), "results": None} for job in aggregates],
    }
    blobs.write_json(blob_names.plan(wanted["id"]), plan)
    parts = ["shards", "aggregates"] if aggregates else ["shards"]
    return {"blob": blob_names.plan(wanted["id"]), "parts": parts}


def _chosen(config: Config, kind: str) -> Plan:
    """Return what a kind of evaluation runs on; `syntax` is the whole way, over the sample rows, without a score."""
    if kind == SYNTAX:
        return Plan(data=config.validation.sample, gates=["errors <= 0"])
    plan: Plan = getattr(config.evaluation, kind)
    return plan


def cut(rows: int, shards: int) -> list[tuple[int, int]]:
    """Cut `rows` into at most `shards` slices of nearly equal length, none empty."""
    count = min(shards, rows)
    edges = [rows * number // count for number in range(count + 1)]
    return list(pairwise(edges))


def _may_aggregate(config: Config) -> bool:
    """Say whether an evaluator is a Prompt Flow evaluation flow: only those have aggregation nodes."""
    uses = [used.use for used in config.evaluation.evaluators.values()]
    return any(":" not in use and not use.startswith("azure.ai.evaluation.") for use in uses)


def _dataset(path: str, snapshot: str, seed: int, blobs: Blobs) -> tuple[list[str], str]:
    content = records.read_snapshot_file(blobs, snapshot, path)
    if content is None:
        raise Invalid(f"{path} is not in the repository: evaluation data must be committed with the flow.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(path).name)
        file.write_bytes(content)
        rows = read_dataset(file, path)
    return [row.id for row in order(rows, seed)], content_hash(rows)


def _shard(wanted: dict[str, Any], config: Config, chosen: Plan, number: int, start: int, stop: int) -> Job:
    rules = config.evaluation
    spec = {
        "target": config.target.model_dump(mode="json"),
        "dataset": chosen.data,
        "columns": rules.columns,
        "evaluators": _evaluators(config),
        "seed": rules.seed,
        "start": start,
        "stop": stop,
        "concurrency": rules.concurrency,
        "workers": rules.workers,
        "row_timeout": rules.row_timeout,
        "retries": rules.retries,
    }
    # Every row may use its whole time, once: a slower shard is stuck, and must end some time.
    longest = SETUP_TIME + (stop - start) * rules.row_timeout * 2 // (rules.concurrency * rules.workers)
    short = chosen is not config.evaluation.full
    return Job(f"{wanted['id']}.{number}", "rows", wanted["snapshot"], spec, timeout=longest, short=short)


def _aggregate(wanted: dict[str, Any], config: Config, shards: int) -> Job:
    inputs = {f"inputs/{number}.jsonl": blob_names.shard(wanted["id"], number) for number in range(shards)}
    spec = {
        "target": config.target.model_dump(mode="json"),
        "evaluators": _evaluators(config),
        "results": list(inputs),
    }
    name = f"{wanted['id']}.aggregate"
    return Job(name, "aggregate", wanted["snapshot"], spec, timeout=SETUP_TIME, inputs=inputs, short=True)


def _evaluators(config: Config) -> dict[str, Any]:
    return {name: used.model_dump(mode="json") for name, used in config.evaluation.evaluators.items()}
