"""The images of a batch: those in a folder, or those in a list, in a stable order."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from napari_segcam.csv_list import read_list
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import natural_key, safe_name, sha256_of
from napari_segcam.imaging.cine import without_suffix
from napari_segcam.imaging.dicom.object_kind import ObjectKind, object_kind
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.imaging.stacks.suffixes import ARRAY_SUFFIXES, MEDICAL_SUFFIXES

_DICOM_SUFFIXES = (".dcm", ".dicom")
_STILLS = (".png", ".apng", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", *_DICOM_SUFFIXES)
_VIDEOS = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".gif")
IMAGE_SUFFIXES = frozenset(_STILLS + _VIDEOS + MEDICAL_SUFFIXES)


@dataclass(frozen=True)
class BatchImage:
    """One image, cine or video of a batch.

    Attributes:
        name: its path within the folder, with slashes, or its text in the list.
        path: where it is read.
        truth: its true mask; None if there is none.
        class_truths: instead, if classes overlap, the true mask of each class, or None.
        more_truths: more masks that belong to the same ground truth, for example of a second lesion.
        truth_name: the true masks in the results: paths within the folder of masks, or the text in the list.
        picture_name: a relative path for its pictures, without suffix, that no other image of the batch has.
    """

    name: str
    path: Path
    truth: Path | None = None
    truth_name: str = ""
    class_truths: tuple[Path | None, ...] = ()
    picture_name: str = ""
    more_truths: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        """A file name of this image and no other, valid on any system."""
        digest = hashlib.sha256(os.fsencode(self.name)).hexdigest()[:12]
        return f"{ascii_name(self.name)[:60]}-{digest}"

    @property
    def file(self) -> Path:
        """The file or folder of the image, without the part of its path after ``::``."""
        return file_part(self.path).path

    @property
    def truths(self) -> tuple[Path, ...]:
        """All masks that together are its ground truth, if there is not one for each class."""
        return (self.truth, *self.more_truths) if self.truth else ()

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The files of all its true masks."""
        return tuple(file_part(path).path for path in (*self.truths, *self.class_truths) if path is not None)

    def truth_sha256(self) -> str | None:
        """Return the checksum of its true masks as they are now; None if it has none.

        Raises:
            SegcamError: if they cannot be read.
        """
        digests = [sha256_of(path) for path in self.truth_files]
        return hashlib.sha256("".join(digests).encode()).hexdigest() if len(digests) > 1 else next(iter(digests), None)

    @property
    def display_name(self) -> str:
        """The name as valid text: file names on Linux may hold other bytes."""
        return os.fsencode(self.name).decode("utf-8", "replace")


def images_of(source: Path, *excluded: Path, with_segmentations: bool = False) -> list[BatchImage]:
    """Return the images in a folder and its subfolders, or in a CSV list, in a stable order.

    In a folder, these are files with the suffix of an image or video, even damaged ones, and DICOM images of any name;
    also NumPy, MATLAB and HDF5 files, unless an image of the same name is beside them. Hidden files and review projects
    are left out. A list has a column ``image`` and may have a column ``truth``. Its paths are relative to its own
    folder, and may end in what ``open_cine`` accepts after a file, such as ``::NAME``.

    Args:
        source: the folder or the list.
        excluded: folders and files in it that are not images of the batch.
        with_segmentations: whether DICOM Segmentations count, as they do for true masks.

    Raises:
        SegcamError: if it is neither, or holds no image.
    """
    if source.is_dir():
        kinds = {ObjectKind.IMAGE, ObjectKind.SEGMENTATION} if with_segmentations else {ObjectKind.IMAGE}
        images = _images_in_folder(source, {os.path.realpath(path) for path in excluded}, kinds)
        if not images:
            raise SegcamError(f"There is no image, DICOM file or video in {source}.")
    elif source.suffix.lower() == ".csv":
        images = _images_in_list(source)
    elif source.exists():
        raise SegcamError(f"{source} is neither a folder nor a CSV list: for a single image use explain.")
    else:
        raise SegcamError(f"There is no folder or list {source}.")
    return _with_picture_names(images)


def random_sample(images: Sequence[BatchImage], count: int | None, seed: int) -> list[BatchImage]:
    """Return a random sample of the images, in their order; all of them if there are not more than ``count``."""
    if count is None or count >= len(images):
        return list(images)
    return [images[index] for index in sorted(random.Random(seed).sample(range(len(images)), count))]


