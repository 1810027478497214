"""A virtual screen for each process of a parallel test run, so that no two napari windows compete for the focus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import MutableMapping

VIRTUAL_SCREEN = "NAPARI_SEGCAM_VIRTUAL_SCREEN"
"""Set in the environment where DISPLAY is no real screen, as ``tools/with-display`` does."""


def forget_settings(environment: MutableMapping[str, str]) -> None:
    """Remove the user's settings of the plugin; what is known of the screen is none."""
    for name in [name for name in environment if name.startswith("NAPARI_SEGCAM_") and name != VIRTUAL_SCREEN]:
        del environment[name]


def runs_in_parallel() -> bool:
    """Whether this process is one of the workers of pytest-xdist."""
    return "PYTEST_XDIST_WORKER" in os.environ


def wants_own_screen() -> bool:
    """Whether this process runs beside others, on Linux, and there is no real screen for its windows."""
    real_screen = VIRTUAL_SCREEN not in os.environ and bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return runs_in_parallel() and not real_screen and sys.platform == "linux" and shutil.which("Xvfb") is not None


def shares_screen() -> bool:
    """Whether the windows of this process are on one screen with those of other tests."""
    return runs_in_parallel() and VIRTUAL_SCREEN not in os.environ


def start_screen() -> subprocess.Popen[bytes]:
    """Start a virtual screen, on which this process and those that it starts draw from now on."""
    # So that a worker that crashes takes its screen with it.
    dies_with_parent = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    reader, writer = os.pipe()
    xvfb = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1366x768x24", "+extension", "GLX", "-nolisten", "tcp"]
    with open(reader, encoding="ascii") as number_of_display:
        server = subprocess.Popen([*dies_with_parent, *xvfb], pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        display = number_of_display.readline().strip()
    if not display:
        raise RuntimeError(f"Xvfb ended with status {server.wait()} before it had a display")
    os.environ.update({"DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb", VIRTUAL_SCREEN: "1"})
    return server
