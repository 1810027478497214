"""Files from a PACS on the disk: each is complete or not there, and none takes the place of another."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydicom import dcmread

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.dicom.header import transfer_syntax_of
from napari_segcam.imaging.dicomweb.found import FoundInstance

FILE_BYTES = 2**32
"""Of one file."""

_SPARE_BYTES = 2**28  # of the disk, which a file must leave free
_IDENTIFIERS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]


def path_of(instance: FoundInstance, folder: Path) -> Path:
    """Return the path of an instance's file: its UID, which is unique, and whose characters every system accepts."""
    return folder / f"{instance.uid}.dcm"


def is_there(instance: FoundInstance, path: Path) -> bool:
    """Whether the file of an instance is there already; files are only ever there as a whole.

    Raises:
        SegcamError: if there is something else.
    """
    if not path.exists():
        return False
    if identifiers_of(path) != (instance.study_uid, instance.series_uid, instance.uid):
        raise SegcamError(
            f"{path} is there already and is something else: it is not overwritten. Choose another folder."
        )
    return True


def identifiers_of(path: Path) -> tuple[str, str, str] | None:
    """Return the study, series and instance UID of a DICOM file, None if it is none that is read here."""
    try:
        transfer_syntax_of(path)  # it refuses what would have to be inflated as a whole
        header = dcmread(path, stop_before_pixels=True, specific_tags=_IDENTIFIERS)
        study, series, uid = (str(header.get(keyword) or "").strip() for keyword in _IDENTIFIERS)
    except Exception:  # a damaged header makes pydicom raise errors of many types
        return None
    return study, series, uid


def check_identity(part: Path, instance: FoundInstance, server_title: str) -> None:
    """Check that a file is the instance that was asked for.

    Raises:
        SegcamError: if it is not.
    """
    found = identifiers_of(part)
    if found is None:
        raise SegcamError(f"What {server_title} sends as {instance.uid} is no DICOM file: it is not kept.")
    if found != (instance.study_uid, instance.series_uid, instance.uid):
        raise SegcamError(
            f"{server_title} sends something else than was asked for: {found[2] or 'without a UID'} instead of "
            f"{instance.uid}. It is not kept."
        )


@contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """Give the path of a new, hidden file beside ``path``; it is removed at the end if it is still there.

    Raises:
        SegcamError: if the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_full_disk(path.parent)
        part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.part")
        part.touch(exist_ok=False)
    except OSError as error:
        raise SegcamError(f"{path.parent} cannot be written: {error_text(error)}.") from error
    try:
        yield part
    except OSError as error:
        raise SegcamError(f"{path} cannot be written: {error_text(error)}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def refuse_full_disk(folder: Path) -> None:
    """Raise a SegcamError if hardly any space is left."""
    if shutil.disk_usage(folder).free < _SPARE_BYTES:
        raise SegcamError(f"Hardly any space is left for {folder}. Free some, and start again.")
