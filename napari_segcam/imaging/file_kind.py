"""File kind: recognize an image file by its first bytes, not by its name."""

from __future__ import annotations

import re
import zlib
from enum import Enum, auto
from pathlib import Path
from typing import Literal

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file

# Long enough for NIfTI's magic word, which comes last.
HEAD_LENGTH = 352
DICOM_DIRECTORY = "DICOMDIR"  # lists the files of a medium; its name is fixed (PS3.10, section 8.6)


class FileKind(Enum):
    """Kind of an image file, which decides which reader opens it."""

    DICOM = auto()
    TIFF = auto()
    STILL = auto()
    """PNG, JPEG, BMP or WebP."""
    VIDEO = auto()
    """Anything with a `video_format`, GIF too."""
    NIFTI = auto()
    METAIMAGE = auto()
    """.mha and .mhd."""
    NRRD = auto()
    """.nrrd and .nhdr."""
    NPY = auto()
    NPZ = auto()
    MATLAB = auto()
    """.mat of version 5; that of 7.3 is HDF5."""
    HDF5 = auto()
    """Also Keras' own .h5 files, which are networks."""


STACKS = (
    FileKind.NIFTI,
    FileKind.METAIMAGE,
    FileKind.NRRD,
    FileKind.NPY,
    FileKind.NPZ,
    FileKind.MATLAB,
    FileKind.HDF5,
)
"""Kinds that hold one array of pixels, or several from which the user chooses."""


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises:
        SegcamError: if the file is missing, unreadable or empty.
    """
    refuse_no_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_LENGTH)
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error_text(error)}.") from error
    if not head:
        raise SegcamError(f"{path} is empty.")
    return head


def kind_of(head: bytes) -> FileKind | None:
    """Return the kind of a file by its first bytes, or None if it cannot be read."""
    if head[128:132] == b"DICM" or _begins_with_elements(head):  # PS3.10, section 7.1
        return FileKind.DICOM
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return FileKind.TIFF
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")):
        return FileKind.STILL
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileKind.STILL
    return FileKind.VIDEO if video_format(head) else _kind_of_stack(head)


def _kind_of_stack(head: bytes) -> FileKind | None:
    signatures = {
        b"NRRD000": FileKind.NRRD,
        b"\x93NUMPY": FileKind.NPY,
        b"MATLAB 5.0": FileKind.MATLAB,
        b"MATLAB 7.3": FileKind.HDF5,
        b"\x89HDF\r\n\x1a\n": FileKind.HDF5,
    }
    for signature, kind in signatures.items():
        if head.startswith(signature):
            return kind
    if head.startswith(b"PK\3\4"):  # the name of the first member tells NumPy's archives from other zip files
        length = int.from_bytes(head[26:28], "little")
        return FileKind.NPZ if head[30 : 30 + length].endswith(b".npy") else None
    if _is_nifti(head) or (head.startswith(b"\x1f\x8b") and _is_nifti(_unpacked(head))):
        return FileKind.NIFTI
    return FileKind.METAIMAGE if _METAIMAGE.match(head) else None


_METAIMAGE = re.compile(rb"\s*(ObjectType|NDims|Comment|ID|ObjectSubType)\s*=", re.IGNORECASE)


def _is_nifti(head: bytes) -> bool:
    """Whether these are the first bytes of a NIfTI 1 or 2 header, which begins with its own length."""
    length = head[:4]
    if length in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        return head[4:7] in (b"n+2", b"ni2")
    return length in (b"\x5c\x01\0\0", b"\0\0\x01\x5c") and head[344:347] in (b"n+1", b"ni1", b"")


def _unpacked(head: bytes) -> bytes:
    """Decompress the beginning of a gzip file as far as it goes."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_LENGTH)
    except zlib.error:
        return b""


# Old or truncated DICOM files have no preamble and begin with their first element: of group 2 or of group 8.
_VRS = (b"AE", b"CS", b"DA", b"LO", b"OB", b"SH", b"ST", b"TM", b"UI", b"UL", b"DT", b"PN", b"SQ", b"IS", b"US")


def _begins_with_elements(head: bytes) -> bool:
    """Whether a file begins with DICOM elements, without a preamble."""
    order: Literal["little", "big"] = "big" if head[0:1] == b"\0" else "little"
    group, element = int.from_bytes(head[0:2], order), int.from_bytes(head[2:4], order)
    if group not in (2, 8) or element > 0x0070 or len(head) < 16:
        return False
    if head[4:6] in _VRS:
        return True
    # Without a value representation the length follows: the first values of a file are short.
    length = int.from_bytes(head[4:8], order)
    following = head[8 + length : 12 + length]
    next_group, next_element = int.from_bytes(following[:2], order), int.from_bytes(following[2:], order)
    return (
        length <= 64 and length % 2 == 0 and next_group in (group, 8) and (next_group, next_element) > (group, element)
    )


def video_format(head: bytes) -> str | None:
    """Return FFmpeg's name of a video's format by its first bytes, or None if it is not a video."""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mov"  # and MP4
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:1] == head[188:189] == b"G" or head[4:5] == head[196:197] == b"G":
        return "mpegts"
    signatures = {
        b"\x1a\x45\xdf\xa3": "matroska",  # and WebM
        b"\0\0\x01\xba": "mpeg",
        b"\0\0\x01\xb3": "mpegvideo",
        b"\x30\x26\xb2\x75": "asf",  # Windows Media
    }
    return signatures.get(head[:4])
