"""Lossy compression of the source, which every image made from it has to name (PS3.3, section C.7.6.1.1.5)."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, MPEGTransferSyntaxes

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import valid_values

_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
}
_H264 = "1.2.840.10008.1.2.4.102"


def add_lossy_compression(dataset: Dataset, source: SourceImages, jpeg_ratio: float | None = None) -> None:
    """Say how the pixels were ever compressed with loss, how often, and how much as far as that is known.

    Args:
        dataset: to write to.
        source: the images it is made from.
        jpeg_ratio: by how much JPEG makes the pixels of this object itself smaller; None if they are not compressed.
    """
    earlier = next((losses for losses in map(_losses, source.headers) if losses is not None), None)
    losses = list(earlier or [])
    if jpeg_ratio is not None:
        losses.append((f"{jpeg_ratio:.2f}", _METHODS[JPEGBaseline8Bit]))
    dataset.LossyImageCompression = "00" if earlier is None and jpeg_ratio is None else "01"
    if losses:
        ratios, methods = zip(*losses, strict=True)
        dataset.LossyImageCompressionRatio, dataset.LossyImageCompressionMethod = list(ratios), list(methods)


def _losses(header: Dataset) -> list[tuple[str, str]] | None:
    """Return ratio and method of each lossy compression of an image, as far as known; None if there was none."""
    syntax = UID(str(header.file_meta.get("TransferSyntaxUID", ""))) if hasattr(header, "file_meta") else UID("")
    method = _method_of(syntax)
    is_named = valid_values(header, "LossyImageCompression") == ["01"]
    if not is_named and method is None:
        return None
    methods = valid_values(header, "LossyImageCompressionMethod") if is_named else []
    ratios = valid_values(header, "LossyImageCompressionRatio") if is_named else []
    if not methods and method is not None:
        methods = [method]
    if not ratios and (ratio := _ratio(header)) is not None:
        ratios = [ratio]
    return list(zip(ratios, methods, strict=True)) if len(ratios) == len(methods) else []


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
