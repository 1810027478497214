"""DICOM Segmentations as true masks: found by the images that they refer to, and matched to classes by label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from napari_segcam.batch.images import images_of
from napari_segcam.dicom_objects.algorithm import MANUFACTURER
from napari_segcam.dicom_objects.segmentation.masks import ReadSegmentation
from napari_segcam.dicom_objects.segmentation.reading import read_segmentation
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.dicom.object_kind import ObjectKind, object_kind
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.network.network import Network

Part = tuple[ReadSegmentation, int]
"""A segment of a file, by its number."""


class SegmentationTruth:
    """True masks in DICOM Segmentations.

    A segment belongs to the class of its label; upper or lower case and ``_`` or ``-`` for a space do not matter. A
    number after the name of the class, as in "cyst 2", makes it one finding of the class, and all findings together are
    its mask. If the network has one class, whose name nobody gave, the only segment belongs to it.

    Args:
        paths: of the files.
        network: the masks are of its classes.
        folder: where the files were found, if those that belong to the image still have to be found among them.

    Raises:
        SegcamError: if a file cannot be read.
    """

    def __init__(self, paths: Sequence[Path], network: Network, folder: Path | None = None) -> None:
        self._network, self._folder = network, folder
        self._read = [read_segmentation(path) for path in paths]
        self._parts: list[list[Part]] | None = None
        if folder is None:
            self._parts = _parts_of_classes(self._read, network)

    def check(self, cine: Cine) -> None:
        """Lay the masks over the frames of a cine.

        Raises:
            SegcamError: if they belong to another image or do not fit, or if it is unclear which class a segment is of.
        """
        source = SourceImages.of(cine) if _is_dicom(cine) else None
        read = self._read
        if self._folder is not None and source is not None:
            own = {str(header.SOPInstanceUID) for header in source.headers}
            read = [one for one in read if own.intersection(one.referenced_uids)]
            if not read:
                raise SegcamError(f"No segmentation in {self._folder} refers to the image {cine.name}.")
        if source is not None:
            self._read = [one.laid_over(source) for one in read]
        else:
            self._read = [one.laid_over_frames(len(cine), *cine.frame_shape[:2]) for one in read]
        self._parts = _parts_of_classes(self._read, self._network)

    def mask(self, number: int, class_index: int | None) -> NDArray[np.bool_] | None:
        """Return the true mask ``(Y, X)`` of a class in a frame; None if there is none of this class or frame.

        A file of this program stores every frame that was looked at. In those of others, a frame that is missing is
        empty. The background is where no other class is.

        Args:
            number: of the frame.
            class_index: output channel of the class.

        Raises:
            SegcamError: if a frame cannot be decoded.
        """
        if self._parts is None:
            raise SegcamError("The segmentations of the image are not known yet.")
        index = class_index or 0
        if self._network.has_background and index == 0 and not self._parts[0]:
            others = [self.mask(number, other) for other in range(1, self._network.classes)]
            known = [mask for mask in others if mask is not None]
            return ~np.any(known, axis=0) if known and len(known) == len(others) else None
        masks = [
            read.mask(number, segment) for read, segment in self._parts[index] if _was_looked_at(read, number, segment)
        ]
        return np.any(masks, axis=0) if masks else None


def is_segmentation(path: Path) -> bool:
    """Return whether a file is a DICOM Segmentation."""
    return path.is_file() and object_kind(path) is ObjectKind.SEGMENTATION


def segmentations_in(folder: Path) -> list[Path]:
    """Return the DICOM Segmentations in a folder and its subfolders."""
    with suppress(SegcamError):  # there is no image
        return [image.path for image in images_of(folder, with_segmentations=True) if is_segmentation(image.path)]
    return []


def instances_of(path: Path) -> set[str]:
    """Return the UIDs of the DICOM instances of an image: of a file, or of all files in a folder; empty for others."""
    files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
    uids = set()
    for file in files:
        with suppress(Exception):  # an image that cannot be read is reported when it is opened
            if kind_of(read_head(file)) is FileKind.DICOM:
                header = dcmread(file, stop_before_pixels=True, specific_tags=["SOPInstanceUID"], force=True)
                uids.add(str(header.SOPInstanceUID))
    return uids


def _is_dicom(cine: Cine) -> bool:
    paths = [cine.path / name for name in cine.file_names] if cine.path and cine.file_names else [cine.path]
    return all(path is not None and path.is_file() and kind_of(read_head(path)) is FileKind.DICOM for path in paths)


def _was_looked_at(read: ReadSegmentation, number: int, segment: int) -> bool:
    return read.facts.manufacturer != MANUFACTURER or number in read.frames_of(segment)


def _parts_of_classes(read: Sequence[ReadSegmentation], network: Network) -> list[list[Part]]:
    """Return for each class the segments that belong to it.

    Raises:
        SegcamError: if a class has no segment while a segment has no class, or two files mark the same.
    """
    parts: list[list[Part]] = [[] for _ in network.class_names]
    keys = [_key(name) for name in network.class_names]
    others: list[tuple[str, Part]] = []
    seen: dict[str, str] = {}
    for one in read:
        for segment in one.segments:
            if (name := seen.get(_key(segment.label))) is not None and name != one.name:
                raise SegcamError(
                    f"{name} and {one.name} both have true masks of {segment.label} in one image. Remove one of them."
                )
            seen[_key(segment.label)] = one.name
            found = _class_of(segment.label, keys)
            if found is None:
                others.append((segment.label, (one, segment.number)))
            else:
                parts[found].append((one, segment.number))
    first = int(network.has_background)
    missing = [name for name, of_class in zip(network.class_names[first:], parts[first:], strict=True) if not of_class]
    is_unnamed = not network.card.class_names and len(network.class_names) - first == 1
    if is_unnamed and missing and len(others) == 1:
        parts[first].append(others[0][1])
    elif missing and others:
        files = ", ".join(dict.fromkeys(one.name for one in read))
        labels = ", ".join(label for label, _ in others)
        raise SegcamError(
            f"{files} has true masks of {labels}, but none of {', '.join(missing)}: it is unclear whether they are the "
            "same. Give the classes the labels of the segments, with class_names in the model card."
        )
    return parts


def _class_of(label: str, keys: Sequence[str]) -> int | None:
    """Return the class of a label, or of a label without the number of a finding."""
    for text in (_key(label), re.sub(r"_\d{1,4}$", "", _key(label))):
        if text in keys:
            return keys.index(text)
    return None


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())
