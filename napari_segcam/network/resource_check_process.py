"""The process that checks a network: it reads the file, runs the network, and reports the outcome."""

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

_FORKS = sys.platform == "linux"  # elsewhere a forked process may not use what torch uses
_IDLE = 300  # seconds, after which the process ends; the next file starts it again
_GLANCE = 0.02  # seconds between two looks at what was taken
_SLACK = 2**28  # bytes of addresses that threads reserve and do not use
_BUSY = 10  # times longer than its processor's time may all of it take
_GRACE = 10  # seconds, more than that

_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "bad_alloc", "out of memory", "Unable to allocate")


def serve() -> None:
    """Try out file after file, one request a line; say a word on each to whoever asked."""
    torch.set_num_threads(1)
    os.environ.setdefault("KERAS_BACKEND", "torch")
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:  # what is imported, and networks, may print
        os.dup2(nowhere.fileno(), 1)
    while line := _next_line():
        request = json.loads(line)
        if _FORKS:
            check_in_fork(request)
        else:
            _import(request)
            _try_out(request)
        print("done", file=answers, flush=True)
        if not _FORKS:
            return


def check_in_fork(request: dict[str, Any]) -> None:
    """Try out one file in a copy of this process, which is ended if it does not end by itself.

    Args:
        request: ``path`` of the file; ``weights``, which network in it; ``libraries`` to be imported before;
            ``seconds`` and ``bytes`` it may take; ``report``, the file that its outcome is written to.

    Raises:
        OSError: if there can be no copy.
    """
    _import(request)
    until = time.monotonic() + _BUSY * request["seconds"] + 2 * _GRACE
    if (child := os.fork()) == 0:
        try:
            os.environ |= {IN_CHECK: "1", "CUDA_VISIBLE_DEVICES": ""}
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):  # networks may print
                os.dup2(nowhere, stream)
            sys.stdout = sys.stderr = open(nowhere, "w", closefd=False)  # noqa: SIM115 - it ends with the process
            torch.set_num_threads(1)
            _try_out(request)
        finally:
            os._exit(0)
    ended, status = 0, 0
    try:
        while not ended and time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0 if ended else _GLANCE / 2)
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if not ended or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == _cpu_signal()):
        Path(request["report"]).write_text("time")


def _import(request: dict[str, Any]) -> None:
    for library in request["libraries"]:
        with suppress(Exception):
            importlib.import_module(library)


def _next_line() -> str:
    if _FORKS and not select.select([sys.stdin], [], [], _IDLE)[0]:
        return ""
    return sys.stdin.readline()


def _try_out(request: dict[str, Any]) -> None:
    report = Path(request["report"])
    _limit(report, request["seconds"], request["bytes"])
    try:
        outcome = _run(Path(request["path"]), request["weights"])
    except MemoryError:
        outcome = "memory"
    except Exception as error:
        outcome = "memory" if any(words in str(error) for words in _OUT_OF_MEMORY) else "passed"
    report.write_text(outcome)


def _run(path: Path, weights: str | None) -> str:
    """Read and run the network, with as many channels as it may be told to take."""
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


def _limit(report: Path, seconds: float, size: int) -> None:
    """From now on, end this process once it has taken more than that of the processor's time, or of memory."""
    begun, before, began = time.process_time(), _memory(), time.monotonic()
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = math.ceil(begun + seconds + 2)
        resource.setrlimit(resource.RLIMIT_CPU, (used, used + 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        addresses = _addresses()
        if addresses is not None:
            resource.setrlimit(resource.RLIMIT_AS, (addresses + size + _SLACK,) * 2)

    def watch() -> None:
        while True:
            time.sleep(_GLANCE)
            late = time.process_time() - begun > seconds or time.monotonic() - began > _BUSY * seconds + _GRACE
            if late or _memory() - before > size:
                report.write_text("time" if late else "memory")
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _memory() -> int:
    """Bytes that this process has in memory, or had at most where that is all that is known; 0 where nothing is."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with suppress(ImportError):
        psutil = importlib.import_module("psutil")
        return int(psutil.Process().memory_info().rss)
    return 0


def _addresses() -> int | None:
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _cpu_signal() -> int:
    return int(getattr(signal, "SIGXCPU", -1))
