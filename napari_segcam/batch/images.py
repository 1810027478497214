"""The images of a batch: those of a folder, or those that a list names, in a stable order."""

from __future__ import annotations

import csv
import hashlib
import os
import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import natural_key, refuse_no_file, safe_name, sha256_of
from napari_segcam.imaging.cine import without_suffix
from napari_segcam.imaging.file_kind import DICOM_DIRECTORY, STACKS, FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.imaging.stacks.suffixes import ARRAY_SUFFIXES, MEDICAL_SUFFIXES

_STILLS = (".png", ".apng", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".dicom")
_VIDEOS = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".gif")
IMAGE_SUFFIXES = frozenset(_STILLS + _VIDEOS + MEDICAL_SUFFIXES)


@dataclass(frozen=True)
class BatchImage:
    """One image, cine or video of a batch.

    Attributes:
        name: its path within the folder, or as the list has it, with slashes.
        path: where it is read.
        truth: its true mask, None where there is none.
        class_truths: instead of that, of a network whose classes overlap, the true mask of each class, or None.
        more_truths: further masks that belong to the same truth, as of a second lesion.
        truth_name: the same as the results have it: paths within the folder of masks, or as the list has it.
        picture: a relative path for pictures of it, without a suffix, which no other image of the batch has.
    """

    name: str
    path: Path
    truth: Path | None = None
    truth_name: str = ""
    class_truths: tuple[Path | None, ...] = ()
    picture: str = ""
    more_truths: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        """A file name that stands for this image and no other, on any system."""
        digest = hashlib.sha256(os.fsencode(self.name)).hexdigest()[:12]
        return f"{ascii_name(self.name)[:60]}-{digest}"

    @property
    def file(self) -> Path:
        """The file or folder of the image, without what follows ``::`` in its path."""
        return file_part(self.path).path

    @property
    def truths(self) -> tuple[Path, ...]:
        """All masks that together are its truth, where there is none for each class."""
        return (self.truth, *self.more_truths) if self.truth else ()

    @property
    def truth_files(self) -> tuple[Path, ...]:
        """The files of all its true masks."""
        return tuple(file_part(path).path for path in (*self.truths, *self.class_truths) if path is not None)

    def truth_sha256(self) -> str | None:
        """Of its true masks as they are now; None where it has none.

        Raises:
            SegcamError: if they cannot be read.
        """
        digests = [sha256_of(path) for path in self.truth_files]
        return hashlib.sha256("".join(digests).encode()).hexdigest() if len(digests) > 1 else next(iter(digests), None)

    @property
    def printed(self) -> str:
        """The name as text: file names on Linux may hold bytes that are none."""
        return os.fsencode(self.name).decode("utf-8", "replace")


def images_of(source: Path, *leave_out: Path) -> list[BatchImage]:
    """The images of a folder and all folders in it, or of a CSV list, in a stable order.

    Of a folder these are the files with the suffix of an image or video, whatever they hold, and DICOM files of any
    name; NumPy, MATLAB and HDF5 files too, unless an image of the same name is beside them. Hidden files are left
    out. A list has the column ``image`` and may have ``truth``; its paths start from where it lies, and what
    ``open_cine`` takes after a file, such as ``::NAME``, may follow them.

    Args:
        source: the folder or the list.
        leave_out: folders and files within it that are no images of the batch.

    Raises:
        SegcamError: if it is neither, or holds no image.
    """
    if source.is_dir():
        images = _in_folder(source, {os.path.realpath(path) for path in leave_out})
        if not images:
            raise SegcamError(f"There is no image, DICOM file or video in {source}.")
    elif source.suffix.lower() == ".csv":
        images = _in_list(source)
    elif source.exists():
        raise SegcamError(f"{source} is neither a folder nor a CSV list: for a single image use explain.")
    else:
        raise SegcamError(f"There is no folder or list {source}.")
    return _with_pictures(images)


def sample(images: Sequence[BatchImage], count: int | None, seed: int) -> list[BatchImage]:
    """As many of the images, drawn by chance that the seed decides, in their order; all where there are no more."""
    if count is None or count >= len(images):
        return list(images)
    return [images[at] for at in sorted(random.Random(seed).sample(range(len(images)), count))]


