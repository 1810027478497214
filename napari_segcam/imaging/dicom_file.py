"""Opening a DICOM file, whatever its pixel data are."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread
from pydicom.uid import MPEGTransferSyntaxes

from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom import DicomCine, dicom_errors
from napari_segcam.optional import needed


def open_dicom(path: Path) -> Cine:
    """Open a DICOM file: single frame, multi-frame or video.

    Raises:
        SegcamError: if the file holds no image that can be read.
    """
    with dicom_errors(path):
        syntax = dcmread(path, stop_before_pixels=True, specific_tags=[]).file_meta.get("TransferSyntaxUID")
    if syntax not in MPEGTransferSyntaxes:
        return DicomCine(path)
    needed("av", f"{path.name} holds a video")
    from napari_segcam.imaging.dicom_video import DicomVideoCine

    return DicomVideoCine(path)
