"""Asks for the files of a cine or an image, and opens them."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_segcam.viewer.dropped_files.file_drops import open_in_window

_TITLE = "Open a cine or an image"
_FILE_TYPES = (
    "Images and cines (*.dcm *.dicom *.ima *.avi *.mp4 *.mov *.mkv *.webm *.wmv *.gif *.png *.jpg *.jpeg *.bmp *.tif "
    "*.tiff *.nii *.nii.gz *.mha *.mhd *.nrrd *.npy *.npz *.mat *.h5 *.hdf5);;All files (*)"
)


def ask_for_images(parent: QWidget, viewer: Any) -> None:
    """Ask for files and open them; nothing happens if the user cancels."""
    paths, _ = QFileDialog.getOpenFileNames(parent, _TITLE, "", _FILE_TYPES)
    if paths:
        open_in_window(viewer, paths)
