"""Segmentations and maps that are opened by the File menu or dropped on the canvas: they open over their image."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import napari

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.dicom.object_kind import ObjectKind, object_kind, refuse_other_kinds, sop_class_of
from napari_segcam.viewer.mendable_errors import show_warning

LayerData = tuple[Any, ...]

_MOST_OF_FOLDER = 20  # more layers would fill the layer list
_WORDS = {ObjectKind.SEGMENTATION: "segmentation", ObjectKind.PARAMETRIC_MAP: "parametric map"}


def is_file_of_image(path: Path) -> bool:
    """Return whether a path is a DICOM file without an image of its own that can be shown over another one."""
    return path.is_file() and object_kind(path) in _WORDS


def is_without_image(path: Path) -> bool:
    """Return whether a path is a DICOM report, document or the like."""
    return path.is_file() and object_kind(path) is ObjectKind.WITHOUT_IMAGE


def say_what_it_is(path: str) -> list[LayerData]:
    """Say that a DICOM file holds no image, and what it is; add no layer.

    After an error, napari would ask for another reader, which there is not.

    Raises:
        SegcamError: that says it, if there is no window.
    """
    try:
        refuse_other_kinds(Path(path), sop_class_of(Path(path)))
    except SegcamError as reason:
        if napari.current_viewer() is None:
            raise
        show_warning(str(reason))
    return [(None,)]


def open_segmentations_of(folder: Path) -> None:
    """Open the segmentations in a folder over its images, once these are in the current window."""
    viewer = napari.current_viewer()
    if viewer is None:
        return
    with suppress(OSError):
        paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
        files = [path for path in paths if object_kind(path) is ObjectKind.SEGMENTATION]
        for path in files[:_MOST_OF_FOLDER]:
            _open(viewer, path, ObjectKind.SEGMENTATION, over_open_images=True)


def open_over_image(path: str) -> list[LayerData]:
    """Open a DICOM file over its image in the current window, once it is read; add no layer yet.

    Raises:
        SegcamError: if there is no window.
    """
    viewer, kind = napari.current_viewer(), object_kind(Path(path))
    if viewer is None:
        raise SegcamError(f"{Path(path).name} is a {_WORDS[kind]} of another image: open it in a napari window.")
    _open(viewer, Path(path), kind)
    return [(None,)]


def _open(viewer: napari.Viewer, path: Path, kind: ObjectKind, *, over_open_images: bool = False) -> None:
    # Imported here because napari calls the reader for any file.
    from napari_segcam.viewer.segmentations.map_file import MapFile
    from napari_segcam.viewer.segmentations.opening import openings_of
    from napari_segcam.viewer.segmentations.segmentation_file import SegmentationFile

    read = SegmentationFile if kind is ObjectKind.SEGMENTATION else MapFile
    openings_of(viewer).open(path, read, over_open_images=over_open_images)
