"""The wheel in a clean environment, as a stranger installs it, and the first heatmap there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from source import Finding

_NEEDED_GB = 10
_INSTALL_S = 3600
_WINDOW_S = 2700


def try_wheel(wheel: Path, root: Path, python: Path, what: str, extra: Sequence[str] = ()) -> Finding:
    """Make an environment, install the wheel with ``[all]``, wait for the first heatmap, and delete the environment.

    Nothing is pinned: these are the versions that users get today.

    Args:
        wheel: that was built.
        root: of the checkout, for its tools; the wheel runs outside it.
        python: the interpreter.
        what: the first column of the row.
        extra: requirements besides the wheel.
    """
    # Beside uv's cache: hard links need one disk, and an environment then takes hardly any of it.
    cache = os.environ.get("UV_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "uv"
    beside = Path(cache).absolute().parent
    beside.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="napari-segcam-release-", dir=beside))
    try:
        free = shutil.disk_usage(scratch).free / 1e9
        if free < _NEEDED_GB:
            return Finding(what, "FAILED", f"needs {_NEEDED_GB} GB of disk, and {free:.0f} are free")
        return _try(wheel, root, python, what, extra, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _try(wheel: Path, root: Path, python: Path, what: str, extra: Sequence[str], scratch: Path) -> Finding:
    venv = scratch / "venv"
    inside = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    requirements = [f"napari-segcam[all] @ {wheel.resolve().as_uri()}", *extra]
    begun = time.perf_counter()
    if uv is not None:
        commands = [
            [uv, "venv", "--no-python-downloads", "-p", str(python), str(venv)],
            [uv, "pip", "install", "-p", str(inside), "--refresh-package", "napari-segcam", *requirements],
        ]
    else:
        commands = [
            [str(python), "-m", "venv", str(venv)],
            [str(inside), "-m", "pip", "install", *requirements],
        ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment.setdefault("UV_COMPILE_BYTECODE", "1")  # as pip does; else the first import of torch does it
    for command in commands:
        failure = _run(command, scratch, environment, _INSTALL_S)
        if failure is not None:
            return Finding(what, "FAILED", f"not installed: {failure}")
    installed = time.perf_counter() - begun

    shutil.copy(root / "tools/check_wheel.py", scratch)
    figures = scratch / "figures.json"
    command = [str(inside), "check_wheel.py", "--json", str(figures)]
    if sys.platform != "win32":
        command.insert(0, str(root / "tools/with-display"))
    failure = _run(command, scratch, environment, _WINDOW_S)
    if failure is not None or not figures.is_file():
        return Finding(what, "FAILED", f"no heat: {failure}")
    found = json.loads(figures.read_text("utf-8"))
    versions = f"{found['python']}, napari {found['napari']}, torch {found['torch']}"
    return Finding(
        what, "ok", f"{versions}: installed in {installed:.0f} s, first heat after {found['first_heat_s']} s"
    )


def _run(command: list[str], folder: Path, environment: dict[str, str], seconds: int) -> str | None:
    """Run a command; return the last line it wrote if it failed, and print all of it."""
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return f"nothing within {seconds} s"
    if ran.returncode == 0:
        return None
    print(ran.stdout, flush=True)
    lines = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {ran.returncode}"
