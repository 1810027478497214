"""The interpreters on this machine that the package supports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path


def supported(root: Path) -> list[str]:
    """Return the versions that the package says it supports, as ``3.11``, in order."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    found = [re.search(r":: (3\.\d+)$", text) for text in project["classifiers"]]
    return [match[1] for match in found if match]


def interpreters(versions: list[str]) -> dict[str, Path]:
    """Return an interpreter for each version that there is.

    ``PYTHONS`` in the environment names programs or their paths, separated by spaces, and comes first; then
    ``python3.N`` on the path, and pyenv's folder, whose programs need not be on the path.
    """
    named = os.environ.get("PYTHONS", "").split()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, Path] = {}
    for version in versions:
        places = [*named, f"python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}")))]
        for place in places:
            program = shutil.which(place)
            if program and _version_of(program) == version:
                found[version] = Path(program)
                break
    return found


def _version_of(program: str) -> str | None:
    """Return ``3.N``, or None for a program that does not run or cannot make environments."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        ran = subprocess.run([program, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
