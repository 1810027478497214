"""Check the time and memory of a network from a file: run it once in a process that can be stopped.

A network in a file is more than weights. It is a program whose loops may be endless, or a graph whose layers may need
any amount of memory, and only a run shows it. So another process first runs it on small images of noise, with limits on
time and memory. Only a network that passes is read and run in this process.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from napari_segcam.budget import MIB, RESOURCE_CHECK_BYTES, RESOURCE_CHECK_SECONDS, RESOURCE_CHECK_SECONDS_PER_MB
from napari_segcam.errors import SegcamError

Form = Literal["pickled", "torchscript", "exported", "keras", "onnx"]
Outcome = Literal["passed", "time", "memory", "crash"]

_log = logging.getLogger(__name__)

# Set in the other process, so that it does not start a check of its own.
IN_CHECK = "NAPARI_SEGCAM_TRIAL"

# Imported by name: it needs the modules that read and run networks, which import this module.
_CHECK_MODULE = "napari_segcam.network.resource_check_process"

_START_SECONDS = 120  # on a busy machine
_WALL_TIME_FACTOR = 20  # wall time allowed for each second of processor time

_LIBRARIES = {"keras": ("keras", "h5py"), "onnx": ("onnx", "onnx.inliner", "onnxruntime")}

_REASONS = {
    "time": "took longer than any network should (perhaps an endless loop)",
    "memory": "needed more memory than any network should",
    "crash": "made the process that ran it crash",
}


def check_resources(
    path: Path, form: Form, libraries: Iterable[str] = (), weights: str | None = None, size: int | None = None
) -> None:
    """Let another process read a file and run the network in it, which takes a second or two.

    Args:
        path: path of the file.
        form: form of the network in the file.
        libraries: libraries that the network's classes come from. The time to import them does not count.
        weights: which network to run if the file holds several.
        size: of the network's files in bytes, if it has more than this one.

    Raises:
        SegcamError: if the run takes too much time or memory, or the process crashes. Other errors appear when the file
            is read afterwards.
    """
    if IN_CHECK in os.environ:
        return
    megabytes = (path.stat().st_size if size is None else size) / 1e6
    request: dict[str, object] = {
        "path": str(path.resolve()),
        "weights": weights,
        "libraries": sorted({*libraries, *_LIBRARIES.get(form, ())}),
        "seconds": RESOURCE_CHECK_SECONDS + megabytes * RESOURCE_CHECK_SECONDS_PER_MB,
        "bytes": int(RESOURCE_CHECK_BYTES + 8 * megabytes * MIB),
    }
    outcome = _check_in_fork(request) if _can_fork() else _PROCESS.check(request)
    if outcome != "passed":
        raise SegcamError(f"{path} was not opened: in a test run, its network {_REASONS[outcome]}.")


def _can_fork() -> bool:
    """Return whether a fork of this process can run the check. It shares memory and has imported torch already.

    A fork has only the thread that forked. It would wait forever for a lock that another thread holds, for example a
    window's. The threads of rich are safe: they only draw on the terminal, and the fork does not.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    all_from_rich = all(type(thread).__module__.startswith("rich.") for thread in others)
    return sys.platform == "linux" and all_from_rich and "qtpy" not in sys.modules


def _check_in_fork(request: dict[str, object]) -> Outcome:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads of libraries, which the fork does not use
        report = Path(folder) / "outcome"
        try:
            importlib.import_module(_CHECK_MODULE).check_in_fork({**request, "report": str(report)})
        except OSError as error:
            raise _start_error(error) from error
        return _read_outcome(report)


def _read_outcome(report: Path) -> Outcome:
    with suppress(OSError):
        outcome = report.read_text("ascii")
        if outcome in ("passed", "time", "memory"):
            return outcome  # type: ignore[return-value]
    return "crash"


def _start_error(error: Exception) -> SegcamError:
    return SegcamError(f"The process for the test run of the network cannot be started: {error}.")


class _Process:
    """A separate process. On Linux it stays for the next file, and forks for each file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None

    def check(self, request: dict[str, object]) -> Outcome:
        with self._lock, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            report = Path(folder) / "outcome"
            line = json.dumps(request | {"report": str(report)})
            seconds = float(str(request["seconds"])) * _WALL_TIME_FACTOR + _START_SECONDS
            if not self._send(line, seconds):
                return "crash" if report.exists() else "time"
            return _read_outcome(report)

    def _send(self, line: str, seconds: float) -> bool:
        """Send a request, wait until it is done, and return whether it was done in time."""
        process = self._start()
        answers: list[str] = []
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.write(line + "\n")
            process.stdin.flush()
        reader = threading.Thread(target=lambda: answers.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        reader.join(seconds)
        in_time = bool(answers)  # now: when the process is killed, its reader gets an empty answer
        if not in_time or not answers[0]:
            process.kill()
            process.wait()
            self._running = None
            if in_time:
                _log.info("The process for test runs of networks has ended during a run")
            else:
                _log.info("The process for test runs of networks was ended: it did not answer within %.0f s", seconds)
        return in_time

    def _start(self) -> subprocess.Popen[str]:
        if self._running is not None and self._running.poll() is None:
            return self._running
        if self._running is not None:
            code = self._running.returncode
            _log.info("The process for test runs of networks has ended with code %d: it is started again", code)
        program = f"import sys; sys.path[:] = {sys.path!r}; from {_CHECK_MODULE} import serve; serve()"
        environment = {**os.environ, IN_CHECK: "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        try:
            self._running = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=environment,
            )
        except (OSError, ValueError) as error:
            raise _start_error(error) from error
        return self._running


_PROCESS = _Process()
