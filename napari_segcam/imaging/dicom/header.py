"""Reading a DICOM header, also of files without preamble or file meta information."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_kind import HEAD_LENGTH, FileKind, kind_of

_LONGEST_META = 1 << 16


def read_header(file: BinaryIO, keywords: Sequence[str]) -> Dataset:
    """Read the elements of these keywords, and leave the file at the start of the pixel data.

    For a file that begins with its first element, as old ones do, the encoding is detected; without file meta
    information its pixels must be uncompressed.

    Raises:
        InvalidDicomError: if the file is not DICOM; pydicom raises other errors for a damaged one.
    """
    is_dicom = kind_of(file.read(HEAD_LENGTH)) is FileKind.DICOM
    file.seek(0)
    header = dcmread(file, stop_before_pixels=True, specific_tags=list(keywords), force=is_dicom)
    if "TransferSyntaxUID" not in (header.get("file_meta") or {}):
        is_implicit, is_little = header.original_encoding
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        )
    return header


def transfer_syntax_of(path: Path) -> UID:
    """Return the transfer syntax of a file.

    Raises:
        SegcamError: if the file is deflated.
        InvalidDicomError: if it is not DICOM; pydicom raises other errors for a damaged one.
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST_META)
    # Only the meta information: reading more of a deflated file would inflate all of it.
    if head[128:132] == b"DICM":
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        is_deflated = syntax == DeflatedExplicitVRLittleEndian
    else:
        is_deflated = DeflatedExplicitVRLittleEndian.encode() in head
    if is_deflated:
        raise SegcamError(
            f"{path.name} is stored as {DeflatedExplicitVRLittleEndian.name}, which is not read. Export it as "
            "uncompressed DICOM."
        )
    with path.open("rb") as file:
        syntax = read_header(file, []).file_meta.TransferSyntaxUID
    return UID(syntax)
