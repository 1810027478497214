"""What the worker does for a review: it is told everything in a plan, and touches no widget and no layer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with these: they are imported where the work is done
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation, Heatmap, Segmentation
    from napari_segcam.explanation.target import Target
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
class Source:
    """The frames of an image layer, as the layer was when this was made.

    Attributes:
        name: of the layer.
        data: of the layer, numpy or dask; it is read in the worker.
        rgb: whether its last axis holds colours.
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
    def of(cls, image: Image, crop: tuple[slice, slice] | None = None, *, is_crop_drawn: bool = False) -> Source:
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
    source: Source
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
    from napari_segcam.explanation.classes import label_of

    index = network.class_index(request.class_index)
    return 1 if network.classes_overlap else label_of(index, network.classes, overlap=False)


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What the network gave for a frame.

    Attributes:
        plan: that it was computed by.
        frame: its number.
        segmentation: from which the mask can be cut again.
        masks: one mask of all classes, or of classes that overlap one of each, whose label is 1.
        cut: the threshold of that mask.
        finding: figures of the explained class in them.
        heatmaps: by stage name; those that were asked for.
        figures: of the heatmaps, by stage name.
        class_names: one per channel of the probabilities.
        painted: a digest of what was painted as its region; None where nothing was.
        region: ``(Y, X)`` that the heatmaps explain; None for the whole frame.
    """

    plan: Plan
    frame: int
    segmentation: Segmentation
    masks: tuple[SparseMask, ...]
    cut: float
    finding: Finding
    heatmaps: Mapping[str, Heatmap]
    figures: Mapping[str, Attention]
    class_names: tuple[str, ...]
    painted: bytes | None
    region: NDArray[np.bool_] | None


@dataclass(frozen=True)
class FrameFailure:
    """Why a frame has no result, in the user's words."""

    frame: int
    message: str


class FrameComputer:
    """Computes frames by one plan, in the worker.

    Attributes:
        cancelled: asked within frames that take long.
        progress: told of such a frame's stages how many runs of the network are done, and of how many.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cancelled: Callable[[], bool] = lambda: False
        self.progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None
        self._explainers: dict[tuple[str, ...], Explainer] = {}

    def compute(self, frame: int, stages: tuple[str, ...], cut: float) -> Iterator[FrameResult | FrameFailure]:
        """The result of a frame, or why there is none; nothing if it was cancelled meanwhile.

        Frames are not batched: a number must not depend on which frames happened to share a pass.

        Args:
            frame: its number.
            stages: of which heatmaps are wanted.
            cut: the threshold of the mask.
        """
        from napari_segcam.evidence.attention import attention
        from napari_segcam.explanation.perturbation import Cancelled

        region = self.plan.painted(frame)
        try:
            explanation = self._explained(frame, stages, region)
        except Cancelled:
            return
        except SegcamError as fault:
            yield FrameFailure(frame, str(fault))
            return
        labels = explanation.mask if cut == explanation.threshold else None
        masks, finding = self._cut(explanation.segmentation, explanation.probabilities, cut, labels)
        yield FrameResult(
            plan=self.plan,
            frame=frame,
            segmentation=explanation.segmentation,
            masks=masks,
            cut=cut,
            finding=finding,
            heatmaps=dict(explanation.heatmaps),
            figures=attention(explanation),
            class_names=explanation.class_names,
            painted=digest(region),
            region=None if explanation.region.all() else explanation.region,
        )

    def explain(self, frame: int, stages: tuple[str, ...]) -> Explanation:
        """All that the network gives for a frame.

        Raises:
            Cancelled: if that was wished for meanwhile.
            SegcamError: if the frame cannot be read, or does not go with the network.
        """
        return self._explained(frame, stages, self.plan.painted(frame))

    def _explained(self, frame: int, stages: tuple[str, ...], region: NDArray[np.bool_] | None) -> Explanation:
        source = self.plan.source
        explainer = self._explainer(stages)
        cine = source.cine
        return explainer(cine[frame], self._target(region), cine.value_range, source.crop, cine.pixel_aspect)

    def estimate(self, frame: int, stages: tuple[str, ...]) -> str:
        """What a frame will take, in words.

        Raises:
            SegcamError: if it cannot be computed at all.
        """
        source, cine = self.plan.source, self.plan.source.cine
        cost = self._explainer(stages).estimate(cine[frame], cine.value_range, source.crop, cine.pixel_aspect)
        return f"{cost.forwards} runs of the network, about {cost.seconds:.0f} s"

    def recut(self, segmentation: Segmentation, cut: float) -> tuple[tuple[SparseMask, ...], Finding]:
        """The masks of a frame at a threshold, and the figures of the explained class."""
        return self._cut(segmentation, segmentation.on_frame(), cut)

    def _cut(
        self,
        segmentation: Segmentation,
        probabilities: NDArray[np.float32],
        cut: float,
        labels: NDArray[np.uint8] | None = None,
    ) -> tuple[tuple[SparseMask, ...], Finding]:
        """As ``recut``, of probabilities that lie on the frame already, and of labels where they are cut already."""
        from napari_segcam.evidence.finding import Finding, finding
        from napari_segcam.explanation.classes import class_mask, label_mask

        plan = self.plan
        if not segmentation.is_map:
            index = plan.request.class_index
            probability = probabilities.max() if index is None else probabilities[plan.class_index]
            return (SparseMask.of(segmentation.mask(cut)),), Finding(0, None, float(probability.item()))
        if segmentation.classes_overlap:
            each = [class_mask(probabilities, index, cut, overlap=True) for index in range(len(probabilities))]
            masks, found = [of_class.view(np.uint8) for of_class in each], each[plan.class_index]
        else:
            if labels is None:
                labels = label_mask(probabilities, cut, overlap=False)
            masks, found = [labels], labels == plan.label
        figures = finding(found, probabilities[plan.class_index], plan.source.spacing_mm)
        return tuple(map(SparseMask.of, masks)), figures

    def _explainer(self, stages: tuple[str, ...]) -> Explainer:
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.stage_maps import Patience

        if stages not in self._explainers:
            plan, request = self.plan, self.plan.request
            # By way of this object, since both change from job to job.
            patience = Patience(
                request.preview,
                progress=lambda stage, done, total: self.progress(stage, done, total),
                cancelled=lambda: self.cancelled(),
            )
            self._explainers[stages] = Explainer(plan.network, request.method, stages, plan.threshold, patience)
        return self._explainers[stages]

    def _target(self, region: NDArray[np.bool_] | None) -> Target:
        from napari_segcam.explanation.region import Painted
        from napari_segcam.explanation.target import Target
        from napari_segcam.reporting.correction import REGION

        request = self.plan.request
        if region is not None:
            name = REGION if request.region == CORRECTED else "drawn"
            return Target(request.class_index, Painted(region, name))
        return Target(request.class_index, "mask" if request.region == CORRECTED else request.region)


def digest(painted: NDArray[np.bool_] | None) -> bytes | None:
    """Tells what is painted from what was painted."""
    return None if painted is None else hashlib.blake2b(np.packbits(painted).tobytes(), digest_size=16).digest()
