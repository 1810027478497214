"""Opening a DICOM file with frames or a video."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import MPEGTransferSyntaxes

from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.dicom_cine import DicomCine, dicom_errors
from napari_segcam.imaging.dicom.header import transfer_syntax_of
from napari_segcam.imaging.dicom.object_kind import refuse_other_kinds, sop_class_of
from napari_segcam.optional import needed


def open_dicom(path: Path) -> Cine:
    """Open a DICOM file: single frame, multi-frame or video.

    Raises:
        SegcamError: if the file holds no image that can be read.
    """
    with dicom_errors(path):
        refuse_other_kinds(path, sop_class_of(path))
        syntax = transfer_syntax_of(path)
    if syntax not in MPEGTransferSyntaxes:
        return DicomCine(path)
    needed("av", f"{path.name} holds a video")
    from napari_segcam.imaging.dicom.dicom_video import DicomVideoCine

    return DicomVideoCine(path)
