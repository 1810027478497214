"""Calibration of an ultrasound DICOM file in time and space: frame rate, pixel spacing, aspect and tissue region."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pydicom import Dataset
from pydicom.tag import Tag

from napari_segcam.imaging.plausibility import is_possible_aspect, is_possible_rate

# The elements in use, so that a reader can skip all others.
CALIBRATION_KEYWORDS = (
    "FrameIncrementPointer",
    "FrameTime",
    "FrameTimeVector",
    "RecommendedDisplayFrameRate",
    "CineRate",
    "PixelSpacing",
    "PixelAspectRatio",
    "SOPClassUID",
    "SequenceOfUltrasoundRegions",
)

# Codes of the US Region Calibration module (PS3.3, section C.8.5.5).
_FORMAT_2D = 1
_TISSUE, _COLOR_FLOW = 1, 2
_CENTIMETERS = 3
_ENHANCED_US_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"

# Possible sides of an ultrasound frame in mm, from intravascular to a whole abdomen; few pixels tell nothing.
_SMALLEST, _LARGEST, _LARGEST_PIXEL = 4.0, 1000.0, 5.0
_MANY_PIXELS = 100


def frame_rate_of(header: Dataset, notes: list[str]) -> float | None:
    """Return frames per second: from FrameIncrementPointer, then RecommendedDisplayFrameRate, then CineRate.

    FrameTime and FrameTimeVector without a pointer come last. Impossible values are skipped with a note; slices of a
    volume have no rate.

    Args:
        header: of the file.
        notes: list to which notes are added.
    """
    if are_slices(header):
        return None
    pointers = _values(header, "FrameIncrementPointer")
    times = sorted(("FrameTime", "FrameTimeVector"), key=lambda keyword: Tag(keyword) not in pointers)
    named = [keyword for keyword in times if Tag(keyword) in pointers]
    others = [keyword for keyword in times if keyword not in named]
    for keyword in (*named, "RecommendedDisplayFrameRate", "CineRate", *others):
        values = _numbers(header, keyword)
        if not values:
            continue
        rate = _rate(keyword, values)
        if rate is not None and is_possible_rate(rate):
            if keyword == "FrameTimeVector" and max(values[1:]) > 1.5 * min(values[1:]):
                interval = f"{min(values[1:]):g} to {max(values[1:]):g} ms"
                notes.append(f"The frames are {interval} apart: the frame rate is their mean.")
            return rate
        if any(values):  # in files, zero means unknown
            notes.append(f"{keyword} is {_listed(values)}, which is not possible: it is not used.")
    return None


def _rate(keyword: str, values: list[float]) -> float | None:
    if keyword == "FrameTimeVector":
        # The first entry is the time before the first frame, by definition 0.
        times = values[1:] if values[0] == 0 else values
        values = [math.fsum(times) / len(times)] if times and min(times) >= 0 else [0.0]
    if not _usable(values[0]):
        return None
    return 1000 / values[0] if keyword.startswith("FrameTime") else values[0]


def are_slices(header: Dataset) -> bool:
    """Whether the frames are slices of a volume, not moments in time."""
    if header.get("SOPClassUID") == _ENHANCED_US_VOLUME:
        return True
    positions = [
        tuple(item.get("ImagePositionVolume") or item.get("ImagePositionPatient") or ())
        for group in header.get("PerFrameFunctionalGroupsSequence") or ()
        for keyword in ("PlanePositionVolumeSequence", "PlanePositionSequence")
        for item in group.get(keyword) or ()
    ]
    return len(set(positions)) > 1


def tissue_region_of(header: Dataset) -> tuple[slice, slice] | None:
    """Return the rows and columns that hold all 2-D tissue regions, such as two displays; None if unreliable."""
    boxes = [_box(region, header) for region in _tissue_regions(header)]
    if not boxes:
        return None
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def spacing_of(header: Dataset, notes: list[str]) -> tuple[float, float] | None:
    """Return the distance between rows and between columns in mm, None if the file has no reliable calibration.

    The tissue regions count if they are calibrated in cm and agree. PixelSpacing, from the header or the functional
    groups, counts only in a file without regions, as scanners use it for other things. Impossible values are skipped
    with a note.

    Args:
        header: of the file.
        notes: list to which notes are added.
    """
    if not _regions(header):
        return _possible_spacing(header, _pixel_spacing(header), "PixelSpacing", notes)
    spacings = [_region_spacing(region) for region in _tissue_regions(header)]
    if not spacings or any(spacing is None for spacing in spacings):
        return None
    if any(not _agree(spacing, spacings[0]) for spacing in spacings[1:] if spacing is not None):
        notes.append("The displays of the screen have different pixel spacings: none is used.")
        return None
    return _possible_spacing(header, spacings[0], "The pixel spacing of the scan's region", notes)


def aspect_of(header: Dataset) -> float | None:
    """Return the height of a pixel divided by its width, None if not given or impossible."""
    ratio = _numbers(header, "PixelAspectRatio")
    if len(ratio) != 2 or not all(map(_usable, ratio)):
        return None
    aspect = ratio[0] / ratio[1]
    return aspect if is_possible_aspect(aspect) else None


def _pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    """Return PixelSpacing of the header, or of the functional groups if all frames have the same."""
    holders: list[Dataset] = [header]
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in header.get(keyword) or ():
            holders += group.get("PixelMeasuresSequence") or ()
    spacings = [numbers for holder in holders if len(numbers := _numbers(holder, "PixelSpacing")) == 2]
    return (spacings[0][0], spacings[0][1]) if spacings and all(one == spacings[0] for one in spacings) else None


def _possible_spacing(
    header: Dataset, spacing: tuple[float, float] | None, name: str, notes: list[str]
) -> tuple[float, float] | None:
    """Return a spacing, or None with a note if the frame would be smaller or larger than any ultrasound."""
    if spacing is None or not any(spacing):  # in files, zero means unknown
        return None
    sides = [
        (length, length * distance) for length, distance in zip((header.Rows, header.Columns), spacing, strict=True)
    ]
    if all(map(_usable, spacing)) and all(
        distance <= _LARGEST_PIXEL and size <= _LARGEST and (length < _MANY_PIXELS or size >= _SMALLEST)
        for (length, size), distance in zip(sides, spacing, strict=True)
    ):
        return spacing
    notes.append(f"{name} is {spacing[0]:g} × {spacing[1]:g} mm, which is not possible: it is not used.")
    return None


def _regions(header: Dataset) -> list[Dataset]:
    return list(header.get("SequenceOfUltrasoundRegions") or ())


def _tissue_regions(header: Dataset) -> list[Dataset]:
    """Return the regions without ECG, M-mode and Doppler; empty if the boxes belong to a frame of another size.

    Software that scales down or crops frames often leaves the region boxes unchanged: one box beyond the frame shows
    that none of them is valid.
    """
    regions = _regions(header)
    for region in regions:
        _, _, right, bottom = _corners(region)
        # A box may end one pixel beyond the frame: some scanners give its end, others its last pixel.
        if right > header.Columns or bottom > header.Rows:
            return []
    return [region for region in regions if _shows_tissue(region)]


def _shows_tissue(region: Dataset) -> bool:
    left, top, right, bottom = _corners(region)
    return (
        region.get("RegionSpatialFormat") == _FORMAT_2D
        and region.get("RegionDataType") in (_TISSUE, _COLOR_FLOW)
        and 0 <= left < right
        and 0 <= top < bottom
    )


def _corners(region: Dataset) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom pixel of a region; 0 if not given."""
    left, top, right, bottom = (
        region.get(f"RegionLocation{edge}") or 0 for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    )
    return left, top, right, bottom


