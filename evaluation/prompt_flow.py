"""The Prompt Flow target: DAG flows, flex flows and prompty files, through `promptflow.core` and its executor.

The executor is built once per worker process: `Flow.invoke` builds it for every row, and a flow's modules with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import Invalid
from evaluation.failures import describe
from evaluation.light_import import create_lightly, import_promptflow_core, stop_inner_retries
from evaluation.openai_deferral import deferred_openai
from evaluation.targets import Answer

_NO_LIMIT = 7 * 86400  # seconds; the row timeout is kept by the supervisor
_KINDS = {
    "open_ai": "OpenAIConnection",
    "azure_open_ai": "AzureOpenAIConnection",
    "serverless": "ServerlessConnection",
    "azure_ai_services": "AzureAIServicesConnection",
    "azure_content_safety": "AzureContentSafetyConnection",
    "cognitive_search": "CognitiveSearchConnection",
    "form_recognizer": "FormRecognizerConnection",
    "serp": "SerpConnection",
    "custom": "CustomConnection",
}
_PROMPTY_KINDS = {"open_ai": "openai", "azure_open_ai": "azure_openai"}
_FLOW_FILES = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")


class RowFailed(Exception):
    """Prompt Flow reported a failed row without an exception."""


class FlowTarget:
    """A loaded flow."""

    def __init__(self, executor: Any, inputs: Mapping[str, bool]) -> None:
        self.inputs = inputs
        self.is_async = _is_async(executor)
        self._executor = executor

    def answer(self, inputs: Mapping[str, Any]) -> Answer:
        """Run the flow on one row. Raises what its node raised, wrapped by Prompt Flow."""
        return _read_result(self._executor.exec_line(dict(inputs), line_timeout_sec=_NO_LIMIT))

    async def answer_async(self, inputs: Mapping[str, Any]) -> Answer:
        """Run the flow on one row, on the running event loop."""
        return _read_result(await self._executor.exec_line_async(dict(inputs), line_timeout_sec=_NO_LIMIT))

    @property
    def aggregates(self) -> bool:
        """Whether the flow computes metrics over all rows."""
        return bool(self._executor.has_aggregation_node)

    def aggregate(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Run the aggregation over what `Answer.aggregation` kept of each row; return its metrics."""
        if any("output" in row for row in rows):  # a flex flow's __aggregate__ takes the rows' outputs
            result = self._executor.exec_aggregation({}, [row["output"] for row in rows])
        else:
            inputs, nodes = _columns([row["inputs"] for row in rows]), _columns([row["nodes"] for row in rows])
            result = self._executor.exec_aggregation(inputs, nodes)
        return dict(result.metrics)


def load_flow(path: str, repository: Path, connections: Mapping[str, Mapping[str, Any]]) -> FlowTarget:
    """Load a flow directory, flow file or prompty of the repository. Raises Invalid saying why it cannot be used."""
    file = _flow_file(repository / path, path)
    import_promptflow_core()
    known = {name: _connection(name, values) for name, values in connections.items()}
    try:
        executor = _load_executor(file, known, connections)
    except BaseException as error:  # a module of the flow may even call sys.exit
        raise Invalid(f"flow {path} cannot be loaded: {describe(error)}") from error
    stop_inner_retries()
    definitions = executor.get_inputs_definition()
    return FlowTarget(executor, {name: spec.default is None for name, spec in definitions.items()})


def _flow_file(place: Path, path: str) -> Path:
    if place.is_file():
        return place
    found = [place / name for name in _FLOW_FILES if (place / name).is_file()] or sorted(place.glob("*.prompty"))
    if len(found) != 1:
        what = "more than one flow" if found else "no flow" if place.is_dir() else "nothing"
        raise Invalid(f"flow {path}: there is {what}: expected {_FLOW_FILES[0]}, {_FLOW_FILES[2]} or one .prompty file")
    return found[0]


def _load_executor(file: Path, known: Mapping[str, Any], connections: Mapping[str, Mapping[str, Any]]) -> Any:
    with deferred_openai():
        from promptflow.core import Prompty  # noqa: PLC0415  slow, and only worker processes need it
        from promptflow.executor import FlowExecutor  # noqa: PLC0415

    def create(source: Any) -> Any:
        return FlowExecutor.create(source, dict(known), file.parent, raise_ex=True, env_exporter_setup=False)

    if file.suffix != ".prompty":
        return create_lightly(partial(create, file), file.read_text(encoding="utf-8"))
    prompty = Prompty.load(source=file)
    configuration = _prompty_configuration(prompty, connections)
    return create(Prompty.load(source=file, model={"configuration": configuration}) if configuration else prompty)


def _connection(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    kind = values.get("type", "")
    if kind not in _KINDS:
        raise Invalid(f"target.connections.{name}: type {kind!r} is unknown: expected one of {', '.join(_KINDS)}")
    settings = {key: value for key, value in values.items() if key != "type"}
    return {"name": name, "type": _KINDS[kind], "module": "promptflow.connections", "value": settings}


def _prompty_configuration(prompty: Any, connections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Replace a connection's name in a prompty by its values: by name it would be looked up in a local database."""
    configuration = prompty._data.get("model", {}).get("configuration", {})
    name = configuration.get("connection")
    if name is None or name not in connections:
        return None
    values = {key: value for key, value in connections[name].items() if key != "type"}
    return {**values, "type": _PROMPTY_KINDS.get(connections[name]["type"], ""), "connection": None}


def _is_async(executor: Any) -> bool:
    """Return whether the flow has only async code to wait on; the executor has no public question for it."""
    question = getattr(executor, "_should_use_async", None)
    if getattr(executor, "_is_async", False):
        return True
    try:
        return bool(question()) if question else False
    except Exception:  # not a public question: a version that answers otherwise is run in threads, which always works
        return False


def _read_result(result: Any) -> Answer:
    if result.run_info.error:
        raise RowFailed(result.run_info.error.get("message", "the flow failed without a message"))
    output = _as_dict(result.output)
    metrics = result.run_info.system_metrics or {}
    aggregation = {"inputs": result.run_info.inputs, "nodes": dict(result.aggregation_inputs), "output": output}
    if result.node_run_infos:
        del aggregation["output"]
    return Answer(output, int(metrics.get("total_tokens", 0)), aggregation)


def _as_dict(output: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return dataclasses.asdict(output)
    return dict(output) if isinstance(output, Mapping) else {"output": output}


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in (rows[0] if rows else {})}
