"""MetaImage files (.mha, and .mhd with its raw file), used by ITK and many public data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_part import FilePart
from napari_segcam.imaging.stacks.axes import Axes, guess_axes, parse_axes
from napari_segcam.imaging.stacks.calibration import aspect_of, spacing_in_mm
from napari_segcam.imaging.stacks.orientation import orient
from napari_segcam.imaging.stacks.samples import Layout, Packing, refuse_special, samples
from napari_segcam.imaging.stacks.slices import has_distance, note_on_slices
from napari_segcam.imaging.stacks.stack_cine import StackCine

_TYPES = {
    "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4", "LONG": "i4", "ULONG": "u4",
    "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4", "DOUBLE": "f8",
}  # fmt: skip
_LONGEST_HEADER = 1 << 16
_LAST_FIELD = "elementdatafile"
_SAME_FILE = "LOCAL"


def open_metaimage(part: FilePart) -> StackCine:
    """Open a MetaImage file as a cine: the first axis runs along the rows, the second down, the third over frames.

    Raises:
        SegcamError: if the header is damaged, the pixels are missing, or it is not a frame or sequence of frames.
    """
    path = part.path
    header, end = _read_header(path)
    try:
        shape = tuple(int(length) for length in header["dimsize"].split())
        channels = int(header.get("elementnumberofchannels", "1"))
        is_big = header.get("elementbyteordermsb", header.get("binarydatabyteordermsb", "false")).lower() == "true"
        dtype = np.dtype(
            (">" if is_big else "<") + _TYPES[header["elementtype"].removeprefix("MET_").removesuffix("_ARRAY")]
        )
        numbers = header.get("elementspacing", header.get("elementsize", ""))
        steps = [float(step) for step in numbers.split()] or [0.0] * len(shape)
        matrix = np.array(
            header.get("transformmatrix", header.get("rotation", header.get("orientation", ""))).split(), float
        )
        skipped = int(header.get("headersize", "0"))
        if len(steps) != len(shape) or min(shape) < 1 or channels < 1:
            raise ValueError("its sizes do not match")
    except (KeyError, ValueError) as error:
        fault = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SegcamError(f"{path.name} is a MetaImage file, but a damaged one: {fault}.") from error
    if header.get("binarydata", "true").lower() == "false":
        raise SegcamError(f"{path.name} holds its pixels as text. Save it again as binary data.")
    axes = parse_axes(part.axes, shape, path.name) if part.axes else guess_axes(shape, "XYT", path.name)
    orientation_note = ""
    if not part.axes and matrix.size == len(shape) ** 2:
        directions = [_in_patient(vector) for vector in matrix.reshape(len(shape), -1)]
        axes, orientation_note = orient(axes, directions, part.displayed, path.name)
    sides = [steps[axes.letters.index(letter)] for letter in "YX"]
    spacing, spacing_note = spacing_in_mm(sides, "mm")
    are_slices: bool | None = False
    if "T" in axes.letters and not part.axes:
        are_slices = has_distance(steps[axes.letters.index("T")]) or None
    slices_note = note_on_slices(are_slices, path.name, axes.letters)
    if channels > 1:
        if channels not in (3, 4):
            raise SegcamError(f"{path.name} holds {channels} values a pixel: gray has 1, and colors have 3 or 4.")
        shape, axes = (channels, *shape), Axes("C" + axes.letters, axes.flipped)
    layout = Layout(shape, dtype)
    packing: Packing = "zlib" if header.get("compresseddata", "false").lower() == "true" else "none"
    data, offset = _pixels(path, header[_LAST_FIELD], end, skipped, layout)
    return StackCine(
        path,
        samples(data, offset, layout, packing),
        axes,
        spacing_mm=spacing,
        aspect=aspect_of(sides, "mm"),
        are_slices=bool(are_slices),
        notes=tuple(filter(None, (spacing_note, orientation_note, slices_note))),
    )


def _read_header(path: Path) -> tuple[Mapping[str, str], int]:
    """Return the header's fields by their names in lower case, and the offset of its end."""
    with path.open("rb") as file:
        text = file.read(_LONGEST_HEADER)
    header: dict[str, str] = {}
    end = 0
    while _LAST_FIELD not in header:
        line, newline, _ = text[end:].partition(b"\n")
        name, equals, value = line.decode("utf-8", "replace").partition("=")
        if not equals or not (newline or name.strip().lower() == _LAST_FIELD):
            raise SegcamError(f"{path.name} is a MetaImage file, but a damaged one: its header has no end.")
        header[name.strip().lower()] = value.strip()
        end += len(line) + len(newline)
    return header, end


def _pixels(path: Path, named: str, end: int, skipped: int, layout: Layout) -> tuple[Path, int]:
    """Return the file of the pixels, and their offset in it."""
    if named.upper() == _SAME_FILE:
        data, offset = path, end
    elif named.upper().startswith("LIST") or "%" in named:
        raise SegcamError(f"{path.name} lists its slices as many files. Save it as one .mha file.")
    else:
        data, offset = path.parent / named.replace("\\", "/"), 0
        refuse_special(data)
    if skipped == -1:
        return data, data.stat().st_size - layout.nbytes
    return data, offset + max(skipped, 0)


def _in_patient(vector: np.ndarray) -> np.ndarray:
    """Return a direction of two or more dimensions as left, posterior, superior."""
    direction = np.zeros(3)
    direction[: min(len(vector), 3)] = vector[:3]
    return direction
