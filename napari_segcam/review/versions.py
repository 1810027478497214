"""Versions of the files of a review: those of later programs are refused, and stay as they are."""

from __future__ import annotations

from pathlib import Path

from napari_segcam.errors import SegcamError


def refuse_later_version(path: Path, version: object, known: int) -> None:
    """Refuse a file that a later version of this program has written.

    Args:
        path: of the file.
        version: of its format, as it says.
        known: the latest version that this program reads.

    Raises:
        SegcamError: if the version is later than the known one.
    """
    if isinstance(version, int) and version > known:
        raise SegcamError(
            f"{path} was written by a later version of SegCAM (format {version}, this one reads up to {known}). "
            "Update SegCAM to open it; the file is not changed."
        )
