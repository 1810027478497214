"""What the network sees of an image: which part of its frames, and which values are black and white."""

from __future__ import annotations

from typing import Literal, TypeAlias

from napari.components import ViewerModel
from napari.layers import Image, Shapes

from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.layers.scan_outline import ScanOutline

BY_CONTRAST_LIMITS = "the layer's contrast limits"
"""Where black and white are from, if the user set them by the layer's contrast limits."""

InputRegion: TypeAlias = Literal["all", "scan"] | Shapes


class NetworkInput:
    """The input of the network from one image layer.

    Attributes:
        source: the frames.
        region: the part of them that the network sees: ``"all"``, ``"scan"``, or the Shapes layer in which it is drawn.
        outline: of that part.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._image = image
        self.source = LayerSource.from_layer(image)
        self.region: InputRegion = "all"
        self.outline = ScanOutline(viewer, image)

    def has_crop(self, crop: tuple[slice, slice] | None, *, is_drawn: bool) -> bool:
        """Whether the network sees these rows and columns."""
        return (crop, is_drawn) == (self.source.crop, self.source.is_crop_drawn)

    def set_crop(self, crop: tuple[slice, slice] | None, *, is_drawn: bool) -> None:
        """Let the network see these rows and columns alone; None for all."""
        self.source = LayerSource.from_layer(self._image, crop, is_crop_drawn=is_drawn)

    def use_contrast_limits(self) -> None:
        """Use the layer's contrast limits as black and white."""
        black, white = map(float, self._image.contrast_limits)
        self.set_value_range((black, white))

    def set_value_range(self, value_range: tuple[float, float]) -> None:
        """Use these values as black and white, as once set by the layer's contrast limits."""
        image = self._image
        metadata = {
            **image.metadata.get("segcam_source", {}),
            "value_range": value_range,
            "value_range_from": BY_CONTRAST_LIMITS,
        }
        image.metadata = {**image.metadata, "segcam_source": metadata}
        self.set_crop(self.source.crop, is_drawn=self.source.is_crop_drawn)
