"""Opening an image file as a cine, whatever kind of file it is."""

from __future__ import annotations

import os
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine


def open_cine(path: str | os.PathLike[str]) -> Cine:
    """Open an image file as a cine; what kind of file it is, its content decides, not its name.

    Reads DICOM (single frame or multi-frame), PNG, JPEG, BMP and TIFF (several pages are several frames).

    Raises:
        SegcamError: if the file is missing, damaged, or of another kind.
    """
    # Imported here so that the reading libraries load when first needed.
    from napari_segcam.imaging.dicom import DicomCine
    from napari_segcam.imaging.stills import TiffCine, read_still

    path = Path(path)
    if path.is_dir():
        raise SegcamError(f"{path} is a folder. Open one file in it: a DICOM, PNG, JPEG, BMP or TIFF image.")
    head = _head(path)
    if is_dicom(head):
        return DicomCine(path)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TiffCine(path)
    if _is_video(head):
        raise SegcamError(f"{path.name} is a video, which cannot be read yet. Export it as multi-frame DICOM or TIFF.")
    return read_still(path)


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these bytes (at least 132) is a DICOM file (PS3.10, section 7.1)."""
    return head[128:132] == b"DICM"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except FileNotFoundError:
        raise SegcamError(f"There is no file {path}.") from None
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise SegcamError(f"{path} is empty.")
    return head


def _is_video(head: bytes) -> bool:
    """AVI, MP4 or MOV, Matroska or WebM, MPEG program stream."""
    return (
        (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[4:8] == b"ftyp"
        or head[:4] in (b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba")
    )
