"""DICOMDIR: the list of the files of a folder and its subfolders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom import dcmread

from napari_segcam.imaging.file_kind import DICOM_DIRECTORY


def files_of_directory(folder: Path) -> list[Path]:
    """Return the existing image files in a folder's DICOMDIR, in its order; none if it is missing or unreadable.

    Raises:
        OSError: if the folder cannot be read.
    """
    directory = _entry(folder, DICOM_DIRECTORY)
    if directory is None or not directory.is_file():
        return []
    try:
        header = dcmread(directory)
        listed = [record.ReferencedFileID for record in header.get("DirectoryRecordSequence", ()) if _is_image(record)]
    except Exception:  # a damaged one raises errors of many types; the files can be found without it
        return []
    return list(dict.fromkeys(_existing_files(folder, listed)))


def _is_image(record: Any) -> bool:
    return getattr(record, "DirectoryRecordType", "") == "IMAGE" and "ReferencedFileID" in record


def _existing_files(folder: Path, listed: list[Any]) -> Iterator[Path]:
    for parts in listed:
        path: Path | None = folder
        for part in [parts] if isinstance(parts, str) else parts:
            path = None if path is None or part in ("", ".", "..") else _entry(path, part)
        if path is not None and path.is_file():
            yield path


def _entry(folder: Path, name: str) -> Path | None:
    """Return the entry of this name in any case: media have names in capitals, copies often do not."""
    exact = folder / name
    if exact.exists():
        return exact
    if not folder.is_dir():
        return None
    return next((path for path in folder.iterdir() if path.name.casefold() == name.casefold()), None)
