"""The napari reader: DICOM, videos, research files and folders of images as layers, frames read when looked at."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from napari.utils.notifications import show_warning
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.image_folder import cines_of, images_in
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.stacks.choice import SeveralImagesError
from napari_segcam.viewer.checkpoint_reader import LayerData, is_checkpoint, load_checkpoint
from napari_segcam.viewer.image_choice import chosen_image

_MOST_LAYERS = 60  # more would bury the window


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """The reader for a DICOM file, a video, a research file, a folder of images or a checkpoint, known by its content.

    None for all else, and for single PNG, JPEG, BMP, TIFF and .npy files, which napari's own readers take. Called by
    napari as the manifest's ``readers`` command, with several paths if the user asks for a stack.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    if is_checkpoint(Path(path)):
        return load_checkpoint
    return read_layers if _is_ours(Path(path)) else None


def read_layers(path: str) -> list[LayerData]:
    """Open a file as one image layer, and a folder as one for each cine in it; ask which image of a file is meant.

    A notification says what is to be known of how the frames were read.

    Raises:
        SegcamError: if it cannot be read.
    """
    if Path(path).is_dir():
        contents = cines_of(Path(path))
        if len(contents.cines) > _MOST_LAYERS:
            open_cine(path)  # refuses, and lists them
        for reason in contents.unread:
            show_warning(reason)
        return [_told(cine) for cine in contents.cines]
    try:
        return [_told(open_cine(path))]
    except SeveralImagesError as several:
        name = chosen_image(several)
        return [(None,)] if name is None else [_told(open_cine(f"{path}::{name}"))]


def _told(cine: Cine) -> LayerData:
    """A cine as layer data, with what is to be known of how it was read, which is notified too."""
    if cine.notes:
        show_warning(f"{cine.name}: {' '.join(cine.notes)}")
    data, meta, kind = layer_data(cine)
    meta["metadata"]["segcam_source"] |= {"value_range_from": cine.black_and_white.reason, "notes": cine.notes}
    return data, meta, kind


def _is_ours(path: Path) -> bool:
    try:
        if path.is_dir():
            return any(images_in(path))
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    ours = kind in (FileKind.DICOM, FileKind.VIDEO) or (kind in STACKS and kind is not FileKind.NPY)
    return ours or path.suffix.lower() == ".dcm"


def layer_data(cine: Cine) -> tuple[Any, dict[str, Any], str]:
    """A cine as napari layer data: ``(Y, X[, 3])`` numpy for one frame, ``(T, Y, X[, 3])`` dask for several.

    Where the spacing is known the layer lies in millimeters, with a step of 1 from frame to frame; otherwise napari's
    own pixel units and scale 1 stay.
    """
    axes = ("y", "x") if len(cine) == 1 else ("z" if cine.are_slices else "t", "y", "x")
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
                "pixel_aspect": cine.pixel_aspect,
                "region": cine.region,
            }
        },
    }
    if cine.spacing_mm is not None:
        frame_step = len(axes) - 2
        meta["scale"] = (1.0,) * frame_step + cine.spacing_mm
        meta["units"] = ("pixel",) * frame_step + ("mm", "mm")  # napari has no unit for frames
    elif cine.pixel_aspect != 1:
        meta["scale"] = (1.0,) * (len(axes) - 2) + (cine.pixel_aspect, 1.0)
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
