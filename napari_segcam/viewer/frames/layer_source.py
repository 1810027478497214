"""The frames of an image layer, as the worker reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_segcam.viewer.frames.arriving_frames import ArrivingFrames

if TYPE_CHECKING:  # torch comes with it: it is imported where the work is done
    from napari_segcam.imaging.cine import Cine


@dataclass(frozen=True, eq=False)
class LayerSource:
    """The frames of an image layer, as the layer was when this object was created.

    Attributes:
        name: of the layer.
        data: of the layer, numpy or dask; it is read in the worker.
        rgb: whether its last axis holds colors.
        value_range: the values that mean black and white, where a reader knew them.
        spacing_mm: of rows and columns, where known.
        region: rows and columns that hold the scan, where the file says so.
        crop: rows and columns that the network sees; None for all.
        path: the file or folder, where there is one.
        frame_rate: per second, where known.
        value_range_from: where the value range comes from, in words.
        pixel_aspect: height of a pixel by its width, where the spacing does not say.
        is_crop_drawn: whether the user drew the crop; otherwise it is the detected scan.
    """

    name: str
    data: Any
    rgb: bool
    value_range: tuple[float, float] | None
    spacing_mm: tuple[float, float] | None
    region: tuple[slice, slice] | None
    crop: tuple[slice, slice] | None = None
    path: Path | None = None
    frame_rate: float | None = None
    is_crop_drawn: bool = False
    value_range_from: str = "what was set"
    pixel_aspect: float | None = None

    @classmethod
    def from_layer(
        cls, image: Image, crop: tuple[slice, slice] | None = None, *, is_crop_drawn: bool = False
    ) -> LayerSource:
        """Create the source of an image layer's frames."""
        metadata = image.metadata.get("segcam_source", {})
        path = metadata.get("path") or image.source.path
        return cls(
            image.name,
            image.data.received if isinstance(image.data, ArrivingFrames) else image.data,
            image.rgb,
            metadata.get("value_range"),
            metadata.get("spacing_mm"),
            metadata.get("region"),
            crop,
            Path(path) if path and Path(path).exists() else None,
            metadata.get("frame_rate"),
            is_crop_drawn,
            metadata.get("value_range_from", "what was set"),
            metadata.get("pixel_aspect") or _displayed_aspect(image),
        )

    @cached_property
    def cine(self) -> Cine:
        """The frames.

        Raises:
            SegcamError: if the layer's data are not frames, or their black and white are unclear.
        """
        from napari_segcam.imaging.cine import ArrayCine

        cine = ArrayCine(
            self.data,
            name=self.name,
            path=self.path,
            rgb=self.rgb,
            frame_rate=self.frame_rate,
            spacing_mm=self.spacing_mm,
        )
        if self.value_range is not None:
            cine.set_value_range(*self.value_range, self.value_range_from)
        cine.region = self.region
        cine.stated_aspect = self.pixel_aspect
        return cine

    def gray_values(self) -> str:
        """What black and white are for the network, in words; empty while that is not known."""
        if self.value_range is not None:
            black, white = self.value_range
            return f"black {black:g}, white {white:g}"
        cine = self.__dict__.get("cine")  # created by the worker, which reads frames to find the values
        gray = None if cine is None else cine.__dict__.get("black_and_white")
        return "" if gray is None else f"black {gray.black:g}, white {gray.white:g}{' (assumed)' * gray.is_assumed}"


def _displayed_aspect(image: Image) -> float:
    """Height of a pixel by its width, as the layer's scale shows it."""
    rows, columns = (abs(float(length)) for length in image.scale[-2:])
    return rows / columns
