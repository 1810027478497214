"""The truth of an image: its true masks, in one file for all classes or in a file for each class that overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.images import BatchImage, images_of
from napari_segcam.batch.pairing import class_of
from napari_segcam.batch.true_masks import (
    OF_OVERLAPPING,
    Color,
    check_frames,
    check_truth,
    mask_of_frame,
    not_black,
    open_truth,
    true_mask,
)
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.network.network import Network


class Truth:
    """The true masks of one image, for one network.

    Args:
        network: whose classes these are.
        whole: a file for all classes.
        of_class: instead of that, a file for each class, as far as there is one, by output channel.
        colors: as for ``true_mask``.
    """

    def __init__(
        self,
        network: Network,
        whole: Cine | None,
        of_class: Mapping[int, Cine] | None = None,
        colors: Mapping[str, Color] | None = None,
    ) -> None:
        self._network, self._whole, self._of_class, self._colors = network, whole, dict(of_class or {}), colors

    @classmethod
    def of_image(cls, image: BatchImage, network: Network, colors: Mapping[str, Color] | None) -> Truth | None:
        """Of an image of a batch; None where there is none.

        Raises:
            SegcamError: if a file cannot be read.
        """
        if any(image.class_truths):
            files = {index: path for index, path in enumerate(image.class_truths) if path is not None}
            return cls(network, None, {index: open_truth(path) for index, path in files.items()}, colors)
        if image.more_truths:
            return cls(network, open_truth(*image.truths, in_colors=colors is not None), None, colors)
        return cls.of_file(image.truth, network, colors) if image.truth else None

    @classmethod
    def of_file(cls, path: Path, network: Network, colors: Mapping[str, Color] | None = None) -> Truth:
        """Of a file, or of a folder: of one with a file for each class where they overlap, else of one with frames.

        Raises:
            SegcamError: if it cannot be read, or a file of such a folder tells no class or the same as another.
        """
        if path.is_dir() and network.classes_overlap and network.segments:
            files: dict[int, Path] = {}
            for file in images_of(path):
                told = class_of(file.name, "", network.class_names)
                if told is None or told[0] in files:
                    names = ", ".join(network.class_names)
                    fault = "tells by its name none" if told is None else "is a second mask of one"
                    raise SegcamError(f"In the folder of true masks {path}, {file.printed} {fault} of: {names}.")
                files[told[0]] = file.path
            return cls(network, None, {index: open_truth(file) for index, file in files.items()}, colors)
        return cls(network, open_truth(path, in_colors=colors is not None), None, colors)

    def check(self, cine: Cine) -> None:
        """Refuse it if it does not go with the frames of an image.

        Raises:
            SegcamError: as ``check_truth``.
        """
        if self._whole is not None:
            check_truth(self._whole, cine, self._network)
        for truth in self._of_class.values():
            check_frames(truth, cine)

    def mask(self, number: int, index: int | None) -> NDArray[np.bool_] | None:
        """The true mask ``(Y, X)`` of a class in a frame; None where there is no file of the class.

        Raises:
            SegcamError: as ``true_mask``.
        """
        if self._whole is not None:
            return true_mask(self._whole, number, index, self._network, self._colors)
        if self._colors is not None:
            raise SegcamError(f"A table of colors goes with one painted file for all classes. {OF_OVERLAPPING}")
        truth = self._of_class.get(index or 0)
        return None if truth is None else not_black(mask_of_frame(truth, number), truth.name)
