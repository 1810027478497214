"""The truth of an image for two networks, whose classes may have different numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import BatchImage
from napari_segcam.comparing.class_pairs import ClassPair
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.network.network import Network


def truth_reader(a: Network, b: Network) -> Network:
    """Return the network whose classes name the files of true masks: B only if B alone has overlapping classes."""
    return b if b.classes_overlap and not a.classes_overlap else a


class SharedTruth:
    """The true masks of one image, which must mean the same to both networks.

    Args:
        image: with true masks.
        a: the first network.
        b: the second network.
        colors: of the classes, which then have these names in both networks.

    Raises:
        SegcamError: if a file cannot be read.
    """

    def __init__(self, image: BatchImage, a: Network, b: Network, colors: Mapping[str, Color] | None) -> None:
        reader = truth_reader(a, b)
        self._is_b = reader is not a
        self._name = image.truth_name or image.display_name
        self._first = GroundTruth.of_image(image, reader, colors)
        # Files for each class, and colors with names, leave no doubt about the class.
        names_classes = any(image.class_truths) or (self._first is not None and self._first.names_classes)
        is_clear = colors is not None or names_classes or _classes(a) == _classes(b)
        self._second = None if is_clear else GroundTruth.of_image(image, a if self._is_b else b, colors)

    def check(self, cine: Cine) -> None:
        """Check that the masks suit the frames of a cine.

        Raises:
            SegcamError: if not.
        """
        if self._first is not None:
            self._first.check(cine)

    def mask(self, number: int, pair: ClassPair) -> NDArray[np.bool_] | None:
        """Return the true mask ``(Y, X)`` of a class in a frame; None if there is none.

        Raises:
            SegcamError: if it cannot be read, or means another class to A than to B.
        """
        if self._first is None:
            return None
        index, other = (pair.index_b, pair.index_a) if self._is_b else (pair.index_a, pair.index_b)
        mask = self._first.mask(number, index)
        if self._second is None:
            return mask
        try:
            second = self._second.mask(number, other)
        except SegcamError as error:
            raise self._unclear(pair, str(error)) from error
        if mask is not None and second is not None and not np.array_equal(mask, second):
            raise self._unclear(pair, "")
        return mask

    def _unclear(self, pair: ClassPair, why: str) -> SegcamError:
        return SegcamError(
            f"The true mask {self._name} means another {pair.name} to A than to B, whose classes have other numbers. "
            f"Give a table of the classes by name with --truth-colors. {why}"
        )


def _classes(network: Network) -> tuple[object, ...]:
    """Return all of a network that the reading of a true mask depends on."""
    card = network.card
    return network.class_names, network.classes_overlap, card.class_values, card.class_colors
