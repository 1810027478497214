"""Pixel spacing of a TIFF file, from ImageJ or OME metadata."""

from __future__ import annotations

from xml.etree import ElementTree

from tifffile import TiffFile, TiffPage

from napari_segcam.imaging.stills.tiff_timing import positive

# Millimeters per unit, as ImageJ and OME write them.
_MILLIMETERS = {
    "nm": 1e-6,
    "nanometer": 1e-6,
    "µm": 1e-3,
    "um": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "m": 1e3,
    "meter": 1e3,
    "in": 25.4,
    "inch": 25.4,
    "inches": 25.4,
}


def spacing_of(file: TiffFile, page: TiffPage) -> tuple[float, float] | None:
    """Return the distance between rows and between columns in mm from ImageJ or OME metadata, None if not given.

    The resolution of a file without them is that of a printer or a screen.
    """
    if notes := file.imagej_metadata:
        unit = str(notes.get("unit", ""))
        units = (str(notes.get("yunit", unit)), unit)
        sides = [_per_pixel(page, f"{axis}Resolution") for axis in "YX"]
    elif file.ome_metadata:
        try:
            pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
        except ElementTree.ParseError:
            return None
        if pixels is None:
            return None
        units = (pixels.get("PhysicalSizeYUnit", "µm"), pixels.get("PhysicalSizeXUnit", "µm"))
        sides = [positive(pixels.get(f"PhysicalSize{axis}")) for axis in "YX"]
    else:
        return None
    row, column = (_in_millimeters(side, unit) for side, unit in zip(sides, units, strict=True))
    return None if row is None or column is None else (row, column)


def _per_pixel(page: TiffPage, name: str) -> float | None:
    """Return the units per pixel of a resolution in pixels per unit."""
    tag = page.tags.get(name)
    if tag is None:
        return None
    pixels, units = (positive(part) for part in tag.value)
    return None if pixels is None or units is None else units / pixels


def _in_millimeters(side: float | None, unit: str) -> float | None:
    # ImageJ escapes µ, and there are two characters that look alike.
    name = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("μ", "µ").strip()
    length = _MILLIMETERS.get(name, _MILLIMETERS.get(name.lower()))
    return None if side is None or length is None else side * length
