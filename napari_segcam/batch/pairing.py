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

_MASK_ENDING = re.compile(r"[ _.-](masks?|seg|segmentation|gt|groundtruth|ground_truth|annotation|labels?)$", re.I)


def without_masks(images: Sequence[BatchImage]) -> list[BatchImage]:
    """The images that are not masks of others: NAME_Annotation.png beside NAME.png is one."""
    stems = {_stem(image.name) for image in images}
    return [
        image
        for image in images
        if _stem(image.name) == _image_stem(image.name) or _image_stem(image.name) not in stems
    ]


def with_truths(images: Sequence[BatchImage], folder: Path) -> list[BatchImage]:
    """The images, each with its true mask from a folder where there is one.

    A mask has its image's path within the folder, or at least its name; with another suffix if need be, and with an
    ending such as _mask, _seg, _GT, _label or _Annotation if it has one. A file that is itself one of the images is no
    mask.

    Raises:
        SegcamError: if the folder holds no mask of any of the images, or two of one.
    """
    if not folder.is_dir():
        raise SegcamError(f"There is no folder of true masks {folder}.")
    own = {_absolute(image.path) for image in images}
    by_path: dict[str, list[BatchImage]] = defaultdict(list)
    by_name: dict[str, list[BatchImage]] = defaultdict(list)
    for mask in images_of(folder):
        if _absolute(mask.path) not in own:
            stem = _image_stem(mask.name)
            by_path[stem].append(mask)
            by_name[PurePosixPath(stem).name].append(mask)
    paired = [_paired(image, by_path, by_name) for image in images]
    if not any(image.truth for image in paired):
        raise SegcamError(
            f"{folder} holds no true mask of any image: a mask is named as its image ({images[0].name}), or with an "
            "ending such as _mask, _seg, _GT or _Annotation."
        )
    return paired


def _paired(
    image: BatchImage, by_path: dict[str, list[BatchImage]], by_name: dict[str, list[BatchImage]]
) -> BatchImage:
    stem = _stem(image.name)
    found = by_path.get(stem) or by_name.get(PurePosixPath(stem).name) or []
    if len(found) > 1:
        raise SegcamError(
            f"Two true masks go with the image {image.name}: {found[0].path} and {found[1].path}. Remove one, or give "
            "a CSV list with the columns image and truth."
        )
    return replace(image, truth=found[0].path, truth_name=found[0].printed) if found else image


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(without_suffix(path.name))).casefold()


def _image_stem(name: str) -> str:
    """The stem that a mask of this name gives away of its image."""
    return _MASK_ENDING.sub("", _stem(name))


def _absolute(path: Path) -> str:
    return os.path.realpath(path)
