"""Asks for the files of a cine or an image, and opens them."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFileDialog

from napari_segcam.viewer.dropped_files.file_drops import open_in_window
from napari_segcam.viewer.napari_internals.canvas import canvas_of

_TITLE = "Open a cine or an image"
_FILE_TYPES = (
    "Images and cines (*.dcm *.dicom *.ima *.avi *.mp4 *.mov *.mkv *.webm *.wmv *.gif *.png *.jpg *.jpeg *.bmp *.tif "
    "*.tiff *.nii *.nii.gz *.mha *.mhd *.nrrd *.npy *.npz *.mat *.h5 *.hdf5);;All files (*)"
)


def ask_for_images(viewer: Any) -> None:
    """Ask for files and open them; nothing happens if the user cancels."""
    paths, _ = QFileDialog.getOpenFileNames(canvas_of(viewer), _TITLE, "", _FILE_TYPES)
    if paths:
        open_in_window(viewer, paths)
