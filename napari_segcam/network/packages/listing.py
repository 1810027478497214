"""The names of the files in a folder or zip archive, looked at without unpacking it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

_MOST_RECORDS = 200_000
_MOST_FOLDERS = 200
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


class FolderListing:
    """Names of the files in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name, with slashes between folders."""
        return (self.root / name).is_file()

    def folders(self, inside: str = "") -> list[str]:
        """Return the names of the folders in a folder, in order of their names."""
        try:
            with os.scandir(self.root / inside) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return []
        return [f"{inside}{name}/" for name in names[:_MOST_FOLDERS]]

    def files(self, inside: str = "") -> list[str]:
        """Return the names of the files in a folder, in order."""
        try:
            with os.scandir(self.root / inside) as entries:
                return sorted(f"{inside}{entry.name}" for entry in entries if entry.is_file())
        except OSError:
            return []


class ZipListing:
    """Names of the files in a zip archive, without the folder that all of them may be in."""

    def __init__(self, names: list[str]) -> None:
        self._files = frozenset(name for name in names if not name.endswith("/"))

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return name in self._files

    def folders(self, inside: str = "") -> list[str]:
        """Return the names of the folders in a folder, in order of their names."""
        return sorted({f"{inside}{name.partition('/')[0]}/" for name in self._below(inside) if "/" in name})

    def files(self, inside: str = "") -> list[str]:
        """Return the names of the files in a folder, in order."""
        return sorted(f"{inside}{name}" for name in self._below(inside) if "/" not in name)

    def _below(self, inside: str) -> Iterator[str]:
        return (name.removeprefix(inside) for name in self._files if name.startswith(inside))


Listing = FolderListing | ZipListing


def list_files(path: Path) -> Listing | None:
    """Return the names of the files in a folder or zip archive; None for other files."""
    if path.is_dir():
        return FolderListing(path)
    try:
        with path.open("rb") as file:
            if file.read(4) not in _ZIP_STARTS:
                return None
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # zipfile raises several kinds for damaged bytes; the checkpoint's reader says what is wrong
        return None
    if len(names) > _MOST_RECORDS:
        return None
    tops = {name.partition("/")[0] for name in names if not name.startswith("__MACOSX/")}
    if len(tops) == 1 and all("/" in name for name in names):
        top = f"{tops.pop()}/"
        names = [name.removeprefix(top) for name in names if name.startswith(top)]
    return ZipListing([name for name in names if name])
