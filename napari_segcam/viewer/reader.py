"""The napari reader: DICOM files, videos and folders of images as layers, a cine's frames read when looked at."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.image_folder import images_in
from napari_segcam.imaging.opening import open_cine

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """The reader for a DICOM file, a video or a folder of images, known by its content.

    None for all else, single PNG, JPEG, BMP and TIFF files too, which napari's own readers take. Called by napari as
    the manifest's ``readers`` command, with several paths if the user asks for a stack.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    return read_layers if _is_ours(Path(path)) else None


def read_layers(path: str) -> list[LayerData]:
    """Open a file or folder as one image layer.

    Raises:
        SegcamError: if it cannot be read.
    """
    return [layer_data(open_cine(path))]


def _is_ours(path: Path) -> bool:
    try:
        if path.is_dir():
            return any(images_in(path))
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    return kind in (FileKind.DICOM, FileKind.VIDEO) or path.suffix.lower() == ".dcm"


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
                "region": cine.region,
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
