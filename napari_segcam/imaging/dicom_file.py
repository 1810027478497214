"""Opening a DICOM file, whatever its pixel data are."""

from __future__ import annotations

from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, MPEGTransferSyntaxes

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom import DicomCine, dicom_errors
from napari_segcam.optional import needed


def open_dicom(path: Path) -> Cine:
    """Open a DICOM file: single frame, multi-frame or video.

    Raises:
        SegcamError: if the file holds no image that can be read.
    """
    with dicom_errors(path):
        # Of the meta information alone: to read more of a deflated file, all of it would be inflated.
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        if syntax == DeflatedExplicitVRLittleEndian:
            raise SegcamError(
                f"{path.name} is stored as {syntax.name}, which is not read. Export it as uncompressed DICOM."
            )
    if syntax not in MPEGTransferSyntaxes:
        return DicomCine(path)
    needed("av", f"{path.name} holds a video")
    from napari_segcam.imaging.dicom_video import DicomVideoCine

    return DicomVideoCine(path)
