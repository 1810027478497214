"""Raters: their names, each of which is a folder of its own on every system."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

from napari_segcam.errors import SegcamError

RATERS = "raters"

_LONGEST = 60
# Names of devices on Windows, where no folder can have them.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_rater(name: str) -> str:
    """Return the name of a rater.

    Raises:
        SegcamError: if no folder can have it on some system, or it is too long.
    """
    name = name.strip()
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith(".") or name.endswith(".") or len(name) > _LONGEST:
        raise SegcamError(
            f'"{name}" cannot be the name of a rater: use up to {_LONGEST} letters, digits, _ - and dots between them.'
        )
    if _RESERVED.fullmatch(name):
        raise SegcamError(f'"{name}" cannot be the name of a rater: Windows has no folder of that name.')
    return name


def raters_in(project: Path) -> list[str]:
    """Return the names of all raters with work in a project, sorted."""
    folder = project / RATERS
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def rater_folder(project: Path, name: str) -> Path:
    """Return the folder of a rater. Names that differ by case only are one rater: some systems cannot keep them apart.

    Raises:
        SegcamError: if the name is not possible.
    """
    name = check_rater(name)
    same = [rater for rater in raters_in(project) if rater.casefold() == name.casefold()]
    return project / RATERS / (name if name in same or not same else same[0])


def suggested_rater() -> str:
    """Return the user's name on this computer as the name of a rater."""
    try:
        return check_rater(re.sub(r"[^\w.-]+", "_", getpass.getuser()).strip("._") or "rater")
    except (OSError, KeyError, ImportError, SegcamError):  # no user name is known
        return "rater"
