"""Segmentations and maps that are opened by the File menu or dropped on the canvas: they open over their image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.object_kind import ObjectKind, object_kind

LayerData = tuple[Any, ...]

_WORDS = {ObjectKind.SEGMENTATION: "segmentation", ObjectKind.PARAMETRIC_MAP: "parametric map"}


def is_file_of_image(path: Path) -> bool:
    """Return whether a path is a DICOM file without an image of its own that can be shown over another one."""
    return path.is_file() and object_kind(path) in _WORDS


def open_over_image(path: str) -> list[LayerData]:
    """Open a DICOM file over its image in the current window, once it is read; add no layer yet.

    Raises:
        SegcamError: if there is no window.
    """
    viewer, kind = napari.current_viewer(), object_kind(Path(path))
    if viewer is None:
        raise SegcamError(f"{Path(path).name} is a {_WORDS[kind]} of another image: open it in a napari window.")
    # Imported here because napari calls the reader for any file.
    from napari_segcam.viewer.segmentations.map_file import MapFile
    from napari_segcam.viewer.segmentations.opening import openings_of
    from napari_segcam.viewer.segmentations.segmentation_file import SegmentationFile

    openings_of(viewer).open(Path(path), SegmentationFile if kind is ObjectKind.SEGMENTATION else MapFile)
    return [(None,)]
