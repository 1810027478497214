"""A window in a separate process, so that a crash fails one test and does not end the test run."""

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
        name: name of the script, without its suffix.
        arguments: arguments of its command line.
        home: folder of its settings.
        timeout: seconds after which it counts as hung.

    Returns:
        what the script printed.
    """
    path = os.pathsep.join(filter(None, (str(_PACKAGE), os.environ.get("PYTHONPATH"))))
    process = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(_SCRIPTS / f"{name}.py"), *arguments],
        env=os.environ | {"PYTHONPATH": path, "NAPARI_CONFIG": str(home / "napari.yaml"), "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output[-12_000:]
    assert "Traceback" not in output, output[-12_000:]
    return process.stdout