def _box(region: Dataset, header: Dataset) -> tuple[slice, slice]:
    left, top, right, bottom = _corners(region)
    return slice(top, min(bottom + 1, header.Rows)), slice(left, min(right + 1, header.Columns))


def _region_spacing(region: Dataset) -> tuple[float, float] | None:
    if any(region.get(f"PhysicalUnits{axis}Direction") != _CENTIMETERS for axis in "XY"):
        return None
    # The sign only gives the direction of the physical axis.
    row, column = (abs(float(region.get(f"PhysicalDelta{axis}") or 0)) * 10 for axis in "YX")
    return (row, column) if row and column else None


def _agree(one: tuple[float, float], other: tuple[float, float] | None) -> bool:
    return other is not None and all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(one, other, strict=True))


def _numbers(header: Dataset, keyword: str) -> list[float]:
    """Return the values of an element as numbers, none if it is missing or malformed."""
    try:
        return [float(value) for value in _values(header, keyword)]
    except (TypeError, ValueError):
        return []


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values[:3]) + (", …" if len(values) > 3 else "")


def _usable(number: float) -> bool:
    return math.isfinite(number) and number > 0


def _values(header: Dataset, keyword: str) -> list[Any]:
    """Return the values of an element as a list, for any multiplicity."""
    value = header.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
