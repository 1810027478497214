"""A folder of images: the stills of one kind are a cine, and files with several frames are cines of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import natural_key
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.dicom.dicom_cine import DicomCine
from napari_segcam.imaging.dicom.directory import files_of_directory
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
    """A folder holds several cines, and nobody has said which is meant."""


class FolderCine(Cine):
    """The images of a folder, all of one shape and type, in the natural order of their names: frame2 before frame10.

    DICOM files follow one another by their Instance Number, if each has its own.

    A frame is decoded when it is read, and no file stays open.

    Args:
        folder: that holds them.
        stills: cines of one frame, in the order of their names.

    Raises:
        SegcamError: if one does not go with the others.
    """

    path: Path

    def __init__(self, folder: Path, stills: Sequence[Cine]) -> None:
        self.name = folder.resolve().name
        self.path = folder
        self._stills = _in_order(stills)
        self.file_names = tuple(still.path.name if still.path else still.name for still in self._stills)
        first = self._stills[0]
        for still in self._stills:
            _refuse_odd(still, first)
        self.frame_shape, self.dtype = first.frame_shape, first.dtype
        self.stated_range = _agreed([still.stated_range for still in self._stills])
        self.stated_aspect = _agreed([still.stated_aspect for still in self._stills])
        self.stored_range, self.turned_about = first.stored_range, first.turned_about
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


@dataclass(frozen=True)
class FolderContents:
    """What a folder holds.

    Attributes:
        cines: the stills that go together are one, each file with several frames is one.
        unread: why files could not be read, in sentences.
    """

    cines: tuple[Cine, ...]
    unread: tuple[str, ...]


def open_folder(folder: Path) -> Cine:
    """Open the one cine that a folder holds: its stills, or its only file with several frames.

    Hidden files, videos and files of other kinds are left out, and folders in it too unless a DICOMDIR lists them.

    Raises:
        SegcamError: if there is no image, or one that is damaged or does not go with the others, or there are several
            cines, which it lists.
    """
    contents = cines_of(folder)
    if len(contents.cines) > 1:
        listed = [_described(cine) for cine in contents.cines]
        more = [f"and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
        raise SeveralCinesError(
            f"{folder} holds {len(listed)} cines and stills that do not go together: "
            f"{', '.join(listed[:_SHOWN] + more)}. Open one of these files by itself, or run batch over the folder."
        )
    if contents.unread:
        raise SegcamError(contents.unread[0])
    return contents.cines[0]


def cines_of(folder: Path) -> FolderContents:
    """All cines of a folder, in the natural order of their names.

    DICOM stills go together if they are of one series and one kind; all other stills must go together. DICOM files
    that hold no image, reports for instance, are left out.

    Raises:
        SegcamError: if there is no image that can be read, or stills do not go together.
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
    return FolderContents(tuple(one for cines in groups.values() for one in _gathered(folder, cines)), tuple(unread))


def _group(cine: Cine, path: Path) -> object:
    """What the stills of one cine have in common."""
    if len(cine) > 1:
        return path
    return (cine.series, _layout(cine)) if isinstance(cine, DicomCine) else None


def _gathered(folder: Path, cines: list[Cine]) -> list[Cine]:
    """A group among others as one cine, named by its files, or each by itself if they do not go together."""
    if len(cines) == 1 or any(_layout(cine) != _layout(cines[0]) for cine in cines):
        return cines
    whole = FolderCine(folder, cines)
    whole.name = f"{cines[0].name} and {len(cines) - 1} more"
    return [whole]


def _described(cine: Cine) -> str:
    height, width = cine.frame_shape[:2]
    file = cine.path.name if cine.path and not isinstance(cine, FolderCine) else cine.name
    return f"{file} ({f'{len(cine)} frames' if len(cine) > 1 else 'a still'} of {width} × {height})"


def images_in(folder: Path) -> Iterator[tuple[Path, Callable[[Path], Cine]]]:
    """The images of a folder in the natural order of their names, each with what opens it.

    Where a DICOMDIR lists files of the folder and those in it, these are the images.

    Raises:
        SegcamError: if the folder cannot be read, or a file has the suffix of an image and is none.
    """
    try:
        listed = files_of_directory(folder)
        files = listed or [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise SegcamError(f"{folder} cannot be read: {error_text(error)}.") from error
    for path in files if listed else sorted(files, key=lambda file: natural_key(file.name)):
        claims = path.suffix.lower() in _SUFFIXES
        kind = kind_of(read_head(path)) if claims or path.stat().st_size else None
        if kind in _OPENERS and path.name.upper() != DICOM_DIRECTORY:
            yield path, _OPENERS[kind]
        elif kind in STACKS and has_stack_suffix(path.name):
            yield path, open_file
        elif claims:
            raise SegcamError(f"{path} is not the image that its name says. Remove it or export it again.")


def _in_order(stills: Sequence[Cine]) -> list[Cine]:
    numbers = [still.instance_number for still in stills if isinstance(still, DicomCine)]
    if None in numbers or len(set(numbers)) < len(stills):
        return list(stills)
    return [still for _, still in sorted(zip(numbers, stills, strict=True), key=lambda pair: pair[0] or 0)]


def _refuse_odd(still: Cine, first: Cine) -> None:
    """Raise a SegcamError if an image cannot be a frame of the cine that the first one begins."""
    name, first_name = (one.path.name if one.path else one.name for one in (still, first))
    if _layout(still) != _layout(first):
        raise SegcamError(
            f"The images of a folder must all be of one kind to be a cine, but {name} is {_layout(still)} and "
            f"{first_name} is {_layout(first)}. Move those that do not belong to it elsewhere."
        )


def _layout(still: Cine) -> str:
    height, width, *colors = still.frame_shape
    file = "DICOM" if isinstance(still, DicomCine) else "image"
    return f"a {'color' if colors else 'gray'} {file} of {width} × {height} pixels ({still.dtype})"


def _agreed(values: list[T]) -> T | None:
    """The value if it is everywhere the same."""
    return values[0] if all(value == values[0] for value in values) else None