def ascii_name(text: str) -> str:
    """Return a text as part of a file name in ASCII, which is valid on every system."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("._") or "_"


def is_review_project(folder: Path) -> bool:
    """Return whether a folder holds a review project, whose masks are no images."""
    try:
        with (folder / "project.json").open("rb") as file:
            return b'"segcam-review"' in file.read(200)
    except OSError:
        return False


def _images_in_folder(folder: Path, excluded: set[str], kinds: Collection[ObjectKind]) -> list[BatchImage]:
    images = []

    def add(path: Path) -> None:
        images.append(BatchImage(path.relative_to(folder).as_posix(), path))

    def on_error(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise SegcamError(f"{error.filename} cannot be read: {error_text(error)}.") from error
        add(Path(error.filename))  # an unreadable folder is reported like an unreadable image

    for parent_name, folders, files in os.walk(folder, onerror=on_error):
        parent = Path(parent_name)

        def is_included(name: str, parent: Path = parent) -> bool:
            return not name.startswith(".") and os.path.realpath(parent / name) not in excluded

        folders[:] = [name for name in folders if is_included(name) and not is_review_project(parent / name)]
        stems = {without_suffix(file).casefold() for file in files if file.lower().endswith(tuple(IMAGE_SUFFIXES))}
        for file in filter(is_included, files):
            if _is_image(parent / file, stems) and _dicom_kind(parent / file) in kinds:
                add(parent / file)
    return sorted(images, key=lambda image: natural_key(image.name))


def _is_image(path: Path, image_stems: Collection[str]) -> bool:
    """Return whether a file is an image of the batch; ``image_stems`` are names of files that certainly are."""
    # A damaged image counts too, so that the error is reported.
    if path.name.lower().endswith(tuple(IMAGE_SUFFIXES)):
        return True
    holds_arrays = path.name.lower().endswith(ARRAY_SUFFIXES)
    try:
        if path.name.upper() == DICOM_DIRECTORY or (
            holds_arrays and without_suffix(path.name).casefold() in image_stems
        ):
            return False
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    return kind is FileKind.DICOM or (holds_arrays and kind in STACKS)


def _dicom_kind(path: Path) -> ObjectKind:
    """Return what a file holds if it is DICOM: an image, or a segmentation, a report and the like."""
    name = path.name.lower()
    is_other = name.endswith(tuple(IMAGE_SUFFIXES)) and not name.endswith(_DICOM_SUFFIXES)
    return ObjectKind.IMAGE if is_other or name.endswith(ARRAY_SUFFIXES) else object_kind(path)


def _images_in_list(path: Path) -> list[BatchImage]:
    table = read_list(path)
    if "image" not in table:
        raise SegcamError(f"The list {path} has no column named image in its first line.")
    images: dict[str, BatchImage] = {}
    for line, row in table.rows:
        name, truth = row["image"], row.get("truth", "")
        if not name or name in images:
            fault = f"names {name} a second time" if name else "names no image"
            raise SegcamError(f"The list {path}, line {line}, {fault}.")
        images[name] = BatchImage(name, path.parent / name, path.parent / truth if truth else None, truth)
    if not images:
        raise SegcamError(f"The list {path} names no image.")
    return list(images.values())


def _with_picture_names(images: Sequence[BatchImage]) -> list[BatchImage]:
    """Give each image its picture name: without its suffix, unless that is the only difference to another image."""
    short_names = [_picture_name(image, keep_suffix=False) for image in images]
    counts = Counter(name.casefold() for name in short_names)
    names = [
        name if counts[name.casefold()] == 1 else _picture_name(image, keep_suffix=True)
        for image, name in zip(images, short_names, strict=True)
    ]
    counts = Counter(name.casefold() for name in names)
    return [
        replace(image, picture_name=name if counts[name.casefold()] == 1 else f"{name}-{image.key[-12:]}")
        for image, name in zip(images, names, strict=True)
    ]


def _picture_name(image: BatchImage, *, keep_suffix: bool) -> str:
    path = PurePosixPath(image.name.replace("\\", "/").replace("::", "_"))
    if path.name.lower().endswith((*IMAGE_SUFFIXES, *ARRAY_SUFFIXES)) and not keep_suffix:
        path = path.with_name(without_suffix(path.name))
    return "/".join(safe_name(ascii_name(part)) for part in _without_parents(path.parts))


def _without_parents(parts: Iterable[str]) -> list[str]:
    """Return the parts of a path that lead into a folder, without those that lead out of it."""
    return [part for part in parts if part not in ("..", "/", ".")]
