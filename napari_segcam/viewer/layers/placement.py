"""Placement: keep layers aligned with an image, wherever the image is in napari's world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

Pair = tuple[float, float]

OURS = "segcam"  # the metadata key of the plugin's layers; their names may change
FILE = "file"  # within it, the path of the file that a layer belongs to, for layers that no network made here

# Events of a layer when it moves.
MOVING_EVENTS = ("scale", "translate", "rotate", "shear", "affine")


def is_ours(layer: Layer) -> bool:
    """Return whether the layer belongs to this plugin."""
    return OURS in layer.metadata


def is_of_file(layer: Layer) -> bool:
    """Return whether the layer shows a segmentation or map from a file."""
    return is_ours(layer) and FILE in layer.metadata[OURS]


def frame_count(image: Image) -> int | None:
    """Return the number of frames of a cine layer; None for a still."""
    return int(image.data.shape[0]) if image.ndim == 3 else None


def shows_frames(viewer: ViewerModel) -> bool:
    """Return whether one frame is drawn, not a plane across frames or a volume."""
    dims = viewer.dims
    return sorted(dims.displayed) == [dims.ndim - 2, dims.ndim - 1]


def connect_moves(layer: Layer, callback: Callable[[], None]) -> None:
    """Call a function whenever a layer moves."""
    for event in MOVING_EVENTS:
        getattr(layer.events, event).connect(callback)


def transform_on(image: Image, scale: Pair, translate: Pair) -> dict[str, Any]:
    """Return the transform of a layer over an image, from its scale and translation in the frame's pixels."""
    lead = image.ndim - 2
    to_world = Affine(scale=image.scale, rotate=image.rotate, shear=image.shear, translate=image.translate)
    return {
        "scale": np.asarray(image.scale) * ((1.0,) * lead + tuple(scale)),
        "translate": to_world(np.array((0.0,) * lead + tuple(translate))),
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": image.affine,
    }


class Placement:
    """Aligns layers with an image, and keeps them aligned when the image moves.

    Args:
        image: the layer that is explained.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._layers: WeakKeyDictionary[Layer, tuple[Pair, Pair]] = WeakKeyDictionary()
        connect_moves(image, self._follow)

    def lead(self) -> tuple[int, ...]:
        """Return the shape of a layer before its rows and columns: the number of frames of a cine."""
        count = frame_count(self.image)
        return () if count is None else (count,)

    def transform(self, scale: Pair, translate: Pair) -> dict[str, Any]:
        """Return the transform of a layer from its scale and translation in the frame's pixels."""
        return transform_on(self.image, scale, translate)

    def names(self) -> dict[str, Any]:
        """Return units and axis labels, those of the image."""
        return {"units": self.image.units, "axis_labels": self.image.axis_labels}

    def lay(self, layer: Layer, scale: Pair, translate: Pair) -> None:
        """Align a layer with the image, now and whenever the image moves."""
        self._layers[layer] = (scale, translate)
        for name, value in self.transform(scale, translate).items():
            setattr(layer, name, value)

    def _follow(self) -> None:
        for layer, (scale, translate) in list(self._layers.items()):
            self.lay(layer, scale, translate)
