"""Measurements in words: short beside the lines on the canvas, and in full for a list."""

from __future__ import annotations

from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.pixel_size import PixelSize
from napari_segcam.number_format import significant

UNCALIBRATED = "uncalibrated"

_TITLES = {
    "longest": "Longest diameter",
    "across": "Across it",
    "area": "Area",
    "perimeter": "Perimeter",
    "equivalent_diameter": "Diameter of a disk of this area",
    "volume": "Volume",
}


def length_words(length: float, unit: str) -> str:
    """Return a length with its unit, for example "32.1 mm" or "120.5 px (uncalibrated)"."""
    return f"{length:.1f} {_with_calibration(unit)}"


def value_words(measurement: Measurement) -> str:
    """Return the main values of a measurement, for example "32.1 × 20.2 mm"."""
    values, unit = measurement.values(), measurement.unit
    if measurement.kind == "volume":
        return f"{significant(values['volume'])} {_with_calibration(measurement.volume_unit)}"
    lengths = " × ".join(f"{values[name]:.1f}" for name in ("longest", "across") if name in values)
    if measurement.kind in ("ellipse", "outline") and "area" in values:
        return f"{lengths} {unit}, {significant(values['area'])} {_with_calibration(f'{unit}²')}"
    return f"{lengths} {_with_calibration(unit)}"


def label(measurement: Measurement) -> str:
    """Return what stands beside a measurement on the canvas: name, main values, and the mask that was measured."""
    volume = "volume " if measurement.kind == "volume" else ""
    first = f"{measurement.name}: {volume}{value_words(measurement)}".removeprefix(": ")
    if measurement.source is None:
        return first
    of = measurement.source.words.replace(" at ", "\nat ").replace(", ", ",\n")  # a canvas may be narrow
    return f"{first}\n{of}"


def details(measurement: Measurement) -> list[str]:
    """Return all values of a measurement and what a reader should know about them, one line each."""
    values, unit = measurement.values(), measurement.unit
    lines = []
    for name, value in values.items():
        if name == "volume":
            text = f"{significant(value)} {_with_calibration(measurement.volume_unit)}"
        elif name == "area":
            text = f"{significant(value)} {_with_calibration(f'{unit}²')}"
        else:
            text = length_words(value, unit)
        title = "Length" if measurement.kind == "distance" else _TITLES[name]
        lines.append(f"{title}: {text}")
    if measurement.kind == "volume":
        length, height, width = (length_words(value, unit) for value in measurement.diameters)
        lines.append(f"π/6 × {length} × {height} ({measurement.planes[0]}) × {width} ({measurement.planes[1]})")
    if measurement.source is not None:
        lines.append(_sentence(measurement.source.words))
    lines += [_sentence(note) for note in (*measurement.notes, measurement.undefined()) if note]
    return lines


def pixel_size_words(pixel_size: PixelSize) -> str:
    """Return the calibration of a frame in words."""
    if pixel_size.is_calibrated:
        return f"Calibrated: a pixel is {pixel_size.row:.3g} mm high and {pixel_size.column:.3g} mm wide."
    words = "Uncalibrated: the file does not say how large a pixel is. Lengths are in pixels"
    if abs(pixel_size.row / pixel_size.column - 1) > 1e-6:
        return f"{words}, of their width (they are {pixel_size.row / pixel_size.column:.3g} times as high as wide)."
    return f"{words}."


def _with_calibration(unit: str) -> str:
    return f"{unit} ({UNCALIBRATED})" if unit.startswith("px") else unit


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
