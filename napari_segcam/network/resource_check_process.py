"""Check a network in its own process: read the file, run the network, and report the outcome."""

from __future__ import annotations

import importlib
import json
import math
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.loading import input_channels_of
from napari_segcam.network.model_card import find_card
from napari_segcam.network.resource_check import IN_CHECK
from napari_segcam.network.running.dry_run import dry_run
from napari_segcam.network.running.module_preparation import prepare_module

_FORKS = sys.platform == "linux"  # elsewhere torch does not work in a forked process
_IDLE_SECONDS = 300  # until the process ends by itself; the next file starts it again
_WATCH_SECONDS = 0.02  # between two looks at the time and memory used
_RESERVED_BYTES = 2**28  # of addresses that threads reserve but do not use
_WALL_TIME_FACTOR = 10  # wall time allowed for each second of processor time
_GRACE_SECONDS = 10  # added to the wall time

_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "bad_alloc", "out of memory", "Unable to allocate")


def serve() -> None:
    """Check one file for each line of standard input, and answer each with a line."""
    torch.set_num_threads(1)
    os.environ.setdefault("KERAS_BACKEND", "torch")
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w", encoding="utf-8") as null_device:  # imports and networks may print
        os.dup2(null_device.fileno(), 1)
    while line := _next_line():
        request = json.loads(line)
        if _FORKS:
            check_in_fork(request)
        else:
            _import_libraries(request)
            _check(request)
        print("done", file=answers, flush=True)
        if not _FORKS:
            return


def check_in_fork(request: dict[str, Any]) -> None:
    """Check one file in a fork of this process, and kill the fork if it does not end by itself.

    Args:
        request: ``path`` of the file; ``weights``, which network in it; ``libraries`` to import before; the most
            ``seconds`` and ``bytes``; ``report``, the path of the file for the outcome.

    Raises:
        OSError: if the process cannot be forked.
    """
    _import_libraries(request)
    deadline = time.monotonic() + _WALL_TIME_FACTOR * request["seconds"] + 2 * _GRACE_SECONDS
    if (child := os.fork()) == 0:
        try:
            os.environ |= {IN_CHECK: "1", "CUDA_VISIBLE_DEVICES": ""}
            null_device = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):  # networks may print
                os.dup2(null_device, stream)
            sys.stdout = sys.stderr = open(null_device, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - closed when the process ends
            torch.set_num_threads(1)
            _check(request)
        finally:
            os._exit(0)
    ended_process, status = 0, 0
    try:
        while not ended_process and time.monotonic() < deadline:
            ended_process, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0 if ended_process else _WATCH_SECONDS / 2)
    finally:
        if not ended_process:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if not ended_process or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == _cpu_signal()):
        Path(request["report"]).write_text("time", encoding="utf-8")


def _import_libraries(request: dict[str, Any]) -> None:
    for library in request["libraries"]:
        with suppress(Exception):
            importlib.import_module(library)


def _next_line() -> str:
    if _FORKS and not select.select([sys.stdin], [], [], _IDLE_SECONDS)[0]:
        return ""
    return sys.stdin.readline()


def _check(request: dict[str, Any]) -> None:
    report = Path(request["report"])
    _limit_resources(report, request["seconds"], request["bytes"])
    try:
        outcome = _read_and_run(Path(request["path"]), request["weights"])
    except MemoryError:
        outcome = "memory"
    except Exception as error:
        outcome = "memory" if any(words in str(error) for words in _OUT_OF_MEMORY) else "passed"
    report.write_text(outcome, encoding="utf-8")


def _read_and_run(path: Path, weights: str | None) -> str:
    """Read and run the network, once for each number of image channels that it may be used with."""
    module = read_checkpoint(path, weights).module
    if module is None:
        return "passed"
    module = prepare_module(module).requires_grad_(False).float()
    channels, size = [3, 1], None
    with suppress(SegcamError):
        channels.insert(0, input_channels_of(module))
    with suppress(SegcamError):
        card = find_card(path)
        if card is not None:
            channels, size = [card.input_channels, *channels], card.size.fixed
    for count in dict.fromkeys(channels):
        try:
            with torch.no_grad():
                dry_run(module, count, module, size=size)
        except SegcamError as error:
            if any(words in str(error) for words in _OUT_OF_MEMORY):
                return "memory"
    return "passed"


def _limit_resources(report: Path, seconds: float, memory_limit: int) -> None:
    """Make this process end once it uses more processor time, in seconds, or more memory, in bytes, from now on."""
    start_processor_time, start_memory, start_time = time.process_time(), _used_memory(), time.monotonic()
    with suppress(ImportError, ValueError, OSError):
        import resource

        processor_seconds = math.ceil(start_processor_time + seconds + 2)
        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        address_space = _address_space()
        if address_space is not None:
            resource.setrlimit(resource.RLIMIT_AS, (address_space + memory_limit + _RESERVED_BYTES,) * 2)

    def watch() -> None:
        while True:
            time.sleep(_WATCH_SECONDS)
            late = time.process_time() - start_processor_time > seconds
            late = late or time.monotonic() - start_time > _WALL_TIME_FACTOR * seconds + _GRACE_SECONDS
            if late or _used_memory() - start_memory > memory_limit:
                report.write_text("time" if late else "memory", encoding="utf-8")
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _used_memory() -> int:
    """Return the bytes of memory that this process uses, or the most it has used if only that is known, or else 0."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with suppress(ImportError):
        psutil = importlib.import_module("psutil")
        return int(psutil.Process().memory_info().rss)
    return 0


def _address_space() -> int | None:
    """Return the bytes of addresses that this process has reserved; None if unknown."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _cpu_signal() -> int:
    """Return the signal for too much processor time; -1 if the system has none."""
    return int(getattr(signal, "SIGXCPU", -1))
