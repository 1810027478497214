"""The napari reader: DICOM, videos, research files and folders of images as layers; frames are read on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_segcam.batch.images import is_review_project
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.image_folder import cines_of, images_in
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.stacks.array_choice import SeveralImagesError
from napari_segcam.viewer.checkpoint_reader import LayerData, is_checkpoint, load_checkpoint
from napari_segcam.viewer.image_choice import ask_for_image
from napari_segcam.viewer.layers.cine_layer_data import layer_data_with_notes
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.overlay_reader import (
    is_file_of_image,
    is_without_image,
    open_over_image,
    open_segmentations_of,
    say_what_it_is,
)
from napari_segcam.viewer.project_reader import open_project_folder

_MAX_LAYERS = 60  # more layers would fill the layer list


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the reader of a DICOM, video or research file, a folder of images, a review or a checkpoint; else None.

    Files are recognized by their content. Single PNG, JPEG, BMP, TIFF and .npy files are left to napari's own readers.
    napari calls this as the manifest's ``readers`` command, with several paths if the user asks for a stack.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    if is_review_project(Path(path)):
        return open_project_folder
    if is_checkpoint(Path(path)):
        return load_checkpoint
    if is_file_of_image(Path(path)):
        return open_over_image
    if is_without_image(Path(path)):
        return say_what_it_is
    return read_layers if _can_read(Path(path)) else None


def read_layers(path: str) -> list[LayerData]:
    """Open a file as one image layer, or a folder as one layer for each cine in it, with its segmentations over them.

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
        open_segmentations_of(Path(path))
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
    return layer_data_with_notes(cine)


def _can_read(path: Path) -> bool:
    try:
        if path.is_dir():
            return any(images_in(path))
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    is_readable = kind in (FileKind.DICOM, FileKind.VIDEO) or (kind in STACKS and kind is not FileKind.NPY)
    return is_readable or path.suffix.lower() == ".dcm"
