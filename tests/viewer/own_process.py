"""A window in a process of its own, whose crash is a test's failure and not the end of all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import napari_segcam

_SCRIPTS = Path(__file__).parent / "processes"
_PACKAGE = Path(napari_segcam.__file__).parents[1]


def run_script(name: str, *arguments: str, home: Path, timeout: float) -> str:
    """Run one of the scripts in ``processes``; it must end with 0 and without a traceback.

    Args:
        name: of the script.
        arguments: of its command line.
        home: where its settings are kept.
        timeout: seconds after which it has hung.

    Returns:
        what it has printed.
    """
    path = os.pathsep.join(filter(None, (str(_PACKAGE), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(_SCRIPTS / f"{name}.py"), *arguments],
        env=os.environ | {"PYTHONPATH": path, "NAPARI_CONFIG": str(home / "napari.yaml"), "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "Traceback" not in said, said[-4000:]
    return done.stdout
