"""NRRD files (.nrrd, and .nhdr with its data file), as written by 3D Slicer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.file_part import FilePart
from napari_segcam.imaging.stacks.axes import Axes, guess_axes, parse_axes
from napari_segcam.imaging.stacks.calibration import aspect_of, is_length, is_time, rate_of, spacing_in_mm
from napari_segcam.imaging.stacks.orientation import orient
from napari_segcam.imaging.stacks.samples import Layout, Packing, refuse_special, samples
from napari_segcam.imaging.stacks.slices import has_distance, note_on_slices
from napari_segcam.imaging.stacks.stack_cine import StackCine

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_PACKINGS: dict[str, Packing] = {"raw": "none", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_IN_TIME = ("time", "list")
_COLORS = ("rgb-color", "rgba-color", "3-color", "4-color", "rgba")


def open_nrrd(part: FilePart) -> StackCine:
    """Open an NRRD file as a cine: an axis of kind *time* or *list* goes from frame to frame, or else the last one.

    The first of the other axes runs along the rows of a frame and the second down its columns.

    Raises:
        SegcamError: if the header is damaged, the pixels are missing, or it is not a frame or sequence of frames.
    """
    import nrrd

    path = part.path
    try:
        with path.open("rb") as file:
            header: Mapping[str, Any] = nrrd.read_header(file)
            end = file.tell()
        shape = tuple(int(length) for length in header["sizes"])
        codes = {alias: code for code, aliases in _TYPES.items() for alias in aliases}
        order = ">" if header.get("endian", "little") == "big" else "<"
        dtype = np.dtype(order + codes[str(header["type"]).lower()])
        encoding = str(header["encoding"]).lower()
        kinds = [str(kind).lower() for kind in header.get("kinds", ["domain"] * len(shape))]
        vectors = _vectors(header, len(shape))
        units = [str(unit) for unit in header.get("units", [])] or [""] * len(shape)
        spaces = [str(unit) for unit in header.get("space units", [])]
        if not len(kinds) == len(vectors) == len(units) == len(shape) or min(shape) < 1:
            raise ValueError("its axes do not match")
    except Exception as error:  # a damaged header makes the library raise errors of many types
        fault = f"it lacks {error}" if isinstance(error, KeyError) else error_text(error)
        raise SegcamError(f"{path.name} is an NRRD file, but a damaged one: {fault}.") from error
    if encoding not in _PACKINGS:
        raise SegcamError(f"{path.name} holds its pixels as {encoding}. Save it again with the encoding raw or gzip.")
    axes = parse_axes(part.axes, shape, path.name) if part.axes else _axes(shape, kinds, path.name)
    orientation_note = ""
    if not part.axes and "space" in header and all(np.isfinite(vectors[axes.letters.index(c)]).all() for c in "YX"):
        directions = [_to_lps(vector, str(header["space"])) for vector in vectors]
        axes, orientation_note = orient(axes, directions, part.displayed, path.name)
    row, column = (axes.letters.index(letter) for letter in "YX")
    axis_unit = units[row] if units[row] == units[column] else f"{units[row]} and {units[column]}"
    unit = (spaces[0] if spaces else "mm") if "space" in header else (axis_unit or None)
    sides = [float(np.linalg.norm(vectors[axis])) for axis in (row, column)]
    spacing, spacing_note = spacing_in_mm(sides, unit)
    frame_rate: float | None = None
    are_slices: bool | None = False
    if "T" in axes.letters:
        axis = axes.letters.index("T")
        step = float(np.linalg.norm(vectors[axis]))
        frame_rate = rate_of(step, units[axis])
        are_slices = False if part.axes else _are_slices(kinds[axis], units[axis], step, in_space="space" in header)
    slices_note = note_on_slices(are_slices, path.name, axes.letters)
    layout = Layout(shape, dtype)
    data, offset = _pixels(path, header, end, layout)
    return StackCine(
        path,
        samples(data, offset, layout, _PACKINGS[encoding]),
        axes,
        frame_rate=frame_rate,
        spacing_mm=spacing,
        aspect=aspect_of(sides, unit),
        are_slices=bool(are_slices),
        notes=tuple(filter(None, (spacing_note, orientation_note, slices_note))),
    )


def _vectors(header: Mapping[str, Any], dimensions: int) -> list[NDArray[np.float64]]:
    """Return the step of each axis in space, or along the axis if the header has no space; NaN if unknown."""
    if header.get("space directions") is not None:
        unknown = np.full(3, np.nan)
        vectors = [unknown if vector is None else np.asarray(vector, float) for vector in header["space directions"]]
        spacings = header.get("spacings", [np.nan] * dimensions)
        return [
            np.array([float(step), 0.0, 0.0]) if np.isnan(vector).any() else vector
            for vector, step in zip(vectors, spacings, strict=True)
        ]
    return [np.array([float(step), 0.0, 0.0]) for step in header.get("spacings", [np.nan] * dimensions)]


def _axes(shape: tuple[int, ...], kinds: list[str], name: str) -> Axes:
    letters = ["C" if kind in _COLORS else "T" if kind in _IN_TIME else "" for kind in kinds]
    unlabeled = [axis for axis, letter in enumerate(letters) if not letter]
    long = [axis for axis in unlabeled if shape[axis] > 1]
    if letters.count("C") > 1 or letters.count("T") > 1 or len(long) > 3 - letters.count("T"):
        raise SegcamError(f"{name} has the shape {shape} and the axes {', '.join(kinds)}: these are not frames.")
    guessed = guess_axes([shape[axis] for axis in unlabeled], "XYT", name)
    for axis, letter in zip(unlabeled, guessed.letters, strict=True):
        letters[axis] = letter
    return Axes("".join(letters))


def _are_slices(kind: str, unit: str, step: float, *, in_space: bool) -> bool | None:
    """Whether the axis of the frames is spatial by its kind, its unit or its direction; None if unknown."""
    if kind in _IN_TIME or is_time(unit):
        return False
    if kind == "space" or is_length(unit) or (in_space and has_distance(step)):
        return True
    return None


def _to_lps(vector: NDArray[np.float64], space: str) -> NDArray[np.float64]:
    """Return a step in a named space as left, posterior, superior."""
    names = space.lower().split("-")
    if len(names) == 1:
        names = [
            {"l": "left", "r": "right", "p": "posterior", "a": "anterior", "s": "superior"}.get(c, "") for c in names[0]
        ]
    direction = np.zeros(3)
    direction[: min(len(vector), 3)] = np.nan_to_num(vector[:3])
    if names[0] == "right":
        direction[0] *= -1
    if len(names) > 1 and names[1] == "anterior":
        direction[1] *= -1
    return direction


def _pixels(path: Path, header: Mapping[str, Any], end: int, layout: Layout) -> tuple[Path, int]:
    """Return the file of the pixels, and their offset in it."""
    named = header.get("data file", header.get("datafile"))
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if int(header.get("line skip", header.get("lineskip", 0))):
        raise SegcamError(f"{path.name} has its pixels after lines of text. Save it as one .nrrd file.")
    if named is None:
        data = path
    else:
        if re.match(r"LIST\b", str(named)) or "%" in str(named):
            raise SegcamError(f"{path.name} lists its slices as many files. Save it as one .nrrd file.")
        data, end = path.parent / str(named), 0
        refuse_special(data)
    if skip == -1:
        return data, data.stat().st_size - layout.nbytes
    return data, end + max(skip, 0)
