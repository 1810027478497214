"""Pairing images with their true masks by name."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.batch.segmentation_truth import instances_of, segmentations_in
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import without_suffix

_MASK_ENDING = re.compile(
    r"[ _.-](?:masks?|seg|segmentation|gt|groundtruth|ground_truth|annotation|labels?)(?P<number>[ _.-]?\d{1,2})?$",
    re.I,
)


def without_masks(images: Sequence[BatchImage], class_names: Sequence[str] = ()) -> list[BatchImage]:
    """Return the images without the masks among them, such as NAME_Annotation.png and NAME_mask_1.png beside NAME.png.

    Args:
        images: all images that were listed.
        class_names: of overlapping classes, for which NAME_CLASS.png is a mask too.
    """
    stems = {_stem(image.name) for image in images}

    def is_mask(image: BatchImage) -> bool:
        match = class_and_stem(image.name, "", class_names)
        image_stems = {_image_stem(image.name), *([match[1]] if match else [])} - {_stem(image.name)}
        return bool(image_stems & stems)

    return [image for image in images if not is_mask(image)]


def class_and_stem(name: str, folder: str, class_names: Sequence[str]) -> tuple[int, str] | None:
    """Return which class a true mask is of, and the stem of its image's name; None if its name contains no class.

    The name ends in the name of the class (NAME_CLASS, NAME_CLASS_mask, NAME_mask_CLASS, or CLASS alone), or a folder
    has the name of the class.

    Args:
        name: path of the mask within the folder of masks.
        folder: name of the folder of masks.
        class_names: of all classes; the longest name that fits is used.
    """
    stem = _image_stem(name)
    for index, key in sorted(enumerate(map(_key, class_names)), key=lambda item: -len(item[1])):
        ending = re.search(rf"(^|[ _./-]){re.escape(key)}$", _key(stem))
        if ending:
            return index, _MASK_ENDING.sub("", stem[: ending.start()]) if ending.start() else ""
        parts = stem.split("/")
        if key in map(_key, parts[:-1]):
            depth = list(map(_key, parts)).index(key)
            return index, "/".join(parts[:depth] + parts[depth + 1 :])
    folder_class = next((index for index, key in enumerate(map(_key, class_names)) if key == _key(folder)), None)
    return None if folder_class is None else (folder_class, stem)


def with_truths(images: Sequence[BatchImage], folder: Path, class_names: Sequence[str] = ()) -> list[BatchImage]:
    """Return the images, each with its true mask from a folder if there is one.

    A mask has the path of its image within the folder, or at least its name. Its suffix may differ, and an ending such
    as _mask, _seg, _GT, _label or _Annotation may follow. Masks with numbered endings, such as NAME_mask.png and
    NAME_mask_1.png, belong together. A file that is one of the images is not a mask. Overlapping classes may have one
    file each, see ``class_and_stem``. A DICOM Segmentation belongs to the images that it refers to, whatever its name.

    Args:
        images: of the batch.
        folder: of the true masks.
        class_names: of overlapping classes.

    Raises:
        SegcamError: if the folder holds no mask of any image, or two masks of one image.
    """
    if not folder.is_dir():
        raise SegcamError(f"There is no folder of true masks {folder}.")
    image_paths = {_absolute(image.path) for image in images}
    by_path: dict[str, list[BatchImage]] = defaultdict(list)
    by_name: dict[str, list[BatchImage]] = defaultdict(list)
    by_class: dict[tuple[int, str], list[BatchImage]] = defaultdict(list)
    by_instance = _segmentations_by_instance(images, folder)
    placed = {path for paths in by_instance.values() for path in paths}
    for mask in images_of(folder, with_segmentations=True):
        if _absolute(mask.path) in image_paths or mask.path in placed:
            continue
        match = class_and_stem(mask.name, folder.resolve().name, class_names)
        if match is not None:
            class_index, stem = match
            by_class[class_index, stem].append(mask)
            if "/" in stem:
                by_class[class_index, PurePosixPath(stem).name].append(mask)
        else:
            stem = _image_stem(mask.name)
            by_path[stem].append(mask)
            by_name[PurePosixPath(stem).name].append(mask)
    spellings: dict[str, set[str]] = defaultdict(set)  # Case.png and case.png can be two images
    for image in images:
        spellings[_stem(image.name)].add(_spelling(image.name))
    paired = [
        _paired_by_instance(image, by_instance, folder)
        or _paired_by_class(image, by_class, len(class_names))
        or _paired(image, by_path, by_name, match_case=len(spellings[_stem(image.name)]) > 1)
        for image in images
    ]
    if not any(image.truth_files for image in paired):
        raise SegcamError(
            f"{folder} holds no true mask of any image: a mask has the name of its image ({images[0].name}), or an "
            "ending such as _mask, _seg, _GT or _Annotation after it."
            + (" Overlapping classes may have one file each: NAME_CLASS." if class_names else "")
        )
    return paired


def _segmentations_by_instance(images: Sequence[BatchImage], folder: Path) -> dict[str, list[Path]]:
    """Return for each image, by its name, the DICOM Segmentations that refer to it."""
    segmentations = segmentations_in(folder)
    if not segmentations:
        return {}
    by_uid: dict[str, list[str]] = defaultdict(list)
    for image in images:
        for uid in instances_of(image.file):
            by_uid[uid].append(image.name)
    found: dict[str, list[Path]] = defaultdict(list)
    for path in segmentations:
        names = {name for uid in read_segmentation(path).referenced_uids for name in by_uid.get(uid, ())}
        for name in names:
            found[name].append(path)
    return found


def _paired_by_instance(image: BatchImage, by_instance: dict[str, list[Path]], folder: Path) -> BatchImage | None:
    """Return the image with the DICOM Segmentations that refer to it; None if there are none."""
    paths = by_instance.get(image.name)
    if not paths:
        return None
    names = " + ".join(path.relative_to(folder).as_posix() for path in paths)
    return replace(image, truth=paths[0], more_truths=tuple(paths[1:]), truth_name=names)


def _paired_by_class(
    image: BatchImage, by_class: dict[tuple[int, str], list[BatchImage]], class_count: int
) -> BatchImage | None:
    """Return the image with the true masks of its classes; None if no class has one."""
    stem = _stem(image.name)
    masks: list[BatchImage | None] = []
    for index in range(class_count):
        candidates = by_class.get((index, stem)) or by_class.get((index, PurePosixPath(stem).name)) or []
        if len(candidates) > 1:
            raise SegcamError(
                f"Two true masks of one class match the image {image.name}: {candidates[0].path} and "
                f"{candidates[1].path}. Remove one."
            )
        masks.append(candidates[0] if candidates else None)
    if not any(masks):
        return None
    names = ", ".join(mask.display_name for mask in masks if mask)
    return replace(image, class_truths=tuple(mask.path if mask else None for mask in masks), truth_name=names)


def _paired(
    image: BatchImage,
    by_path: dict[str, list[BatchImage]],
    by_name: dict[str, list[BatchImage]],
    *,
    match_case: bool,
) -> BatchImage:
    """Return the image with its true mask, if there is one; ``match_case`` if upper and lower case must match."""
    stem = _stem(image.name)
    candidates = by_path.get(stem) or by_name.get(PurePosixPath(stem).name) or []
    if match_case:
        candidates = [
            mask for mask in candidates if _MASK_ENDING.sub("", _spelling(mask.name)) == _spelling(image.name)
        ]
    if not candidates:
        return image
    if len(candidates) > 1 and not _are_parts(candidates):
        raise SegcamError(
            f"Two true masks match the image {image.name}: {candidates[0].path} and {candidates[1].path}. Remove one, "
            "or give a CSV list with the columns image and truth."
        )
    first, *others = candidates
    names = " + ".join(mask.display_name for mask in candidates)
    return replace(image, truth=first.path, more_truths=tuple(other.path for other in others), truth_name=names)


def _are_parts(masks: Sequence[BatchImage]) -> bool:
    """Return whether masks belong together: they are in one folder, and each has another number or none."""
    endings = [_MASK_ENDING.search(_stem(mask.name)) for mask in masks]
    numbers = {ending["number"] for ending in endings if ending is not None}
    return len({mask.path.parent for mask in masks}) == 1 and len(numbers) == len(masks)


def _stem(name: str) -> str:
    path = PurePosixPath(_composed(name))
    return str(path.with_name(without_suffix(path.name))).casefold()


def _spelling(name: str) -> str:
    """Return the name of the file without its suffix, with its upper and lower case."""
    return without_suffix(PurePosixPath(_composed(name)).name)


def _image_stem(name: str) -> str:
    """Return the stem of the image that a mask of this name belongs to."""
    return _MASK_ENDING.sub("", _stem(name))


def _key(name: str) -> str:
    """Return a name for comparison: file names have _ where class names have spaces."""
    return re.sub(r"[ _-]", "_", _composed(name).casefold())


def _composed(name: str) -> str:
    """Return a name with its letters and accents as single characters: macOS and its archives store them apart."""
    return unicodedata.normalize("NFC", name)


def _absolute(path: Path) -> str:
    return os.path.realpath(path)
