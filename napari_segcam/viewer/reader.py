"""The napari reader: DICOM, videos, research files and folders of images as layers; frames are read on demand."""

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
from napari_segcam.imaging.stacks.array_choice import SeveralImagesError
from napari_segcam.viewer.checkpoint_reader import LayerData, is_checkpoint, load_checkpoint
from napari_segcam.viewer.image_choice import ask_for_image
from napari_segcam.viewer.layers.frame_names import SOURCE

_MAX_LAYERS = 60  # more layers would fill the layer list


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the reader of a DICOM file, a video, a research file, a folder of images or a checkpoint; else None.

    Files are recognized by their content. Single PNG, JPEG, BMP, TIFF and .npy files are left to napari's own readers.
    napari calls this as the manifest's ``readers`` command, with several paths if the user asks for a stack.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    if is_checkpoint(Path(path)):
        return load_checkpoint
    return read_layers if _can_read(Path(path)) else None


def read_layers(path: str) -> list[LayerData]:
    """Open a file as one image layer, or a folder as one layer for each cine in it.

    If a file holds several images, the user is asked which one to open. A notification says what the user should know
    about how the frames were read.

    Raises:
        SegcamError: if it cannot be read.
    """
    if Path(path).is_dir():
        contents = cines_of(Path(path))
        if len(contents.cines) > _MAX_LAYERS:
            open_cine(path)  # raises an error that lists them
        for reason in contents.unread:
            show_warning(reason)
        return [_layer_with_notes(cine) for cine in contents.cines]
    try:
        return [_layer_with_notes(open_cine(path))]
    except SeveralImagesError as several:
        name = ask_for_image(several)
        return [(None,)] if name is None else [_layer_with_notes(open_cine(f"{path}::{name}"))]


def _layer_with_notes(cine: Cine) -> LayerData:
    """Return a cine as layer data, with notes on how it was read; show the notes to the user, too."""
    if cine.notes:
        show_warning(f"{cine.name}: {' '.join(cine.notes)}")
    data, attributes, kind = layer_data(cine)
    attributes["metadata"][SOURCE] |= {"value_range_from": cine.black_and_white.reason, "notes": cine.notes}
    return data, attributes, kind


def _can_read(path: Path) -> bool:
    try:
        if path.is_dir():
            return any(images_in(path))
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    is_readable = kind in (FileKind.DICOM, FileKind.VIDEO) or (kind in STACKS and kind is not FileKind.NPY)
    return is_readable or path.suffix.lower() == ".dcm"


def layer_data(cine: Cine) -> tuple[Any, dict[str, Any], str]:
    """Return a cine as napari layer data: ``(Y, X[, 3])`` numpy for one frame, ``(T, Y, X[, 3])`` dask for several.

    With a known pixel spacing, the layer is in millimeters, with a step of 1 from frame to frame. Otherwise it keeps
    napari's pixel units and scale 1.
    """
    axes = ("y", "x") if len(cine) == 1 else ("z" if cine.are_slices else "t", "y", "x")
    source: dict[str, Any] = {
        "path": None if cine.path is None else str(cine.path),
        "frame_rate": cine.frame_rate,
        "spacing_mm": cine.spacing_mm,
        "value_range": cine.value_range,
        "pixel_aspect": cine.pixel_aspect,
        "region": cine.region,
    }
    if cine.file_names:
        source["file_names"] = cine.file_names
    attributes: dict[str, Any] = {
        "name": cine.name,
        "rgb": cine.is_rgb,
        "axis_labels": axes,
        "metadata": {SOURCE: source},
    }
    leading_axes = len(axes) - 2
    if cine.spacing_mm is not None:
        attributes["scale"] = (1.0,) * leading_axes + cine.spacing_mm
        attributes["units"] = ("pixel",) * leading_axes + ("mm", "mm")  # napari has no unit for frames
    elif cine.pixel_aspect != 1:
        attributes["scale"] = (1.0,) * leading_axes + (cine.pixel_aspect, 1.0)
    if not cine.is_rgb:
        attributes["contrast_limits"] = cine.value_range
    return cine[0] if len(cine) == 1 else lazy_frames(cine), attributes, "image"


def lazy_frames(cine: Cine) -> da.Array:
    """Return the frames as one dask array ``(T, Y, X[, 3])`` that decodes a frame when it is looked at."""

    def read(block_id: tuple[int, ...]) -> NDArray[np.generic]:
        return cine[block_id[0]][np.newaxis]

    return da.map_blocks(
        read,
        chunks=((1,) * len(cine), *((length,) for length in cine.frame_shape)),
        dtype=cine.dtype,
        meta=np.empty((0,) * (1 + len(cine.frame_shape)), dtype=cine.dtype),
        # napari caches chunks by name: a unique name keeps apart a file that was changed and opened again.
        name=f"segcam-cine-{uuid.uuid4().hex}",
    )
