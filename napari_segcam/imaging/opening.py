"""Opening an image file or folder of any kind as a cine."""

from __future__ import annotations

import os

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.optional import needed


def open_cine(path: str | os.PathLike[str]) -> Cine:
    """Open an image file or a folder of stills as a cine; the kind of a file is recognized by its content.

    Reads DICOM (single frame, multi-frame, video), PNG, JPEG, BMP, TIFF (several pages are several frames), video
    files (AVI, MP4, MOV, Matroska, WebM, MPEG, Windows Media, GIF), research files (NIfTI, MetaImage, NRRD, NumPy,
    MATLAB, HDF5), and folders whose images have one shape.

    Args:
        path: of the file or folder. After a research file, ``::NAME`` selects one array of it, ``::AXES`` such as
            ``::YXT`` gives its axes, and ``::displayed`` turns the frames by the orientation in its header.

    Examples:
        >>> cine = sc.open_cine(sample_cine())
        >>> len(cine), cine[38].shape, cine.frame_rate
        (60, (256, 320), 20.0)

    Raises:
        SegcamError: if the file is missing, damaged, or of another kind; or if it holds several images, or a folder
            several cines, and none is selected.
    """
    # Imports are here so that libraries load when first needed.
    part = file_part(path)
    path = part.path
    if path.is_dir():
        from napari_segcam.imaging.image_folder import open_folder

        return open_folder(path)
    kind = kind_of(read_head(path))
    if kind in STACKS:
        from napari_segcam.imaging.stacks.opening import open_stack

        return open_stack(kind, part)
    if not part.is_plain:
        raise SegcamError(f"{path.name} holds one image in a known order: open it without what follows ::.")
    match kind:
        case FileKind.VIDEO:
            needed("av", f"{path.name} is a video")
            from napari_segcam.imaging.video.video_cine import open_video

            return open_video(path)
        case FileKind.DICOM if path.name.upper() == DICOM_DIRECTORY:
            from napari_segcam.imaging.image_folder import open_folder

            return open_folder(path.parent)
        case FileKind.DICOM:
            from napari_segcam.imaging.dicom.opening import open_dicom

            return open_dicom(path)
        case FileKind.TIFF:
            from napari_segcam.imaging.stills.still_cine import TiffCine

            return TiffCine(path)
        case FileKind.STILL:
            from napari_segcam.imaging.stills.animation import open_still

            return open_still(path)
    raise SegcamError(
        f"{path.name} is not an image that can be read: DICOM, PNG, JPEG, BMP, TIFF, a video such as AVI or MP4, or a "
        "research file such as NIfTI, NRRD or MATLAB."
    )
