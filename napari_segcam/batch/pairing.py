"""Pairing: which true mask belongs to which image, by their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import without_suffix

_MASK_ENDING = re.compile(
    r"[ _.-](?:masks?|seg|segmentation|gt|groundtruth|ground_truth|annotation|labels?)(?P<number>[ _.-]?\d{1,2})?$",
    re.I,
)


def without_masks(images: Sequence[BatchImage], class_names: Sequence[str] = ()) -> list[BatchImage]:
    """The images that are not masks of others: NAME_Annotation.png and NAME_mask_1.png beside NAME.png are such.

    Args:
        images: as they were listed.
        class_names: of classes that overlap, of which NAME_CLASS.png is a mask too.
    """
    stems = {_stem(image.name) for image in images}

    def is_mask(image: BatchImage) -> bool:
        told = class_of(image.name, "", class_names)
        given_away = {_image_stem(image.name), *([told[1]] if told else [])} - {_stem(image.name)}
        return bool(given_away & stems)

    return [image for image in images if not is_mask(image)]


def class_of(name: str, folder: str, class_names: Sequence[str]) -> tuple[int, str] | None:
    """Which of several classes a true mask is of, and the stem that its name gives away of its image; None if it tells
    none.

    A name ends in the class's (NAME_CLASS, NAME_CLASS_mask, NAME_mask_CLASS, or the class alone), or it is in a
    folder that is called as the class.

    Args:
        name: the mask's path within the folder of masks.
        folder: that folder's own name.
        class_names: of all classes; the longest that fits is meant.
    """
    stem = _image_stem(name)
    for index, key in sorted(enumerate(map(_key, class_names)), key=lambda item: -len(item[1])):
        ending = re.search(rf"(^|[ _./-]){re.escape(key)}$", _key(stem))
        if ending:
            return index, _MASK_ENDING.sub("", stem[: ending.start()]) if ending.start() else ""
        parts = stem.split("/")
        if key in map(_key, parts[:-1]):
            at = list(map(_key, parts)).index(key)
            return index, "/".join(parts[:at] + parts[at + 1 :])
    own = next((index for index, key in enumerate(map(_key, class_names)) if key == _key(folder)), None)
    return None if own is None else (own, stem)


def with_truths(images: Sequence[BatchImage], folder: Path, class_names: Sequence[str] = ()) -> list[BatchImage]:
    """The images, each with its true mask from a folder where there is one.

    A mask has its image's path within the folder, or at least its name; with another suffix if need be, and with an
    ending such as _mask, _seg, _GT, _label or _Annotation if it has one. Masks of one image whose endings are numbered,
    as NAME_mask.png and NAME_mask_1.png, together are its truth. A file that is itself one of the images is no mask. Of
    classes that overlap there may be a file for each, as ``class_of`` tells them.

    Args:
        images: of the batch.
        folder: of the true masks.
        class_names: of classes that overlap.

    Raises:
        SegcamError: if the folder holds no mask of any of the images, or two of one.
    """
    if not folder.is_dir():
        raise SegcamError(f"There is no folder of true masks {folder}.")
    own = {_absolute(image.path) for image in images}
    by_path: dict[str, list[BatchImage]] = defaultdict(list)
    by_name: dict[str, list[BatchImage]] = defaultdict(list)
    of_class: dict[tuple[int, str], list[BatchImage]] = defaultdict(list)
    for mask in images_of(folder):
        if _absolute(mask.path) in own:
            continue
        told = class_of(mask.name, folder.resolve().name, class_names)
        if told is not None:
            of_class[told].append(mask)
            if "/" in told[1]:
                of_class[told[0], PurePosixPath(told[1]).name].append(mask)
        else:
            stem = _image_stem(mask.name)
            by_path[stem].append(mask)
            by_name[PurePosixPath(stem).name].append(mask)
    spellings: dict[str, set[str]] = defaultdict(set)  # Case.png and case.png may be two images, each with its mask
    for image in images:
        spellings[_stem(image.name)].add(_spelling(image.name))
    paired = [
        _paired_by_class(image, of_class, len(class_names))
        or _paired(image, by_path, by_name, is_spelled=len(spellings[_stem(image.name)]) > 1)
        for image in images
    ]
    if not any(image.truth_files for image in paired):
        raise SegcamError(
            f"{folder} holds no true mask of any image: a mask is named as its image ({images[0].name}), or with an "
            "ending such as _mask, _seg, _GT or _Annotation."
            + (" Of classes that overlap there may be one for each: NAME_CLASS." if class_names else "")
        )
    return paired


def _paired_by_class(
    image: BatchImage, of_class: dict[tuple[int, str], list[BatchImage]], classes: int
) -> BatchImage | None:
    """The image with a true mask for each class of which there is one; None where there is none of any."""
    stem = _stem(image.name)
    masks: list[BatchImage | None] = []
    for index in range(classes):
        found = of_class.get((index, stem)) or of_class.get((index, PurePosixPath(stem).name)) or []
        if len(found) > 1:
            raise SegcamError(
                f"Two true masks of one class go with the image {image.name}: {found[0].path} and {found[1].path}. "
                "Remove one."
            )
        masks.append(found[0] if found else None)
    if not any(masks):
        return None
    names = ", ".join(mask.printed for mask in masks if mask)
    return replace(image, class_truths=tuple(mask.path if mask else None for mask in masks), truth_name=names)


def _paired(
    image: BatchImage,
    by_path: dict[str, list[BatchImage]],
    by_name: dict[str, list[BatchImage]],
    *,
    is_spelled: bool,
) -> BatchImage:
    """The image with its true mask, if there is one; ``is_spelled`` if upper and lower case have to be the same."""
    stem = _stem(image.name)
    found = by_path.get(stem) or by_name.get(PurePosixPath(stem).name) or []
    if is_spelled:
        found = [mask for mask in found if _MASK_ENDING.sub("", _spelling(mask.name)) == _spelling(image.name)]
    if not found:
        return image
    if len(found) > 1 and not _are_parts(found):
        raise SegcamError(
            f"Two true masks go with the image {image.name}: {found[0].path} and {found[1].path}. Remove one, or give "
            "a CSV list with the columns image and truth."
        )
    first, *others = found
    names = " + ".join(mask.printed for mask in found)
    return replace(image, truth=first.path, more_truths=tuple(other.path for other in others), truth_name=names)


def _are_parts(masks: Sequence[BatchImage]) -> bool:
    """Whether masks are the parts of one truth: in one folder, each with a number of its own or one without."""
    endings = [_MASK_ENDING.search(_stem(mask.name)) for mask in masks]
    numbers = {ending["number"] for ending in endings if ending is not None}
    return len({mask.path.parent for mask in masks}) == 1 and len(numbers) == len(masks)


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(without_suffix(path.name))).casefold()


def _spelling(name: str) -> str:
    """The file's own name without its suffix, in upper and lower case as it is."""
    return without_suffix(PurePosixPath(name).name)


def _image_stem(name: str) -> str:
    """The stem that a mask of this name gives away of its image."""
    return _MASK_ENDING.sub("", _stem(name))


def _key(name: str) -> str:
    """A name as it is compared: file names seldom hold blanks."""
    return re.sub(r"[ _-]", "_", name.casefold())


def _absolute(path: Path) -> str:
    return os.path.realpath(path)
