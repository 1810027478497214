"""Lossy compression of the source, which every image made from it has to name (PS3.3, section C.7.6.1.1.5)."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, MPEGTransferSyntaxes

from napari_segcam.dicom_objects.source_images import SourceImages

_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
}
_H264 = "1.2.840.10008.1.2.4.102"


def add_lossy_compression(dataset: Dataset, source: SourceImages) -> None:
    """Say whether the source's pixels were ever compressed with loss, how, and how much if that is known."""
    for header in source.headers:
        syntax = UID(str(header.file_meta.get("TransferSyntaxUID", ""))) if hasattr(header, "file_meta") else UID("")
        method = header.get("LossyImageCompressionMethod") or _method_of(syntax)
        ratio = header.get("LossyImageCompressionRatio") or _ratio(header)
        if (header.get("LossyImageCompression") == "01" or _method_of(syntax)) and method and ratio:
            dataset.LossyImageCompression = "01"
            dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = ratio, method
            return
    dataset.LossyImageCompression = "00"


def _method_of(syntax: UID) -> str | None:
    if syntax in MPEGTransferSyntaxes:
        return "ISO_14496_10" if syntax >= _H264 else "ISO_13818_2"
    return _METHODS.get(syntax)


def _ratio(header: Dataset) -> str | None:
    """Return how much smaller the file is than its pixels; None if that is unknown or it is not smaller."""
    try:
        size = Path(str(header.filename)).stat().st_size
        pixels = header.Rows * header.Columns * header.SamplesPerPixel * int(header.get("NumberOfFrames") or 1)
    except (OSError, AttributeError, ValueError, TypeError):
        return None
    ratio = pixels * header.get("BitsAllocated", 8) / 8 / size if size else 0.0
    return f"{ratio:.2f}" if ratio > 1 else None
