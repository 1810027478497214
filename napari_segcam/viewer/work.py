"""What the worker does for the widgets: it is told everything beforehand, and touches no widget and no layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.network.network import Network

Explained = tuple[int | None, "Explanation", "Mapping[str, Attention]"]


@dataclass(frozen=True)
class Request:
    """What the user asked to see.

    Attributes:
        method: of the heatmaps.
        stages: names of the heatmaps; None for the mask alone.
        class_index: the explained class; None for the first that is not the background.
        region: ``"mask"``, ``"image"``, a rule, or a Labels layer whose painted pixels are the region.
    """

    method: str = "gradcam"
    stages: tuple[str, ...] | None = None
    class_index: int | None = None
    region: Any = "mask"


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of an image layer, as they were when they were asked for.

    Attributes:
        name: of the layer.
        data: of the layer, numpy or dask; it is read in the worker.
        rgb: whether its last axis holds colours.
        value_range: the values that mean black and white, where a reader knew them.
        numbers: of the frames; a single None for a still.
        painted: what was painted in a Labels layer, ``(Y, X)`` or ``(T, Y, X)``; None where that is not the region.
    """

    name: str
    data: Any
    rgb: bool
    value_range: tuple[float, float] | None
    numbers: Sequence[int | None]
    painted: NDArray[Any] | None

    @classmethod
    def of(cls, image: Image, numbers: Sequence[int | None], region: Any) -> Frames:
        """Of a layer; what is painted is copied, since painting may go on."""
        painted = None
        if isinstance(region, Labels):
            only = region.data[numbers[0]] if len(numbers) == 1 and region.ndim == 3 else region.data
            painted = np.array(only, copy=True)
        value_range = image.metadata.get("segcam_source", {}).get("value_range")
        return cls(image.name, image.data, image.rgb, value_range, numbers, painted)

    def region(self, number: int | None, wanted: Any) -> Any:
        """The region of one frame."""
        if self.painted is None:
            return wanted
        return (self.painted if self.painted.ndim == 2 else self.painted[number]) > 0


def explain_frames(
    network: Network, frames: Frames, request: Request, threshold: float, cancelled: Callable[[], bool]
) -> Iterator[Explained]:
    """Explain frame by frame: number, explanation, attention figures.

    Raises:
        SegcamError: if the frames do not go with the network, or the request not with either.
    """
    from napari_segcam.evidence.attention import attention
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.perturbation import Cancelled
    from napari_segcam.explanation.stage_maps import Patience
    from napari_segcam.explanation.target import Target
    from napari_segcam.imaging.cine import ArrayCine

    explainer = Explainer(network, request.method, request.stages or (), threshold, Patience(cancelled=cancelled))
    cine = ArrayCine(frames.data, name=frames.name, rgb=frames.rgb, value_range=frames.value_range)
    for number in frames.numbers:
        target = Target(request.class_index, frames.region(number, request.region))
        try:
            explanation = explainer(cine[number or 0], target, cine.value_range)
        except Cancelled:  # within a frame that takes minutes
            return
        yield number, explanation, attention(explanation)
