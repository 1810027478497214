"""Image layers of cines: what napari needs to show frames that are read on demand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.image_folder import FolderCine
from napari_segcam.viewer.layers.frame_names import SOURCE


def layer_data(cine: Cine, held: Mapping[int, NDArray[np.generic]] | None = None) -> tuple[Any, dict[str, Any], str]:
    """Return a cine as napari layer data: ``(Y, X[, 3])`` numpy for one frame, ``(T, Y, X[, 3])`` dask for several.

    With a known pixel spacing, the layer is in millimeters, with a step of 1 from frame to frame. Otherwise it keeps
    napari's pixel units and scale 1.

    Args:
        cine: the frames.
        held: frames that are decoded already, by number.
    """
    source: dict[str, Any] = {
        "path": None if cine.path is None else str(cine.path),
        "frame_rate": cine.frame_rate,
        "spacing_mm": cine.spacing_mm,
        "value_range": cine.value_range,
        "pixel_aspect": cine.pixel_aspect,
        "region": cine.region,
        "is_dicom": _is_dicom(cine),
    }
    if cine.file_names:
        source["file_names"] = cine.file_names
    if isinstance(cine, FolderCine):
        source["frame_paths"] = tuple(str(path) for path in cine.frame_paths)
    attributes: dict[str, Any] = {
        "name": cine.name,
        "rgb": cine.is_rgb,
        "metadata": {SOURCE: source},
        **layer_transform(cine, has_frames=len(cine) > 1),
    }
    if not cine.is_rgb:
        attributes["contrast_limits"] = cine.value_range
    if len(cine) > 1:
        return lazy_frames(cine, held), attributes, "image"
    return held[0] if held else cine[0], attributes, "image"


def layer_transform(cine: Cine, *, has_frames: bool) -> dict[str, Any]:
    """Return the axis labels of a cine's layer and, where its pixels are known, their scale and units.

    Args:
        cine: the frames.
        has_frames: whether the layer has an axis of frames; else it shows one.
    """
    axes = ("z" if cine.are_slices else "t", "y", "x") if has_frames else ("y", "x")
    attributes: dict[str, Any] = {"axis_labels": axes}
    leading_axes = len(axes) - 2
    if cine.spacing_mm is not None:
        attributes["scale"] = (1.0,) * leading_axes + cine.spacing_mm
        attributes["units"] = ("pixel",) * leading_axes + ("mm", "mm")  # napari has no unit for frames
    elif cine.pixel_aspect != 1:
        attributes["scale"] = (1.0,) * leading_axes + (cine.pixel_aspect, 1.0)
    return attributes


def layer_data_with_notes(cine: Cine) -> tuple[Any, dict[str, Any], str]:
    """Return a cine as layer data that says how it was read; a few frames may be decoded for that."""
    data, attributes, kind = layer_data(cine)
    attributes["metadata"][SOURCE] |= {"value_range_from": cine.black_and_white.reason, "notes": cine.notes}
    return data, attributes, kind


def _is_dicom(cine: Cine) -> bool:
    """Whether the frames are those of a DICOM file, or of a folder of stills of which the first is one."""
    path = next(iter(getattr(cine, "frame_paths", ())), cine.path)
    try:
        return path is not None and kind_of(read_head(path)) is FileKind.DICOM
    except SegcamError:
        return False


def lazy_frames(cine: Cine, held: Mapping[int, NDArray[np.generic]] | None = None) -> da.Array:
    """Return the frames as one dask array ``(T, Y, X[, 3])`` that decodes a frame when it is looked at.

    Args:
        cine: the frames.
        held: frames that are decoded already, by number.
    """
    decoded = dict(held or {})

    def read(block_id: tuple[int, ...]) -> NDArray[np.generic]:
        frame = decoded.get(block_id[0])
        return (cine[block_id[0]] if frame is None else frame)[np.newaxis]

    return da.map_blocks(
        read,
        chunks=((1,) * len(cine), *((length,) for length in cine.frame_shape)),
        dtype=cine.dtype,
        meta=np.empty((0,) * (1 + len(cine.frame_shape)), dtype=cine.dtype),
        # napari caches chunks by name: a unique name keeps apart a file that was changed and opened again.
        name=f"segcam-cine-{uuid.uuid4().hex}",
    )
