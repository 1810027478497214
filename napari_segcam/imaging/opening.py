"""Opening an image file or folder as a cine, whatever kind of file it is."""

from __future__ import annotations

import os
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.optional import needed


def open_cine(path: str | os.PathLike[str]) -> Cine:
    """Open an image file or a folder of stills as a cine; what kind a file is, its content decides, not its name.

    Reads DICOM (single frame, multi-frame, video), PNG, JPEG, BMP, TIFF (several pages are several frames), video
    files (AVI, MP4, MOV, Matroska, WebM, MPEG, Windows Media, GIF), and folders whose images have one shape.

    Raises:
        SegcamError: if the file is missing, damaged, or of another kind.
    """
    # Imported here so that the reading libraries load when first needed.
    path = Path(path)
    if path.is_dir():
        from napari_segcam.imaging.image_folder import FolderCine

        return FolderCine(path)
    match kind_of(read_head(path)):
        case FileKind.VIDEO:
            needed("av", f"{path.name} is a video")
            from napari_segcam.imaging.video import open_video

            return open_video(path)
        case FileKind.DICOM:
            from napari_segcam.imaging.dicom_file import open_dicom

            return open_dicom(path)
        case FileKind.TIFF:
            from napari_segcam.imaging.stills import TiffCine

            return TiffCine(path)
        case FileKind.STILL:
            from napari_segcam.imaging.stills import StillCine

            return StillCine(path)
    raise SegcamError(
        f"{path.name} is not an image that can be read: DICOM, PNG, JPEG, BMP or TIFF, or a video such as AVI or MP4."
    )
