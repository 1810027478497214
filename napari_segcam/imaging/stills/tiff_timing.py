"""Frame rate of a TIFF file, from ImageJ or OME metadata."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

from tifffile import TiffFile

# Seconds per unit, as ImageJ and OME write them.
_SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "µs": 1e-6,
    "usec": 1e-6,
    "min": 60.0,
    "h": 3600.0,
}


def frame_rate_of(file: TiffFile) -> float | None:
    """Return frames per second: from the interval in ImageJ or OME metadata, then from ImageJ's playback speed."""
    if notes := file.imagej_metadata:
        interval = positive(notes.get("finterval"))
        return _rate(interval, notes.get("tunit", "sec")) or positive(notes.get("fps"))
    if file.ome_metadata:
        try:
            pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
        except ElementTree.ParseError:
            return None
        if pixels is not None:
            return _rate(positive(pixels.get("TimeIncrement")), pixels.get("TimeIncrementUnit", "s"))
    return None


def _rate(interval: float | None, unit: str) -> float | None:
    seconds = _SECONDS.get(unit.replace("μ", "µ"))  # two characters that look alike
    return 1 / (interval * seconds) if interval is not None and seconds is not None else None


def positive(value: Any) -> float | None:
    """Return a number above zero, or None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
