"""Gray values of a DICOM file: rescaling, windows and tables in the header, and the black and white that follow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from napari_segcam.imaging.value_range import ValueRange, range_of_bits

# The elements in use, so that a reader can skip all others.
VALUE_KEYWORDS = (
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "VOILUTFunction",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_EXTENT = ("SmallestImagePixelValue", "LargestImagePixelValue")
_TABLE_WHITE = 65535.0
_IMPOSSIBLE = 1e9  # a wider window than any pixel depth
# Functional groups (PS3.3, section C.7.6.16.2) whose elements count like the header's own.
_GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence")

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class GrayScale:
    """Conversion of stored values to gray.

    Attributes:
        stated: black and white in the header, in stored values or in those of the table; None if not given.
        extent: smallest and largest stored value in the header; None if not given.
        is_inverted: whether small values are brighter than large ones.
        table: the new value of each stored value, from the smallest on; None if they stay as they are.
        notes: on elements that are not used, in sentences.
    """

    stated: ValueRange | None = None
    extent: tuple[float, float] | None = None
    is_inverted: bool = False
    table: NDArray[np.uint16] | None = None
    notes: tuple[str, ...] = ()


def gray_scale_of(header: Dataset, bits: int, *, signed: bool) -> GrayScale:
    """Return the gray scale of a file whose frames are not in color.

    The first window counts, or the first table instead (PS3.3, sections C.11.1 and C.11.2). A conversion that is not
    linear becomes a table.

    Args:
        header: the VOI LUT and modality LUT modules, or functional groups with the same elements.
        bits: bits stored per pixel.
        signed: whether stored values may be negative.

    Raises:
        ValueError: if a table is incomplete.
    """
    notes: list[str] = []
    elements = _with_groups(header, notes)
    lowest, highest = range_of_bits(bits, signed=signed)
    stored = np.arange(lowest, highest + 1)
    modality, voi = (_table_of(elements.get(f"{kind}LUTSequence"), signed) for kind in ("Modality", "VOI"))
    slope, intercept = (1.0, 0.0) if modality else _rescale_of(elements, notes)
    rescaled = modality(stored) if modality else stored * slope + intercept
    window = None if voi else _window_of(elements, notes)
    if voi:
        return _by_table(voi(rescaled) / voi.white, "the file's VOI table", notes)
    if window is not None and window.function == "SIGMOID":
        gray = 1 / (1 + np.exp(-4 * (rescaled - window.center) / window.width))
        return _by_table(gray, window.in_words, notes)
    if modality:
        black, white = window.edges if window else (rescaled.min(), rescaled.max())
        reason = window.in_words if window else "the file's modality table"
        return _by_table((rescaled - black) / max(white - black, 1e-9), reason, notes)
    stated = None
    if window is not None:
        black, white = sorted((edge - intercept) / slope for edge in window.edges)
        stated = ValueRange(black, white, window.in_words)
    extent = [number for end in _EXTENT for number in _numbers(elements, end)]
    is_extent = len(extent) == 2 and lowest <= extent[0] < extent[1] <= highest
    return GrayScale(stated, (extent[0], extent[1]) if is_extent else None, slope < 0, notes=tuple(notes))


def _by_table(gray: Curve, reason: str, notes: list[str]) -> GrayScale:
    """Return a gray scale with a table, from a curve in which 0 is black and 1 is white."""
    table = np.round(np.clip(gray, 0, 1) * _TABLE_WHITE).astype(np.uint16)
    return GrayScale(ValueRange(0.0, _TABLE_WHITE, reason), table=table, notes=tuple(notes))


@dataclass(frozen=True)
class _Window:
    center: float
    width: float
    function: str

    @property
    def in_words(self) -> str:
        return f"the file's window (center {self.center:g}, width {self.width:g})"

    @property
    def edges(self) -> tuple[float, float]:
        """Values of black and white (PS3.3, sections C.11.2.1.2.1 and C.11.2.1.3.2)."""
        if self.function == "LINEAR_EXACT":
            return self.center - self.width / 2, self.center + self.width / 2
        return self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2


@dataclass(frozen=True)
class _Table:
    """Lookup table for the value ``first`` and those after it.

    Attributes:
        first: the first mapped value.
        entries: the new values.
        white: the largest possible entry.
    """

    first: float
    entries: Curve
    white: float

    def __call__(self, values: Curve) -> Curve:
        """Map values; those before the first and after the last are mapped like these."""
        return self.entries[np.clip(np.round(values - self.first), 0, len(self.entries) - 1).astype(np.intp)]


def _with_groups(header: Dataset, notes: list[str]) -> Dataset:
    """Return the header's elements, with those of functional groups that are the same for every frame."""
    joined = Dataset()
    for keyword in VALUE_KEYWORDS[:-2]:
        if header.get(keyword) is not None:
            joined[keyword] = header[keyword]
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    frames = list(header.get("PerFrameFunctionalGroupsSequence") or ())
    for group in _GROUPS:
        items = [next(iter(frame.get(group) or ()), None) for frame in (shared, *frames)]
        present = [item for item in items if item is not None]
        if present and all(item == present[0] for item in present):
            joined.update({element.tag: element for element in present[0]})
        elif present:
            notes.append("The window differs from frame to frame: none is used, so that the frames do not flicker.")
    return joined


