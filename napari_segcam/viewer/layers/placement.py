"""Placement: how maps of a frame lie in napari's world, wherever the image has been put."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

OURS = "segcam"  # the metadata key by which our layers are known, whatever they are named

# The events of a layer that lies elsewhere from then on.
MOVING_EVENTS = ("scale", "translate", "rotate", "shear", "affine")


def is_ours(layer: Layer) -> bool:
    """Whether this plugin made the layer."""
    return OURS in layer.metadata


def frame_count(image: Image) -> int | None:
    """How many frames a cine layer has; None for a still."""
    return int(image.data.shape[0]) if image.ndim == 3 else None


def shows_frames(viewer: ViewerModel) -> bool:
    """Whether what is drawn is one frame, and not a plane across frames or a volume of them."""
    dims = viewer.dims
    return sorted(dims.displayed) == [dims.ndim - 2, dims.ndim - 1]


class Placement:
    """Lays layers on an image, and keeps them there when the image is moved.

    Args:
        image: the layer that is explained.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._laid: dict[Layer, tuple[tuple[float, float], tuple[float, float]]] = {}
        for event in MOVING_EVENTS:
            getattr(image.events, event).connect(self._follow)

    def lead(self) -> tuple[int, ...]:
        """The axes of a layer before its rows and columns."""
        count = frame_count(self.image)
        return () if count is None else (count,)

    def transform(self, scale: tuple[float, float], translate: tuple[float, float]) -> dict[str, Any]:
        """How a layer lies in the world whose pixels lie so in the frame's."""
        image = self.image
        lead = image.ndim - 2
        to_world = Affine(scale=image.scale, rotate=image.rotate, shear=image.shear, translate=image.translate)
        return {
            "scale": np.asarray(image.scale) * ((1.0,) * lead + tuple(scale)),
            "translate": to_world(np.array((0.0,) * lead + tuple(translate))),
            "rotate": image.rotate,
            "shear": image.shear,
            "affine": image.affine,
        }

    def names(self) -> dict[str, Any]:
        """Units and axis labels, as the image's."""
        return {"units": self.image.units, "axis_labels": self.image.axis_labels}

    def lay(self, layer: Layer, scale: tuple[float, float], translate: tuple[float, float]) -> None:
        """Lay a layer on the image, now and whenever the image moves."""
        self._laid[layer] = (scale, translate)
        for name, value in self.transform(scale, translate).items():
            setattr(layer, name, value)

    def release(self, layer: Layer) -> None:
        """Leave a layer where it is."""
        self._laid.pop(layer, None)

    def _follow(self) -> None:
        for layer, laid in list(self._laid.items()):
            self.lay(layer, *laid)
