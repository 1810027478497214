"""What kind of image file begins with certain bytes; names and suffixes do not count."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from napari_segcam.errors import SegcamError

# Enough for the second packet of an MPEG transport stream, the last thing looked at.
HEAD_LENGTH = 256


class FileKind(Enum):
    """What reads a file."""

    DICOM = auto()
    TIFF = auto()
    STILL = auto()
    """PNG, JPEG or BMP."""
    VIDEO = auto()
    """Anything with a `video_format`, GIF too."""


def read_head(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        SegcamError: if the file is missing, unreadable or empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_LENGTH)
    except FileNotFoundError:
        raise SegcamError(f"There is no file {path}.") from None
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise SegcamError(f"{path} is empty.")
    return head


def kind_of(head: bytes) -> FileKind | None:
    """The kind of the file that begins like this, None if it is of no kind that can be read."""
    if head[128:132] == b"DICM":  # PS3.10, section 7.1
        return FileKind.DICOM
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return FileKind.TIFF
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")):
        return FileKind.STILL
    return FileKind.VIDEO if video_format(head) else None


def video_format(head: bytes) -> str | None:
    """FFmpeg's name for the format of the video that begins like this, None if it is no video."""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mov"  # and MP4
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:1] == head[188:189] == b"G" or head[4:5] == head[196:197] == b"G":
        return "mpegts"
    beginnings = {
        b"\x1a\x45\xdf\xa3": "matroska",  # and WebM
        b"\0\0\x01\xba": "mpeg",
        b"\0\0\x01\xb3": "mpegvideo",
        b"\x30\x26\xb2\x75": "asf",  # Windows Media
    }
    return beginnings.get(head[:4])
