"""What the header of an ultrasound DICOM file says of time and space."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

from pydicom import Dataset
from pydicom.tag import Tag

# What the functions below look at, so that a reader can skip all else.
CALIBRATION_KEYWORDS = (
    "FrameIncrementPointer",
    "FrameTime",
    "FrameTimeVector",
    "RecommendedDisplayFrameRate",
    "CineRate",
    "PixelSpacing",
    "SequenceOfUltrasoundRegions",
)

# Codes of the US Region Calibration module (PS3.3, section C.8.5.5).
_FORMAT_2D = 1
_TISSUE, _COLOUR_FLOW = 1, 2
_CENTIMETRES = 3


def frame_rate_of(header: Dataset) -> float | None:
    """Frames per second: what FrameIncrementPointer names, then RecommendedDisplayFrameRate, then CineRate.

    Values that are zero, negative, or no numbers count as absent.
    """
    pointers = _values(header, "FrameIncrementPointer")
    if Tag("FrameTime") in pointers and (times := _positive(header, "FrameTime")):
        return 1000 / times[0]
    # The first entry of the vector is the time before the first frame, by definition 0.
    if Tag("FrameTimeVector") in pointers and (times := _positive(header, "FrameTimeVector")):
        return 1000 / statistics.median(times)
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        if rates := _positive(header, keyword):
            return rates[0]
    return None


def tissue_region_of(header: Dataset) -> tuple[slice, slice] | None:
    """Rows and columns that hold all 2-D tissue regions, as of two displays; None where none can be trusted."""
    boxes = [_box(region, header) for region in _tissue_regions(header)]
    if not boxes:
        return None
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def spacing_of(header: Dataset) -> tuple[float, float] | None:
    """Distance between rows and between columns in mm, None where the file holds no trustworthy calibration.

    The tissue regions count, where they are calibrated in cm and agree; PixelSpacing only in a file without regions,
    since scanners fill it with other things.
    """
    if not _regions(header):
        spacing = _positive(header, "PixelSpacing")
        return (spacing[0], spacing[1]) if len(spacing) == 2 else None
    spacings = [_region_spacing(region) for region in _tissue_regions(header)]
    if not spacings or any(spacing is None or not _agree(spacing, spacings[0]) for spacing in spacings):
        return None
    return spacings[0]


def _regions(header: Dataset) -> list[Dataset]:
    return list(header.get("SequenceOfUltrasoundRegions") or ())


def _tissue_regions(header: Dataset) -> list[Dataset]:
    """Leaves out ECG, M-mode and Doppler; empty if the boxes belong to a frame of another size.

    Software that scales frames down or crops them often leaves the region boxes as they were: one box beyond the
    frame shows that none of them holds any more.
    """
    regions = _regions(header)
    for region in regions:
        _, _, right, bottom = _corners(region)
        # A box may end one beyond the last pixel: some scanners give its end, others its last pixel.
        if right > header.Columns or bottom > header.Rows:
            return []
    return [region for region in regions if _shows_tissue(region)]


def _shows_tissue(region: Dataset) -> bool:
    left, top, right, bottom = _corners(region)
    return (
        region.get("RegionSpatialFormat") == _FORMAT_2D
        and region.get("RegionDataType") in (_TISSUE, _COLOUR_FLOW)
        and 0 <= left < right
        and 0 <= top < bottom
    )


def _corners(region: Dataset) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of a region; 0 where the file does not say."""
    left, top, right, bottom = (
        region.get(f"RegionLocation{edge}") or 0 for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    )
    return left, top, right, bottom


def _box(region: Dataset, header: Dataset) -> tuple[slice, slice]:
    left, top, right, bottom = _corners(region)
    return slice(top, min(bottom + 1, header.Rows)), slice(left, min(right + 1, header.Columns))


def _region_spacing(region: Dataset) -> tuple[float, float] | None:
    if any(region.get(f"PhysicalUnits{axis}Direction") != _CENTIMETRES for axis in "XY"):
        return None
    # The sign only says which way the physical axis points.
    row, column = (abs(float(region.get(f"PhysicalDelta{axis}") or 0)) * 10 for axis in "YX")
    return (row, column) if _usable(row) and _usable(column) else None


def _agree(one: tuple[float, float], other: tuple[float, float] | None) -> bool:
    return other is not None and all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(one, other, strict=True))


def _positive(header: Dataset, keyword: str) -> list[float]:
    """The usable values of an element, none if it is absent or malformed."""
    try:
        numbers = [float(value) for value in _values(header, keyword)]
    except (TypeError, ValueError):
        return []
    return [number for number in numbers if _usable(number)]


def _usable(number: float) -> bool:
    return math.isfinite(number) and number > 0


def _values(header: Dataset, keyword: str) -> list[Any]:
    """The values of an element as a list, whatever its multiplicity."""
    value = header.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
