"""The DICOM files among files and folders that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.files import natural_key
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, FileKind, kind_of, read_head


def dicom_files(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """Return the files that are named, and the DICOM files of folders that are named and their subfolders.

    Returns:
        the files, each once, and how many other files there are in these folders. Hidden files are skipped.

    Raises:
        SegcamError: if a path does not exist, or nothing is DICOM.
    """
    files: list[Path] = []
    others = 0
    for path in paths:
        if not path.exists():
            raise SegcamError(f"There is no file or folder {path}.")
        if not path.is_dir():
            files.append(path)
            continue
        inside = [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path))]
        dicom = [file for file in inside if _is_dicom(file)]
        others += len(inside) - len(dicom)
        files += sorted(dicom, key=lambda file: natural_key(str(file)))
    files = list(dict.fromkeys(files))
    if not files:
        raise SegcamError(f"There is no DICOM file in {', '.join(map(str, paths))}.")
    return files, others


def _is_dicom(path: Path) -> bool:
    try:
        return kind_of(read_head(path)) is FileKind.DICOM and path.name.upper() != DICOM_DIRECTORY
    except (SegcamError, OSError):
        return False


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
