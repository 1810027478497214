"""The ground truth of an image: its true masks, in one file for all classes or one file for each overlapping class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.batch.pairing import class_and_stem
from napari_segcam.batch.segmentation_truth import SegmentationTruth, is_segmentation, segmentations_in
from napari_segcam.batch.true_masks import (
    HOW_TO_GIVE_OVERLAPPING,
    check_mask_frames,
    check_masks,
    foreground,
    mask_of_frame,
    open_masks,
    true_mask,
)
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.network.network import Network


class GroundTruth:
    """The true masks of one image, for the classes of one network.

    Args:
        network: the masks are of its classes.
        masks: of all classes together.
        class_masks: instead, the masks of each class by its output channel; classes may be missing.
        colors: as for ``true_mask``.
        segmentation: instead, DICOM Segmentations.
    """

    def __init__(
        self,
        network: Network,
        masks: Cine | None,
        class_masks: Mapping[int, Cine] | None = None,
        colors: Mapping[str, Color] | None = None,
        segmentation: SegmentationTruth | None = None,
    ) -> None:
        self._network, self._masks, self._colors = network, masks, colors
        self._segmentation = segmentation
        self._class_masks = dict(class_masks or {})

    @classmethod
    def of_image(cls, image: BatchImage, network: Network, colors: Mapping[str, Color] | None) -> GroundTruth | None:
        """Open the true masks of an image of a batch; None if it has none.

        Raises:
            SegcamError: if a file cannot be read.
        """
        if any(image.class_truths):
            paths = {index: path for index, path in enumerate(image.class_truths) if path is not None}
            return cls(network, None, {index: open_masks(path) for index, path in paths.items()}, colors)
        if image.truth is not None and is_segmentation(image.truth):
            return cls(network, None, segmentation=SegmentationTruth(image.truths, network))
        if image.more_truths:
            return cls(network, open_masks(*image.truths, in_colors=colors is not None), None, colors)
        return cls.of_file(image.truth, network, colors) if image.truth else None

    @classmethod
    def of_file(cls, path: Path, network: Network, colors: Mapping[str, Color] | None = None) -> GroundTruth:
        """Open a file, or a folder with one file for each frame, or for each class if classes overlap.

        A DICOM Segmentation holds all frames and classes. Of a folder of these, the ones that refer to the image count.

        Raises:
            SegcamError: if it cannot be read; or if a file of such a folder is of no class, or of the same as another.
        """
        if is_segmentation(path):
            return cls(network, None, segmentation=SegmentationTruth([path], network))
        if path.is_dir() and (segmentations := segmentations_in(path)):
            return cls(network, None, segmentation=SegmentationTruth(segmentations, network, path))
        if path.is_dir() and network.classes_overlap and network.segments:
            paths: dict[int, Path] = {}
            for file in images_of(path):
                match = class_and_stem(file.name, "", network.class_names)
                if match is None or match[0] in paths:
                    names = ", ".join(network.class_names)
                    fault = "names no class" if match is None else "is a second mask of one class"
                    raise SegcamError(
                        f"In the folder of true masks {path}, {file.display_name} {fault}. The classes are: {names}."
                    )
                paths[match[0]] = file.path
            return cls(network, None, {index: open_masks(file) for index, file in paths.items()}, colors)
        return cls(network, open_masks(path, in_colors=colors is not None), None, colors)

    @property
    def names_classes(self) -> bool:
        """Whether the masks say the name of their class, so that they mean the same to every network."""
        return self._segmentation is not None

    def check(self, cine: Cine) -> None:
        """Check that the masks suit the frames of a cine.

        Raises:
            SegcamError: as ``check_masks``.
        """
        if self._segmentation is not None:
            self._segmentation.check(cine)
        if self._masks is not None:
            check_masks(self._masks, cine, self._network)
        for masks in self._class_masks.values():
            check_mask_frames(masks, cine)

    def mask(self, number: int, class_index: int | None) -> NDArray[np.bool_] | None:
        """Return the true mask ``(Y, X)`` of a class in a frame; None if the class has no file.

        Raises:
            SegcamError: as ``true_mask``.
        """
        if self._segmentation is not None:
            return self._segmentation.mask(number, class_index)
        if self._masks is not None:
            return true_mask(self._masks, number, class_index, self._network, self._colors)
        if self._colors is not None:
            raise SegcamError(
                f"A color table needs one file in color with all classes, not a file for each class. "
                f"{HOW_TO_GIVE_OVERLAPPING}"
            )
        masks = self._class_masks.get(class_index or 0)
        return None if masks is None else foreground(mask_of_frame(masks, number), masks.name)
