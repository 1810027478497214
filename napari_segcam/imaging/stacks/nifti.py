"""NIfTI files, such as those of CAMUS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.file_part import FilePart
from napari_segcam.imaging.stacks.axes import Axes, guess_axes, parse_axes
from napari_segcam.imaging.stacks.calibration import aspect_of, rate_of, spacing_in_mm
from napari_segcam.imaging.stacks.orientation import orient
from napari_segcam.imaging.stacks.samples import Layout, samples
from napari_segcam.imaging.stacks.slices import has_distance, note_on_slices
from napari_segcam.imaging.stacks.stack_cine import StackCine

_LENGTHS = {"meter": "m", "mm": "mm", "micron": "um"}
_TIMES = {"sec": "s", "msec": "ms", "usec": "us"}


def open_nifti(part: FilePart) -> StackCine:
    """Open a NIfTI file, compressed or not, as a cine.

    The first axis runs along the rows of a frame and the second down its columns, as in ITK and CAMUS; the third, or
    the fourth, goes from frame to frame. ``part.displayed`` turns the frames by the orientation in the header.

    Raises:
        SegcamError: if the file is damaged, or is not a frame or sequence of frames.
    """
    import nibabel

    path = part.path
    try:
        image: Any = nibabel.load(path)
        header: Any = image.header
        shape = tuple(int(length) for length in header.get_data_shape())
        dtype, offset = header.get_data_dtype(), int(image.dataobj.offset)
        slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
        steps = [float(f"{step:.7g}") for step in header["pixdim"][1 : len(shape) + 1]]
        lengths, times = header.get_xyzt_units()
        directions = _directions(image.affine, len(shape))
        data = Path(image.file_map["image"].filename)
    except Exception as error:  # a damaged header makes nibabel raise errors of many types
        raise SegcamError(f"{path.name} is a NIfTI file, but a damaged one: {error_text(error)}.") from error
    axes = parse_axes(part.axes, shape, path.name) if part.axes else guess_axes(shape, "XYT", path.name)
    orientation_note = ""
    if not part.axes:
        axes, orientation_note = orient(axes, directions, part.displayed, path.name)
    are_slices: bool | None = False
    if "T" in axes.letters[:3] and not part.axes:  # in the standard these axes are space, and time comes after them
        are_slices = has_distance(steps[axes.letters.index("T")]) or None
    slices_note = note_on_slices(are_slices, path.name, axes.letters)
    if dtype.names:  # colors, as a record of bytes
        shape, dtype = (len(dtype.names), *shape), np.dtype(np.uint8)
        axes, steps = Axes("C" + axes.letters, axes.flipped), [1.0, *steps]
    sides = [steps[axes.letters.index(letter)] for letter in "YX"]
    spacing, spacing_note = spacing_in_mm(sides, _LENGTHS.get(lengths))
    frame_rate = None
    if "T" in axes.letters[3:]:
        frame_rate = rate_of(steps[axes.letters.index("T")], _TIMES.get(times))
    return StackCine(
        path,
        _stored(data, offset, Layout(shape, dtype)),
        axes,
        slope=slope,
        intercept=intercept,
        frame_rate=frame_rate,
        spacing_mm=spacing,
        aspect=aspect_of(sides, _LENGTHS.get(lengths)),
        are_slices=bool(are_slices),
        notes=tuple(filter(None, (spacing_note, orientation_note, slices_note))),
    )


def _stored(path: Path, offset: int, layout: Layout) -> Any:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed:
        return samples(path, offset, layout)
    from napari_segcam.imaging.stacks.samples import UnpackedSamples, unpacking

    return UnpackedSamples(path.name, lambda: unpacking(path, 0, "gzip"), offset, layout)


def _directions(affine: NDArray[np.float64], dimensions: int) -> list[NDArray[np.float64]]:
    """Return the direction of each axis in the patient: left, posterior, superior."""
    to_lps = np.diag([-1.0, -1.0, 1.0]) @ np.asarray(affine, float)[:3, :3]  # NIfTI counts to the right and anterior
    return [to_lps[:, axis] if axis < 3 else np.zeros(3) for axis in range(dimensions)]
