"""The class under the cursor: of the topmost mask or correction that is drawn there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from napari_segcam.viewer.frames.plan import PaintedRegion
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.view_state import is_drawn

if TYPE_CHECKING:  # torch comes with these, and is imported in the worker first
    from napari_segcam.explanation.targets.region import At
    from napari_segcam.network.network import Network


def class_at(
    layers: Sequence[Layer], review: Review, network: Network, frame: int, pixel: tuple[int, int]
) -> int | None:
    """Return the class of the topmost mask or correction that is drawn at a pixel; None where there is none.

    Args:
        layers: of the viewer, the topmost last.
        review: of the image.
        network: that predicted the masks.
        frame: the one in view.
        pixel: its row and column.
    """
    drawn: list[tuple[int, int]] = []
    shown = review.layers.shown
    for pair in review.layers.pairs:
        own_class = shown.index(pair) if network.classes_overlap and pair in shown else None
        mask = pair.mask.drawn(frame) if is_drawn(pair.mask.layer) else None
        correction = pair.corrections.seen(frame) if is_drawn(pair.corrections.layer) else None
        for layer, labels, corrections in (
            (pair.mask.layer, mask, None),
            (pair.corrections.layer, correction, pair.corrections),
        ):
            label = 0 if labels is None else _label_at(labels, *pixel)
            if layer is None or not label:
                continue
            index = own_class
            if index is None and not network.classes_overlap:
                index = _class_of(network, frame, label, corrections)
            if index is not None:
                drawn.append((layers.index(layer), index))
    return max(drawn)[1] if drawn else None


def corrected_component(corrections: CorrectionLayer, label: int, place: At) -> PaintedRegion:
    """Return a function that gives the component of a frame's correction at a place; None where there is none.

    Args:
        corrections: of the class.
        label: of the class in the network's masks.
        place: where.
    """
    from napari_segcam.explanation.targets.region import Component

    def component(frame: int) -> NDArray[np.bool_] | None:
        pixels, corrected_label = corrections.pixels(frame), corrections.label_of(frame, label)
        if pixels is None or corrected_label is None or pixels[place.row, place.column] != corrected_label:
            return None
        return Component((place.row, place.column)).pixels(pixels == corrected_label)

    return component


def _label_at(labels: SparseMask, row: int, column: int) -> int:
    if not (labels.rows.start <= row < labels.rows.stop and labels.columns.start <= column < labels.columns.stop):
        return 0
    return int(labels.labels[row - labels.rows.start, column - labels.columns.start])


def _class_of(network: Network, frame: int, label: int, corrections: CorrectionLayer | None) -> int | None:
    """Return the class of a label in the predicted mask, or in a correction."""
    from napari_segcam.explanation.targets.classes import label_of

    for index in range(network.classes):
        predicted = label_of(index, network.classes, overlap=False)
        if label == (predicted if corrections is None else corrections.label_of(frame, predicted)):
            return index
    return None
