"""Check the time and memory of a network from a file: run it once in a process that can be ended.

Such a network is more than weights. It is a program, whose loops may have no end, or a graph whose layers ask for any
amount of memory; nothing short of running it tells. So another process runs it first, on small images of noise, with a
limit on its time and memory. Only a network that passes is read and run here.
"""

from __future__ import annotations

import importlib
import json
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

Form = Literal["pickled", "torchscript", "exported", "keras"]
Outcome = Literal["passed", "time", "memory", "crash"]

# The other process does not try out what it tries out, and so has this set.
IN_CHECK = "NAPARI_SEGCAM_TRIAL"

# It reads files and runs networks with all that is above this module, and so is started by its name.
_PROGRAM = "napari_segcam.network.resource_check_process"

_STARTS_WITHIN = 120  # seconds, on a machine that is busy
_BUSY = 20  # times longer than its processor's time may all of it take

_NEEDED = {"keras": ("keras", "h5py")}

_REFUSED = {
    "time": "takes longer than any network should (an endless loop, perhaps)",
    "memory": "asks for more memory than any network should",
    "crash": "ends the process that runs it",
}


def check_resources(path: Path, form: Form, libraries: Iterable[str] = (), weights: str | None = None) -> None:
    """Let another process read a file and run the network in it; it takes a second or two.

    Args:
        path: of the file.
        form: of the network in it.
        libraries: whose classes the network is of. They take long to import, which does not count.
        weights: which network, where the file holds several.

    Raises:
        SegcamError: if that takes too long or too much memory, or ends the process. Other faults are left to whoever
            reads the file then.
    """
    if IN_CHECK in os.environ:
        return
    megabytes = path.stat().st_size / 1e6
    request: dict[str, object] = {
        "path": str(path.resolve()),
        "weights": weights,
        "libraries": sorted({*libraries, *_NEEDED.get(form, ())}),
        "seconds": RESOURCE_CHECK_SECONDS + megabytes * RESOURCE_CHECK_SECONDS_PER_MB,
        "bytes": int(RESOURCE_CHECK_BYTES + 8 * megabytes * MIB),
    }
    outcome = _outcome_in_a_copy(request) if _can_be_copied() else _PROCESS.outcome_of(request)
    if outcome != "passed":
        raise SegcamError(f"{path} was not opened: its network was tried out and {_REFUSED[outcome]}.")


def _can_be_copied() -> bool:
    """Whether a copy of this process can do it, which shares its memory and has imported torch already.

    A copy has only the thread that made it. What others hold, a window's for example, it would wait for without end.
    Those of rich only draw on the terminal, which the copy does not.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    drawing = all(type(thread).__module__.startswith("rich.") for thread in others)
    return sys.platform == "linux" and drawing and "qtpy" not in sys.modules


def _outcome_in_a_copy(request: dict[str, object]) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of libraries, which the copy does not use
        report = Path(folder) / "outcome"
        try:
            importlib.import_module(_PROGRAM).check_in_fork({**request, "report": str(report)})
        except OSError as error:
            raise _no_process(error) from error
        return _reported(report)


def _reported(report: Path) -> Outcome:
    with suppress(OSError):
        outcome = report.read_text("ascii")
        if outcome in ("passed", "time", "memory"):
            return outcome  # type: ignore[return-value]
    return "crash"


def _no_process(error: Exception) -> SegcamError:
    return SegcamError(f"No process can be started that would try the network out: {error}.")


class _Process:
    """A process of its own. On Linux it stays for the next file, and makes a process of its own for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None

    def outcome_of(self, request: dict[str, object]) -> Outcome:
        with self._lock, tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "outcome"
            line = json.dumps(request | {"report": str(report)})
            seconds = float(str(request["seconds"])) * _BUSY + _STARTS_WITHIN
            if not self._ask(line, seconds):
                return "crash" if report.exists() else "time"
            return _reported(report)

    def _ask(self, line: str, seconds: float) -> bool:
        """Send a request and wait until it is done; whether it was, in time."""
        process = self._started()
        done: list[str] = []
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.write(line + "\n")
            process.stdin.flush()
        reader = threading.Thread(target=lambda: done.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        reader.join(seconds)
        if not done or not done[0]:
            process.kill()
            process.wait()
            self._running = None
        return bool(done)

    def _started(self) -> subprocess.Popen[str]:
        if self._running is not None and self._running.poll() is None:
            return self._running
        begin = f"import sys; sys.path[:] = {sys.path!r}; from {_PROGRAM} import serve; serve()"
        environment = {**os.environ, IN_CHECK: "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        try:
            self._running = subprocess.Popen(
                [sys.executable, "-c", begin],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=environment,
            )
        except (OSError, ValueError) as error:
            raise _no_process(error) from error
        return self._running


_PROCESS = _Process()
