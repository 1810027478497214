"""The explanation: all that one frame gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.targets.classes import class_mask, label_mask
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

# Of an outlying heatmap's values, those that the colors tell apart.
_CAP = 0.99


@dataclass(frozen=True, eq=False)
class Heatmap:
    """The map of one stage at the stage's own resolution.

    Attributes:
        stage: which one.
        values: ``(h, w)`` float32, raw: not scaled, and not negative unless the method is signed.
        geometry: how the frame lies in the network's input.
        reason: why it is empty; None where it is not.
        signed: whether negative values are evidence against the target.
        has_outliers: whether a few values exceed all others by far, and are not to set the scale.
        completeness_error: of a method that divides a difference of scores among the map's places, what its sum is off
            by, as a share of the difference; else None.
    """

    stage: Stage
    values: NDArray[np.float32]
    geometry: Geometry = field(repr=False)
    reason: Reason | None = None
    signed: bool = False
    has_outliers: bool = False
    completeness_error: float | None = None

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per heatmap pixel, (rows, columns)."""
        return self._placement()[0]

    @property
    def translate(self) -> tuple[float, float]:
        """Where the center of the first heatmap pixel lies, in frame pixels, (rows, columns)."""
        return self._placement()[1]

    def _placement(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.geometry.placement((self.values.shape[0], self.values.shape[1]))

    @property
    def peak(self) -> float:
        """The magnitude that the strongest color stands for: the largest, or where there are outliers the largest
        but one in a hundred, as Smilkov et al. (2017) draw gradients."""
        magnitudes = np.abs(self.values)
        capped = float(np.quantile(magnitudes, _CAP)) if self.has_outliers else 0.0
        return capped or float(magnitudes.max())

    def raw_on_frame(self) -> NDArray[np.float32]:
        """The raw values interpolated to the frame's grid ``(Y, X)``; 0 where the network did not look."""
        return self.geometry.to_frame(torch.from_numpy(self.values)).numpy().copy()

    def on_frame(self) -> NDArray[np.float32]:
        """The map on the frame's grid ``(Y, X)``, scaled to [0, 1] as the reference libraries do.

        That is min–max, bilinear interpolation, and min–max again: fit for looking at one frame, but values of
        different frames, stages or methods cannot be compared. A signed map is scaled to [−1, 1] by its largest
        magnitude, so that 0 stays no evidence. Outliers count as the peak. Where the network did not look, it is 0.
        """
        if self.signed:
            raw = self.raw_on_frame()
            largest = self.peak if self.has_outliers else np.abs(raw).max()
            return np.clip(raw / (1e-7 + largest), -1, 1, dtype=np.float32)
        scaled = torch.from_numpy(_min_max(self.values.clip(max=self.peak)))
        seen = _min_max(self.geometry.to_window(scaled).numpy())
        return self.geometry.paste(torch.from_numpy(seen)).numpy()


class Heatmaps(Mapping[str, Heatmap]):
    """Heatmaps by stage name, in the network's order; aliases such as ``"encoder_last"`` are understood."""

    def __init__(self, heatmaps: Mapping[str, Heatmap], aliases: Mapping[str, str]) -> None:
        self._heatmaps = dict(heatmaps)
        self._aliases = dict(aliases)

    def __getitem__(self, name: str) -> Heatmap:
        return self._heatmaps[self._aliases.get(name, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._heatmaps)

    def __len__(self) -> int:
        return len(self._heatmaps)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the network said of a frame, on its own grid: from it the mask can be cut again at another threshold.

    Attributes:
        probabilities: ``(C, H, W)`` float32 on the grid of the network's input; ``(C, 1, 1)`` of a network that
            classifies the whole frame.
        geometry: how the frame lies in that.
        classes_overlap: whether each of several classes has a sigmoid of its own; else they exclude each other.
    """

    probabilities: NDArray[np.float32]
    geometry: Geometry = field(repr=False)
    classes_overlap: bool = False

    @property
    def is_map(self) -> bool:
        """Whether there are probabilities for each pixel, and so a mask."""
        return self.probabilities.shape[1:] != (1, 1)

    def on_frame(self) -> NDArray[np.float32]:
        """The probabilities ``(C, Y, X)`` on the frame's grid; where the network did not look, nothing was found.

        That is 0, and of several that exclude each other, whose probabilities add up to 1, it is 1 for the first, the
        background. Those of the whole frame stay ``(C, 1, 1)``.
        """
        if not self.is_map:
            return self.probabilities
        nothing = torch.zeros(len(self.probabilities), 1, 1)
        if len(nothing) > 1 and not self.classes_overlap:
            nothing[0] = 1
        return self.geometry.to_frame(torch.from_numpy(self.probabilities), outside=nothing).numpy()

    def mask(self, threshold: float) -> NDArray[np.uint8]:
        """The labels ``(Y, X)`` on the frame's grid, as ``Explanation.mask`` has them for this threshold."""
        if not self.is_map:
            return np.zeros(self.geometry.frame_shape, np.uint8)
        return label_mask(self.on_frame(), threshold, overlap=self.classes_overlap)

    def class_mask(self, index: int, threshold: float) -> NDArray[np.bool_]:
        """Where a class is on the frame's grid ``(Y, X)``, as ``Explanation.class_mask`` has it for this threshold."""
        if not self.is_map:
            return np.zeros(self.geometry.frame_shape, np.bool_)
        return class_mask(self.on_frame(), index, threshold, overlap=self.classes_overlap)


@dataclass(frozen=True, eq=False)
class Explanation:
    """All that one frame gave.

    Attributes:
        segmentation: the probabilities as the network gave them.
        probabilities: ``(C, Y, X)`` float32 on the frame's grid: a sigmoid for one class and for each of several that
            overlap, a softmax for several that exclude each other; ``(C, 1, 1)`` where the network classifies the whole
            frame.
        mask: ``(Y, X)`` uint8 labels, 0 = background; with one class 1 is that class, else the class's index. Empty
            where ``no_mask`` says why. Of classes that overlap it has only the likeliest of those that a pixel has, as
            the class's index + 1: use ``masks``.
        region: ``(Y, X)`` bool, M on the frame's grid.
        heatmaps: one per selected stage.
        method: name of the CAM method.
        target: what was explained, its class settled.
        class_names: one per probability channel.
        threshold: that cut the probability of a single class, and of each of several that overlap.
        provenance: what this was computed from, in plain values.
    """

    segmentation: Segmentation = field(repr=False)
    probabilities: NDArray[np.float32]
    mask: NDArray[np.uint8]
    region: NDArray[np.bool_]
    heatmaps: Heatmaps
    method: str
    target: Target
    class_names: tuple[str, ...]
    threshold: float
    provenance: Mapping[str, Any] = field(repr=False)

    @property
    def frame_shape(self) -> tuple[int, int]:
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def no_mask(self) -> str | None:
        """Why there is no mask, in words; None where there is one."""
        return None if self.segmentation.is_map else "the network classifies the whole frame: it gives no mask"

    @property
    def class_probabilities(self) -> dict[str, float]:
        """Of a network that classifies, each class's probability for the whole frame, by name; else empty."""
        if self.no_mask is None:
            return {}
        return dict(zip(self.class_names, self.probabilities.ravel().tolist(), strict=True))

    @property
    def classes_overlap(self) -> bool:
        """Whether a pixel can have several classes, or none of them; else each pixel has one."""
        return self.segmentation.classes_overlap

    @property
    def has_background(self) -> bool:
        """Whether the first class is the background, as it is of several that exclude each other in a mask."""
        return self.no_mask is None and len(self.class_names) > 1 and not self.classes_overlap

    def class_mask(self, index: int) -> NDArray[np.bool_]:
        """Where a class is, ``(Y, X)`` bool."""
        if self.no_mask is not None:
            return np.zeros(self.frame_shape, np.bool_)
        overlap = self.classes_overlap
        return class_mask(self.probabilities, index, self.threshold, overlap=overlap, labels=self.mask)

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """Where each class is, ``(C, Y, X)`` bool; of classes that exclude each other, the first is the background."""
        return np.stack([self.class_mask(index) for index in range(len(self.class_names))])

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where the explained class is, ``(Y, X)`` bool."""
        return self.class_mask(self.target.class_index or 0)

    @property
    def drawn(self) -> NDArray[np.uint8] | NDArray[np.bool_]:
        """What pictures draw: the labels ``(Y, X)``, or of classes that overlap the mask of each, ``(C, Y, X)``."""
        return self.masks if self.classes_overlap else self.mask


def _min_max(values: NDArray[np.float32]) -> NDArray[np.float32]:
    lifted = values - values.min()
    return lifted / (1e-7 + lifted.max())
