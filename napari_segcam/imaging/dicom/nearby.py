"""Instances near a file: the DICOM files in the folders around it, with their UIDs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from napari_segcam.imaging.dicom.header import read_header
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, FileKind, kind_of, read_head

_PREAMBLE = 128  # bytes


def instances_near(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the DICOM files near a file, each with its SOP instance UID: those most likely to belong to it first.

    These are the files in its folder, then in that folder's subfolders, in the folder around it, and in the subfolders
    of that. Files and folders that cannot be read, and those whose names begin with a dot, are skipped.

    Args:
        path: of a file, which is skipped too.
    """
    folder = path.resolve().parent
    seen: set[Path] = set()
    for place in _folders_near(folder):
        if place in seen:
            continue
        seen.add(place)
        for file in _entries(place):
            if file.name.upper() == DICOM_DIRECTORY or file == path.resolve():
                continue
            if uid := _instance_uid(file):
                yield file, uid


def _folders_near(folder: Path) -> Iterator[Path]:
    yield folder
    yield from _entries(folder, folders=True)
    if folder.parent != folder:
        yield folder.parent
        yield from _entries(folder.parent, folders=True)


def _entries(folder: Path, *, folders: bool = False) -> Iterator[Path]:
    with suppress(OSError):
        for entry in sorted(folder.iterdir()):
            if not entry.name.startswith(".") and (entry.is_dir() if folders else entry.is_file()):
                yield entry


def _instance_uid(path: Path) -> str:
    """Return the SOP instance UID of a DICOM file; empty for any other file."""
    try:
        head = read_head(path)
        if kind_of(head) is not FileKind.DICOM:
            return ""
        if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
            uid = read_file_meta_info(path).get("MediaStorageSOPInstanceUID")
            if uid:
                return str(uid)
        with path.open("rb") as file:
            return str(read_header(file, ["SOPInstanceUID"]).get("SOPInstanceUID") or "")
    except Exception:  # a damaged file makes pydicom raise errors of many types; it is not the one that is sought
        return ""