def _rescale_of(elements: Dataset, notes: list[str]) -> tuple[float, float]:
    """Return the rescale slope and intercept."""
    slope, intercept = _number(elements, "RescaleSlope"), _number(elements, "RescaleIntercept")
    if slope == 0 or (slope is None and elements.get("RescaleSlope") is not None):
        notes.append(f"The file's rescale slope {elements.get('RescaleSlope')} makes no sense: it is not used.")
        return 1.0, 0.0
    return slope if slope is not None else 1.0, intercept or 0.0


def _window_of(elements: Dataset, notes: list[str]) -> _Window | None:
    """Return the first window that makes sense."""
    function = str(elements.get("VOILUTFunction") or "LINEAR").strip().upper()
    pairs = zip(_numbers(elements, "WindowCenter"), _numbers(elements, "WindowWidth"), strict=False)
    windows = [_Window(center, width, function) for center, width in pairs]
    smallest = 1 if function == "LINEAR" else 0
    usable = [window for window in windows if math.isfinite(window.center) and smallest < window.width < _IMPOSSIBLE]
    if windows and not usable:
        notes.append(f"{windows[0].in_words.capitalize()} makes no sense: it is not used.")
    if len(set(usable)) > 1:
        notes.append(f"The file has {len(usable)} windows: the first is used.")
    return usable[0] if usable else None


def _table_of(sequence: Any, signed: bool) -> _Table | None:
    """Return a sequence's first table."""
    item = next(iter(sequence or ()), None)
    if item is None or item.get("LUTDescriptor") is None or item.get("LUTData") is None:
        return None
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = entries or 65536
    if signed and first > 32767:  # it was read as an unsigned number
        first -= 65536
    data = item.LUTData
    if isinstance(data, bytes):
        values = np.frombuffer(data, np.uint8 if len(data) < 2 * entries else np.dtype("<u2"))
    else:
        values = np.atleast_1d(np.asarray(data))
    if bits <= 8 and values.size == (entries + 1) // 2 < entries:  # packed two to a word
        values = values.astype("<u2").view(np.uint8)
    if values.size < entries:
        raise ValueError(f"a table of its gray values has {values.size} entries instead of {entries}")
    # The number of bits is often wrong: 16 for 8-bit entries, or the other way round.
    largest = float(values[:entries].max(initial=1))
    white = next(white for white in (255.0, 1023.0, 4095.0, 16383.0, 65535.0) if largest <= white)
    stated = 2.0**bits - 1
    return _Table(float(first), values[:entries].astype(np.float64), stated if 1 <= stated / largest < 8 else white)


def _number(elements: Dataset, keyword: str) -> float | None:
    numbers = [number for number in _numbers(elements, keyword) if math.isfinite(number)]
    return numbers[0] if numbers else None


def _numbers(elements: Dataset, keyword: str) -> list[float]:
    value = elements.get(keyword)
    if value is None or value == "":
        return []
    try:
        return [
            float(number)
            for number in (value if isinstance(value, Iterable) and not isinstance(value, str) else [value])
        ]
    except (TypeError, ValueError):
        return []