def ascii_name(text: str) -> str:
    """A text as a part of a file name that every system takes, whatever it does to letters beyond ASCII."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("._") or "_"


def _in_folder(folder: Path, leave_out: set[str]) -> list[BatchImage]:
    images = []

    def enter(path: Path) -> None:
        images.append(BatchImage(path.relative_to(folder).as_posix(), path))

    def on_error(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise SegcamError(f"{error.filename} cannot be read: {error_text(error)}.") from error
        enter(Path(error.filename))  # a folder that cannot be read is reported like an image that cannot be read

    for place, folders, files in os.walk(folder, onerror=on_error):
        here = Path(place)

        def is_wanted(name: str, here: Path = here) -> bool:
            return not name.startswith(".") and os.path.realpath(here / name) not in leave_out

        folders[:] = filter(is_wanted, folders)
        pictures = {without_suffix(file).casefold() for file in files if file.lower().endswith(tuple(IMAGE_SUFFIXES))}
        for file in filter(is_wanted, files):
            if _is_image(here / file, pictures):
                enter(here / file)
    return sorted(images, key=lambda image: natural_key(image.name))


def _is_image(path: Path, pictures: Collection[str]) -> bool:
    """Whether a file is an image of the batch; ``pictures`` are the names of those that surely are."""
    # A damaged image is one still: that it cannot be read must be told.
    if path.name.lower().endswith(tuple(IMAGE_SUFFIXES)):
        return True
    holds_arrays = path.name.lower().endswith(ARRAY_SUFFIXES)
    try:
        if path.name.upper() == DICOM_DIRECTORY or (holds_arrays and without_suffix(path.name).casefold() in pictures):
            return False
        kind = kind_of(read_head(path))
    except SegcamError:
        return False
    return kind is FileKind.DICOM or (holds_arrays and kind in STACKS)


def _in_list(path: Path) -> list[BatchImage]:
    refuse_no_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            table = csv.DictReader(file, delimiter=";" if ";" in first and "," not in first else ",")
            columns = {(name or "").strip().lower(): name for name in table.fieldnames or ()}
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The list {path} cannot be read: {error_text(error)}.") from error
    if "image" not in columns:
        raise SegcamError(f"The list {path} has no column named image in its first line.")
    images: dict[str, BatchImage] = {}
    for line, row in rows:
        name = (row[columns["image"]] or "").strip()
        truth = (row[columns["truth"]] or "").strip() if "truth" in columns else ""
        if not name or name in images:
            fault = f"names {name} once more" if name else "names no image"
            raise SegcamError(f"The list {path}, line {line}, {fault}.")
        images[name] = BatchImage(name, path.parent / name, path.parent / truth if truth else None, truth)
    if not images:
        raise SegcamError(f"The list {path} names no image.")
    return list(images.values())


def _with_pictures(images: Sequence[BatchImage]) -> list[BatchImage]:
    """Give each image its picture path: without its suffix, unless another one differs by nothing else."""
    short = [_picture(image, keep_suffix=False) for image in images]
    counts = Counter(path.casefold() for path in short)
    chosen = []
    for image, path in zip(images, short, strict=True):
        picture = path if counts[path.casefold()] == 1 else _picture(image, keep_suffix=True)
        chosen.append(picture)
    counts = Counter(path.casefold() for path in chosen)
    return [
        replace(image, picture=picture if counts[picture.casefold()] == 1 else f"{picture}-{image.key[-12:]}")
        for image, picture in zip(images, chosen, strict=True)
    ]


def _picture(image: BatchImage, *, keep_suffix: bool) -> str:
    path = PurePosixPath(image.name.replace("\\", "/").replace("::", "_"))
    if path.name.lower().endswith((*IMAGE_SUFFIXES, *ARRAY_SUFFIXES)) and not keep_suffix:
        path = path.with_name(without_suffix(path.name))
    return "/".join(safe_name(ascii_name(part)) for part in _inner(path.parts))


def _inner(parts: Iterable[str]) -> list[str]:
    """The parts of a path that lead into a folder and never out of it."""
    return [part for part in parts if part not in ("..", "/", ".")]
