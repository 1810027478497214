"""The napari reader: DICOM files as image layers in millimetres, cines as lazy arrays of one frame per chunk."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import is_dicom, open_cine

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """The reader for a DICOM file, known by its content; None for all else, which napari's own readers take.

    Called by napari as the manifest's ``readers`` command, with several paths if the user asks for a stack.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        with open(path, "rb") as file:
            head = file.read(132)
    except OSError:
        return None
    return read_layers if is_dicom(head) or Path(path).suffix.lower() == ".dcm" else None


def read_layers(path: str) -> list[LayerData]:
    """Open a file as one image layer.

    Raises:
        SegcamError: if the file cannot be read.
    """
    return [layer_data(open_cine(path))]


def layer_data(cine: Cine) -> LayerData:
    """A cine as napari layer data: ``(Y, X[, 3])`` numpy for one frame, ``(T, Y, X[, 3])`` dask for several.

    Where the spacing is known the layer lies in millimetres, with a step of 1 from frame to frame; otherwise napari's
    own pixel units and scale 1 stay.
    """
    axes = ("y", "x") if len(cine) == 1 else ("t", "y", "x")
    meta: dict[str, Any] = {
        "name": cine.name,
        "rgb": cine.is_rgb,
        "axis_labels": axes,
        "metadata": {
            "segcam_source": {
                "path": None if cine.path is None else str(cine.path),
                "frame_rate": cine.frame_rate,
                "spacing_mm": cine.spacing_mm,
                "value_range": cine.value_range,
            }
        },
    }
    if cine.spacing_mm is not None:
        frame_step = len(axes) - 2
        meta["scale"] = (1.0,) * frame_step + cine.spacing_mm
        meta["units"] = ("pixel",) * frame_step + ("mm", "mm")  # napari has no unit for frames
    if not cine.is_rgb:
        meta["contrast_limits"] = cine.value_range
    return cine[0] if len(cine) == 1 else lazy_frames(cine), meta, "image"


def lazy_frames(cine: Cine) -> da.Array:
    """The frames as one dask array ``(T, Y, X[, 3])``; a frame is decoded when it is looked at."""

    def read(block_id: tuple[int, ...]) -> NDArray[np.generic]:
        return cine[block_id[0]][np.newaxis]

    return da.map_blocks(
        read,
        chunks=((1,) * len(cine), *((length,) for length in cine.frame_shape)),
        dtype=cine.dtype,
        meta=np.empty((0,) * (1 + len(cine.frame_shape)), dtype=cine.dtype),
        # napari caches chunks by name: a name of its own keeps a file that was changed and reopened apart.
        name=f"segcam-cine-{uuid.uuid4().hex}",
    )
