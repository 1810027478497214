"""What an overlay takes over from the header of its source, as far as it is valid there."""

from __future__ import annotations

from fractions import Fraction

from pydicom import Dataset

from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.dicom_objects.values import valid_value, valid_values

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
        if any(valid_value(region, keyword) is None for keyword in _REGION):
            continue
        copied = Dataset()
        for keyword in (*_REGION, *_REFERENCE_PIXEL):
            if (value := valid_value(region, keyword)) is not None:
                setattr(copied, keyword, value)
        flags = valid_value(region, "RegionFlags")
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
