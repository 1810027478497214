"""What an overlay takes over from the header of its source, as far as it is valid there."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import is_valid

_JPEG = "ISO_10918_1"
_REGION = (
    "RegionSpatialFormat",
    "RegionDataType",
    "RegionLocationMinX0",
    "RegionLocationMinY0",
    "RegionLocationMaxX1",
    "RegionLocationMaxY1",
    "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection",
    "PhysicalDeltaX",
    "PhysicalDeltaY",
)
_REFERENCE_PIXEL = ("ReferencePixelX0", "ReferencePixelY0", "RefPixelPhysicalValueX", "RefPixelPhysicalValueY")


def modality_of(header: Dataset) -> str:
    """Return the modality of a header; US if it names none."""
    return next(iter(valid_values(header, "Modality")), "US")


def examination_of(header: Dataset) -> list[str]:
    """Return what the image type says about the kind of examination, where it says anything."""
    values = valid_values(header, "ImageType")
    return values[2:4] if len(values) >= 4 and all(values[2:4]) else []


def copy_side(header: Dataset, dataset: Dataset) -> None:
    """Copy the body part and its side; where the source names neither, the side is there without a value: unknown."""
    part = next(iter(valid_values(header, "BodyPartExamined")), "")
    sides = valid_values(header, "Laterality") or valid_values(header, "ImageLaterality")
    if part:
        dataset.BodyPartExamined = part
    if sides and sides[0] in ("L", "R"):
        dataset.Laterality = sides[0]
    elif not part:
        dataset.Laterality = None


def copy_regions(source: SourceImages, dataset: Dataset) -> None:
    """Copy the calibrated regions, as the scan keeps its place in the pictures, unless they are not reliable."""
    if source.spacing_mm is None:
        return
    regions = []
    for region in source.first.get("SequenceOfUltrasoundRegions") or ():
        if any(_valid(region, keyword) is None for keyword in _REGION):
            continue
        copied = Dataset()
        for keyword in (*_REGION, *_REFERENCE_PIXEL):
            if (value := _valid(region, keyword)) is not None:
                setattr(copied, keyword, value)
        flags = _valid(region, "RegionFlags")
        copied.RegionFlags = 0 if flags is None else flags
        regions.append(copied)
    if regions:
        dataset.SequenceOfUltrasoundRegions = regions


def write_aspect(source: SourceImages, dataset: Dataset) -> None:
    """Write the shape of a pixel where it is not square."""
    if source.spacing_mm is None:
        return
    shape = Fraction(source.spacing_mm[0] / source.spacing_mm[1]).limit_denominator(1000)
    if shape != 1 and shape > 0:
        dataset.PixelAspectRatio = [shape.numerator, shape.denominator]


def write_compression(header: Dataset, dataset: Dataset, ratio: float | None) -> None:
    """Say how the pixels were compressed with loss: in the source, and here.

    Args:
        header: of the source.
        dataset: to write to.
        ratio: of the compression here, None if it loses nothing.
    """
    was_lossy = valid_values(header, "LossyImageCompression") == ["01"]
    ratios, methods = (
        valid_values(header, f"LossyImageCompression{what}") if was_lossy else [] for what in ("Ratio", "Method")
    )
    if len(ratios) != len(methods):
        ratios, methods = [], []
    dataset.LossyImageCompression = "01" if was_lossy or ratio is not None else "00"
    if ratio is not None:
        ratios, methods = [*ratios, f"{ratio:.2f}"], [*methods, _JPEG]
    if ratios:
        dataset.LossyImageCompressionRatio = ratios
        dataset.LossyImageCompressionMethod = methods


def valid_values(header: Dataset, keyword: str) -> list[str]:
    """Return the values of an element as texts; none if it is missing or one of them is not valid."""
    value = _valid(header, keyword)
    if value is None:
        return []
    return [str(value)] if isinstance(value, (str, float, int)) else [str(one) for one in value]


def _valid(header: Dataset, keyword: str) -> Any:
    """Return the value of an element, None if it is missing, empty, or not valid."""
    try:
        element = header.get(Tag(keyword))
    except Exception:  # pydicom's errors for a damaged value are of many types
        return None
    if element is None or element.is_empty:
        return None
    vr = dictionary_VR(Tag(keyword))
    values = list(element.value) if element.VM > 1 else [element.value]
    texts = [str(value) if vr in ("CS", "DS", "IS") else value for value in values]
    return element.value if is_valid(vr, texts) else None
