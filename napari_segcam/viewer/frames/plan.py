"""What is computed for a review: the request, the frames, and the plan that a worker follows."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network


CORRECTED = "corrected"  # the region that is the mask as the user has edited it, and as predicted where they have not


Painted = Callable[[int], NDArray[np.bool_] | None]


@dataclass(frozen=True)
class Request:
    """What the user asked to see.

    Attributes:
        method: of the heatmaps.
        preview: whether a method that takes long is to be previewed, where it can.
        stages: names of the heatmaps; None for the mask alone.
        class_index: the explained class; None for the first that is not the background.
        region: ``"mask"``, ``"image"``, ``CORRECTED``, a rule, or a Labels layer whose painted pixels are the region.
    """

    method: str = "gradcam"
    stages: tuple[str, ...] | None = None
    class_index: int | None = None
    region: Any = "mask"
    preview: bool = False


@dataclass(frozen=True, eq=False)
class LayerSource:
    """The frames of an image layer, as the layer was when this was made.

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
        value_range_from: who says so.
        pixel_aspect: height of a pixel by its width, where the spacing does not say.
        is_crop_drawn: whether the crop is what the user has drawn around, not the scan as it was found.
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
    def of(cls, image: Image, crop: tuple[slice, slice] | None = None, *, is_crop_drawn: bool = False) -> LayerSource:
        """Of a layer."""
        known = image.metadata.get("segcam_source", {})
        path = known.get("path") or image.source.path
        return cls(
            image.name,
            image.data,
            image.rgb,
            known.get("value_range"),
            known.get("spacing_mm"),
            known.get("region"),
            crop,
            Path(path) if path and Path(path).exists() else None,
            known.get("frame_rate"),
            is_crop_drawn,
            known.get("value_range_from", "what was set"),
            known.get("pixel_aspect") or _aspect_shown(image),
        )

    @cached_property
    def cine(self) -> Cine:
        """The frames.

        Raises:
            SegcamError: if the layer's data are no frames, or their black and white are unclear.
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


def _aspect_shown(image: Image) -> float:
    """Height of a pixel by its width, as the layer's scale shows them."""
    rows, columns = (abs(float(length)) for length in image.scale[-2:])
    return rows / columns


@dataclass(frozen=True, eq=False)
class Plan:
    """What is computed, and with what; results are kept and compared by its two keys.

    Attributes:
        network: that runs.
        source: the frames.
        request: what is wanted of them.
        threshold: cuts the mask whose pixels are the region.
        label: of the explained class in its mask.
        painted: what the user has painted as a frame's region; None where they have not.
    """

    network: Network
    source: LayerSource
    request: Request
    threshold: float
    label: int
    painted: Painted

    @property
    def class_index(self) -> int:
        """The output channel of the explained class."""
        return self.network.class_index(self.request.class_index)

    @property
    def mask_at(self) -> int:
        """Which of a frame's masks has the explained class: the only one, or of classes that overlap its own."""
        return self.class_index if self.network.classes_overlap and self.network.segments else 0

    @property
    def mask_key(self) -> Hashable:
        """What the probabilities depend on besides the frame."""
        return (self.network, self.source)

    @property
    def heat_key(self) -> Hashable:
        """What the heatmaps depend on besides the frame and what is painted in it."""
        request = self.request
        method = (request.method, request.preview)
        return (self.mask_key, method, request.class_index, request.region, self.threshold)

    @property
    def stages(self) -> tuple[str, ...]:
        return self.request.stages or ()

    @property
    def is_slow(self) -> bool:
        """Whether a frame takes many runs of the network."""
        from napari_segcam.explanation.registry import SlowMethod
        from napari_segcam.explanation.stage_maps import find_method

        return bool(self.stages) and isinstance(find_method(self.request.method), SlowMethod)


def label_explained(network: Network, request: Request) -> int:
    """The label of the class that a request means in its mask: 1 where each class has one of its own.

    Raises:
        SegcamError: if the network has no such class.
    """
    from napari_segcam.explanation.targets.classes import label_of

    index = network.class_index(request.class_index)
    return 1 if network.classes_overlap else label_of(index, network.classes, overlap=False)
