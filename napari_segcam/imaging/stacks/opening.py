"""Opening a research file by its kind; libraries for some kinds are optional."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import FilePart
from napari_segcam.imaging.stacks.array_files import open_hdf5, open_matlab, open_npy, open_npz
from napari_segcam.imaging.stacks.metaimage import open_metaimage
from napari_segcam.imaging.stacks.nifti import open_nifti
from napari_segcam.imaging.stacks.nrrd_file import open_nrrd
from napari_segcam.imaging.stacks.stack_cine import StackCine
from napari_segcam.optional import needed

_OPENERS: dict[FileKind, Callable[[FilePart], StackCine]] = {
    FileKind.NIFTI: open_nifti,
    FileKind.METAIMAGE: open_metaimage,
    FileKind.NRRD: open_nrrd,
    FileKind.NPY: open_npy,
    FileKind.NPZ: open_npz,
    FileKind.MATLAB: open_matlab,
    FileKind.HDF5: open_hdf5,
}
_WITH_NAMES = (FileKind.NPZ, FileKind.MATLAB, FileKind.HDF5)
_WITH_ORIENTATION = (FileKind.NIFTI, FileKind.METAIMAGE, FileKind.NRRD)


def open_stack(kind: FileKind, part: FilePart) -> StackCine:
    """Open a research file as a cine.

    Raises:
        SegcamError: if the library for it is missing, the file is damaged, or it holds no frames; or if the chosen part
            does not fit its kind.
    """
    file = part.path.name
    if part.name is not None and kind not in _WITH_NAMES:
        raise SegcamError(f"{file} holds one image: there is no {part.name} in it.")
    if part.displayed and kind not in _WITH_ORIENTATION:
        raise SegcamError(f"{file} has no orientation: open it without ::displayed.")
    match kind:
        case FileKind.NIFTI:
            needed("nibabel", f"{file} is a NIfTI file", extra="formats")
        case FileKind.NRRD:
            needed("nrrd", f"{file} is an NRRD file", extra="formats", pip_name="pynrrd")
        case FileKind.HDF5:
            needed("h5py", f"{file} is an HDF5 file", extra="formats")
    return _OPENERS[kind](part)


def open_file(path: Path) -> StackCine:
    """Open a research file without naming a part of it.

    Raises:
        SegcamError: as ``open_stack``.
    """
    kind = kind_of(read_head(path))
    assert kind in _OPENERS
    return open_stack(kind, FilePart(path))
