"""Writing a DICOM file: a header, then its pixels frame by frame, so that a long cine takes little memory."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, ExplicitVRLittleEndian

from napari_segcam.version import __version__

_SEQUENCE_DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
_UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA, FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008


def write_header(path: Path, header: Dataset, syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a header with new file meta information and an empty preamble."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"SEGCAM_{__version__}"[:16]
    header.file_meta = meta
    header.preamble = b"\0" * 128
    dcmwrite(path, header, enforce_file_format=True)


def append_native(path: Path, frames: Iterable[bytes], length: int, *, vr: str, tag: int = PIXEL_DATA) -> None:
    """Append an uncompressed pixel data element.

    Args:
        path: of a file that ends with its header.
        frames: their bytes.
        length: of all frames, in bytes; must be that of ``frames``.
        vr: of the element.
        tag: of the element.
    """
    with path.open("ab") as file:
        file.write(struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), length + length % 2))
        written = sum(file.write(frame) for frame in frames)
        if written != length:
            raise ValueError(f"{written} bytes of pixels instead of {length}")
        file.write(b"\0" * (length % 2))


def append_encapsulated(path: Path, frames: Iterable[bytes]) -> None:
    """Append a compressed pixel data element with one fragment for each frame (PS3.5, section A.4).

    Args:
        path: of a file that ends with its header.
        frames: their streams.
    """
    with path.open("ab") as file:
        file.write(struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OB", _UNDEFINED_LENGTH))
        _write_item(file, b"")
        for frame in frames:
            _write_item(file, frame + b"\0" * (len(frame) % 2))
        file.write(_SEQUENCE_DELIMITER)


def _write_item(file: BinaryIO, content: bytes) -> None:
    file.write(struct.pack("<HHL", 0xFFFE, 0xE000, len(content)))
    file.write(content)
