"""Image folders: stills of one kind form a cine, and each file with several frames is a cine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import natural_key
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.dicom.dicom_cine import DicomCine
from napari_segcam.imaging.dicom.dicomdir import files_of_directory
from napari_segcam.imaging.dicom.opening import open_dicom
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.stacks.opening import open_file
from napari_segcam.imaging.stacks.suffixes import has_stack_suffix
from napari_segcam.imaging.stills.animation import open_still
from napari_segcam.imaging.stills.still_cine import TiffCine

_OPENERS: dict[FileKind, Callable[[Path], Cine]] = {
    FileKind.DICOM: open_dicom,
    FileKind.TIFF: TiffCine,
    FileKind.STILL: open_still,
}
_SUFFIXES = {".dcm", ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}
_SHOWN = 12

T = TypeVar("T")


class SeveralCinesError(SegcamError):
    """A folder holds several cines, and the user has not chosen one."""


class FolderCine(Cine):
    """Cine of a folder's images of one shape and type, in the natural order of their names: frame2 before frame10.

    DICOM files are sorted by Instance Number if each has its own. A frame is decoded when it is read, and no file stays
    open.

    Args:
        folder: the folder of the images.
        stills: cines of one frame, in the order of their names.

    Raises:
        SegcamError: if an image does not match the others.
    """

    path: Path

    def __init__(self, folder: Path, stills: Sequence[Cine]) -> None:
        self.name = folder.resolve().name
        self.path = folder
        self._stills = _sort_by_instance(stills)
        self.file_names = tuple(still.path.name if still.path else still.name for still in self._stills)
        first = self._stills[0]
        for still in self._stills:
            _refuse_mismatch(still, first)
        self.frame_shape, self.dtype = first.frame_shape, first.dtype
        self.stated_range = _common_value([still.stated_range for still in self._stills])
        self.stated_aspect = _common_value([still.stated_aspect for still in self._stills])
        self.stored_range, self.inversion_sum = first.stored_range, first.inversion_sum
        self.frame_rate = _common_value([still.frame_rate for still in self._stills])
        self.spacing_mm = _common_value([still.spacing_mm for still in self._stills])
        self.region = _common_value([still.region for still in self._stills])

    @property
    def frame_paths(self) -> tuple[Path, ...]:
        """The file of each frame."""
        return tuple(still.path or self.path / name for still, name in zip(self._stills, self.file_names, strict=True))

    def __len__(self) -> int:
        return len(self._stills)

    def _read(self, index: int) -> Frame:
        frame = self._stills[index][0]
        if frame.shape != self.frame_shape:
            raise SegcamError(f"{self._stills[index].path} has changed since the folder was opened. Open it again.")
        return frame


@dataclass(frozen=True)
class FolderContents:
    """Cines of a folder.

    Attributes:
        cines: one of all stills that match, and one for each file with several frames.
        unread: why files could not be read, in sentences.
    """

    cines: tuple[Cine, ...]
    unread: tuple[str, ...]


def open_folder(folder: Path) -> Cine:
    """Open the only cine of a folder: its stills, or its only file with several frames.

    Hidden files, videos and files of other kinds are skipped, and subfolders too unless a DICOMDIR lists them.

    Raises:
        SegcamError: if there is no image, an image is damaged or does not match the others, or there are several cines,
            which the message lists.
    """
    contents = cines_of(folder)
    if len(contents.cines) > 1:
        listed = [_describe(cine) for cine in contents.cines]
        more = [f"and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
        raise SeveralCinesError(
            f"{folder} holds {len(listed)} cines and stills that do not belong together: "
            f"{', '.join(listed[:_SHOWN] + more)}. Open one of these files by itself, or run batch over the folder."
        )
    if contents.unread:
        raise SegcamError(contents.unread[0])
    return contents.cines[0]


def cines_of(folder: Path) -> FolderContents:
    """Return all cines of a folder, in the natural order of their names.

    DICOM stills form a cine if they are of one series and one kind; all other stills must form one cine. DICOM files
    without an image, such as reports, are skipped.

    Raises:
        SegcamError: if no image can be read, or stills do not match.
    """
    groups: dict[object, list[Cine]] = {}
    unread: list[str] = []
    for path, opener in images_in(folder):
        try:
            cine = opener(path)
        except SegcamError as error:
            if opener is not open_dicom:
                raise
            if "holds no image" not in str(error):
                unread.append(str(error))
            continue
        groups.setdefault(_group(cine, path), []).append(cine)
    if not groups:
        raise SegcamError(
            unread[0] if unread else f"{folder} is a folder without DICOM, PNG, JPEG, BMP or TIFF images."
        )
    if len(groups) == 1:
        (cines,) = groups.values()
        return FolderContents((cines[0] if len(cines[0]) > 1 else FolderCine(folder, cines),), tuple(unread))
    return FolderContents(tuple(cine for cines in groups.values() for cine in _combine(folder, cines)), tuple(unread))


def _group(cine: Cine, path: Path) -> object:
    """Return the key that the stills of one cine share."""
    if len(cine) > 1:
        return path
    return (cine.series, _layout(cine)) if isinstance(cine, DicomCine) else None


def _combine(folder: Path, cines: list[Cine]) -> list[Cine]:
    """Combine one group of several into one cine, named by its files; separate cines if they do not match."""
    if len(cines) == 1 or any(_layout(cine) != _layout(cines[0]) for cine in cines):
        return cines
    combined = FolderCine(folder, cines)
    combined.name = f"{cines[0].name} and {len(cines) - 1} more"
    return [combined]


def _describe(cine: Cine) -> str:
    height, width = cine.frame_shape[:2]
    file = cine.path.name if cine.path and not isinstance(cine, FolderCine) else cine.name
    return f"{file} ({f'{len(cine)} frames' if len(cine) > 1 else 'a still'} of {width} × {height})"


def images_in(folder: Path) -> Iterator[tuple[Path, Callable[[Path], Cine]]]:
    """Yield the images of a folder in the natural order of their names, each with the function that opens it.

    If a DICOMDIR lists files of the folder and its subfolders, these are the images.

    Raises:
        SegcamError: if the folder cannot be read, or a file with the suffix of an image is not an image.
    """
    try:
        listed = files_of_directory(folder)
        files = listed or [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise SegcamError(f"{folder} cannot be read: {error_text(error)}.") from error
    for path in files if listed else sorted(files, key=lambda file: natural_key(file.name)):
        has_image_suffix = path.suffix.lower() in _SUFFIXES
        kind = kind_of(read_head(path)) if has_image_suffix or path.stat().st_size else None
        if kind in _OPENERS and path.name.upper() != DICOM_DIRECTORY:
            yield path, _OPENERS[kind]
        elif kind in STACKS and has_stack_suffix(path.name):
            yield path, open_file
        elif has_image_suffix:
            raise SegcamError(f"{path} is not the image that its name says. Remove it or export it again.")


def _sort_by_instance(stills: Sequence[Cine]) -> list[Cine]:
    numbers = [still.instance_number for still in stills if isinstance(still, DicomCine)]
    if None in numbers or len(set(numbers)) < len(stills):
        return list(stills)
    return [still for _, still in sorted(zip(numbers, stills, strict=True), key=lambda pair: pair[0] or 0)]


def _refuse_mismatch(still: Cine, first: Cine) -> None:
    """Raise a SegcamError if an image cannot be a frame of the same cine as the first one."""
    name, first_name = (cine.path.name if cine.path else cine.name for cine in (still, first))
    if _layout(still) != _layout(first):
        raise SegcamError(
            f"The images of a folder must all be of one kind to be a cine, but {name} is {_layout(still)} and "
            f"{first_name} is {_layout(first)}. Move the images that do not belong to it to another folder."
        )


def _layout(still: Cine) -> str:
    height, width, *colors = still.frame_shape
    file = "DICOM" if isinstance(still, DicomCine) else "image"
    return f"a {'color' if colors else 'gray'} {file} of {width} × {height} pixels ({still.dtype})"


def _common_value(values: list[T]) -> T | None:
    """Return the value if all are the same, else None."""
    return values[0] if all(value == values[0] for value in values) else None
