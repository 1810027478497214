"""A folder of stills as a cine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame, usual_value_range
from napari_segcam.imaging.dicom import DicomCine
from napari_segcam.imaging.dicom_file import open_dicom
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.stills import StillCine, TiffCine

_OPENERS: dict[FileKind, Callable[[Path], Cine]] = {
    FileKind.DICOM: open_dicom,
    FileKind.TIFF: TiffCine,
    FileKind.STILL: StillCine,
}
_SUFFIXES = {".dcm", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
_DICOM_DIRECTORY = "DICOMDIR"  # lists the files of a medium; its name is fixed (PS3.10, section 8.6)

T = TypeVar("T")


class FolderCine(Cine):
    """The images of a folder, all of one shape and type, in the natural order of their names: frame2 before frame10.

    DICOM files follow one another by their Instance Number, if each has its own. Folders, hidden files, videos and
    files of other kinds are left out.

    Opening reads every header; a frame is decoded when it is read, and no file stays open.

    Raises:
        SegcamError: if there is no image, or one that is damaged or does not go with the others.
    """

    path: Path

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        self.path = folder
        self._stills = _in_order([opener(path) for path, opener in images_in(folder)])
        if not self._stills:
            raise SegcamError(f"{folder} is a folder without DICOM, PNG, JPEG, BMP or TIFF images.")
        first = self._stills[0]
        for still in self._stills:
            _refuse_odd(still, first)
        self.frame_shape, self.dtype = first.frame_shape, first.dtype
        self.value_range = usual_value_range(self) if self.dtype.kind == "f" else first.value_range
        self.frame_rate = _agreed([still.frame_rate for still in self._stills])
        self.spacing_mm = _agreed([still.spacing_mm for still in self._stills])
        self.region = _agreed([still.region for still in self._stills])

    def __len__(self) -> int:
        return len(self._stills)

    def _read(self, index: int) -> Frame:
        frame = self._stills[index][0]
        if frame.shape != self.frame_shape:
            raise SegcamError(f"{self._stills[index].path} has changed since the folder was opened. Open it again.")
        return frame


def images_in(folder: Path) -> Iterator[tuple[Path, Callable[[Path], Cine]]]:
    """The images of a folder in the natural order of their names, each with what opens it.

    Raises:
        SegcamError: if the folder cannot be read, or a file has the suffix of an image and is none.
    """
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise SegcamError(f"{folder} cannot be read: {error.strerror}.") from error
    for path in sorted(files, key=_natural):
        claims = path.suffix.lower() in _SUFFIXES
        kind = kind_of(read_head(path)) if claims or path.stat().st_size else None
        if kind in _OPENERS and path.name != _DICOM_DIRECTORY:
            yield path, _OPENERS[kind]
        elif claims:
            raise SegcamError(f"{path} is not the image that its name says. Remove it or export it again.")


def _natural(path: Path) -> tuple[list[str | int], str]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], path.name


def _in_order(stills: list[Cine]) -> list[Cine]:
    numbers = [still.instance_number for still in stills if isinstance(still, DicomCine)]
    if None in numbers or len(set(numbers)) < len(stills):
        return stills
    return [still for _, still in sorted(zip(numbers, stills, strict=True), key=lambda pair: pair[0] or 0)]


def _refuse_odd(still: Cine, first: Cine) -> None:
    """Raise a SegcamError if an image cannot be a frame of the cine that the first one begins."""
    name, first_name = (one.path.name if one.path else one.name for one in (still, first))
    if len(still) > 1:
        raise SegcamError(f"{name} holds {len(still)} frames, not one: open it by itself instead of its folder.")
    if _layout(still) != _layout(first):
        raise SegcamError(
            f"The images of a folder must all be of one kind to be a cine, but {name} is {_layout(still)} and "
            f"{first_name} is {_layout(first)}. Move those that do not belong to it elsewhere."
        )
    if isinstance(still, DicomCine) and isinstance(first, DicomCine) and still.series != first.series:
        raise SegcamError(f"{name} and {first_name} belong to different series. Put each into a folder of its own.")


def _layout(still: Cine) -> str:
    height, width, *colours = still.frame_shape
    file = "DICOM" if isinstance(still, DicomCine) else "image"
    return f"a {'colour' if colours else 'gray'} {file} of {width} × {height} pixels ({still.dtype})"


def _agreed(values: list[T]) -> T | None:
    """The value if it is everywhere the same."""
    return values[0] if all(value == values[0] for value in values) else None
