"""The explanation: everything computed for one frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.deprecated import warn_renamed
from napari_segcam.explanation.disagreement import Disagreement
from napari_segcam.explanation.emptiness import Failure, Reason
from napari_segcam.explanation.targets.classes import class_mask, label_mask
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

# The quantile at which the color scale of a heatmap with outliers ends.
_PEAK_QUANTILE = 0.99


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Map of one stage at the stage's own resolution.

    Attributes:
        stage: the explained stage.
        values: ``(h, w)`` float32, raw: not scaled, and not negative unless the method is signed.
        geometry: where the frame is in the network's input.
        reason: why the map is empty; None where it is not.
        signed: whether negative values are evidence against the target.
        has_outliers: whether a few values are far above all others and must not set the color scale.
        completeness_error: for a method that divides a difference of scores among the map's pixels, how far their sum
            is from the difference, as a share of it; else None.
    """

    stage: Stage
    values: NDArray[np.float32]
    geometry: Geometry = field(repr=False)
    reason: Reason | Failure | None = None
    signed: bool = False
    has_outliers: bool = False
    completeness_error: float | None = None

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per heatmap pixel, (rows, columns)."""
        return self._placement()[0]

    @property
    def translate(self) -> tuple[float, float]:
        """Center of the first heatmap pixel in frame pixels, (rows, columns)."""
        return self._placement()[1]

    def _placement(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.geometry.placement((self.values.shape[0], self.values.shape[1]))

    @property
    def peak(self) -> float:
        """Magnitude shown in the strongest color: the largest, or the 99th percentile where there are outliers.

        Smilkov et al. (2017) draw gradients in this way.
        """
        magnitudes = np.abs(self.values)
        capped = float(np.quantile(magnitudes, _PEAK_QUANTILE)) if self.has_outliers else 0.0
        return capped or float(magnitudes.max())

    def raw_on_frame(self) -> NDArray[np.float32]:
        """Return the raw values interpolated to the frame's grid ``(Y, X)``; 0 outside the network's input."""
        return self.geometry.to_frame(torch.from_numpy(self.values)).numpy().copy()

    def on_frame(self) -> NDArray[np.float32]:
        """Return the map on the frame's grid ``(Y, X)``, scaled to [0, 1] as the reference libraries do.

        That is min–max, bilinear interpolation, and min–max again. It is good for looking at one frame, but values of
        different frames, stages or methods cannot be compared. A signed map is scaled to [−1, 1] by its largest
        magnitude, so that 0 still means no evidence. Outliers count as the peak. Outside the network's input it is 0.
        """
        if self.signed:
            raw = self.raw_on_frame()
            largest = self.peak if self.has_outliers else np.abs(raw).max()
            return np.clip(raw / (1e-7 + largest), -1, 1, dtype=np.float32)
        scaled = torch.from_numpy(_min_max(self.values.clip(max=self.peak)))
        window = _min_max(self.geometry.to_window(scaled).numpy())
        return self.geometry.paste(torch.from_numpy(window)).numpy()


class Heatmaps(Mapping[str, Heatmap]):
    """Heatmaps by stage name, in the network's order; aliases such as ``"encoder_last"`` work too."""

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
    """Probabilities of a frame on the network's own grid, from which masks at any threshold follow.

    Attributes:
        probabilities: ``(C, H, W)`` float32 on the grid of the network's input; ``(C, 1, 1)`` from a network that
            classifies the whole frame.
        geometry: where the frame is in the network's input.
        classes_overlap: whether each of several classes has its own sigmoid; else they exclude each other.
    """

    probabilities: NDArray[np.float32]
    geometry: Geometry = field(repr=False)
    classes_overlap: bool = False

    @property
    def is_map(self) -> bool:
        """Whether there are probabilities for each pixel, and therefore a mask."""
        return self.probabilities.shape[1:] != (1, 1)

    def on_frame(self) -> NDArray[np.float32]:
        """Return the probabilities ``(C, Y, X)`` on the frame's grid.

        Outside the network's input they are 0. Where classes exclude each other and add up to 1, the background is 1
        there. Probabilities of the whole frame stay ``(C, 1, 1)``.
        """
        if not self.is_map:
            return self.probabilities
        outside = torch.zeros(len(self.probabilities), 1, 1)
        if len(outside) > 1 and not self.classes_overlap:
            outside[0] = 1
        return self.geometry.to_frame(torch.from_numpy(self.probabilities), outside=outside).numpy()

    def mask(self, threshold: float) -> NDArray[np.uint8]:
        """Return the labels ``(Y, X)`` on the frame's grid, as ``Explanation.mask`` for this threshold."""
        if not self.is_map:
            return np.zeros(self.geometry.frame_shape, np.uint8)
        return label_mask(self.on_frame(), threshold, overlap=self.classes_overlap)

    def class_mask(self, index: int, threshold: float) -> NDArray[np.bool_]:
        """Return the mask ``(Y, X)`` of a class on the frame's grid, as ``Explanation.class_mask``, for a threshold."""
        if not self.is_map:
            return np.zeros(self.geometry.frame_shape, np.bool_)
        return class_mask(self.on_frame(), index, threshold, overlap=self.classes_overlap)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Everything computed for one frame.

    Attributes:
        segmentation: the probabilities on the network's own grid.
        probabilities: ``(C, Y, X)`` float32 on the frame's grid: a sigmoid for a single class and for each of several
            that overlap, a softmax for several that exclude each other; ``(C, 1, 1)`` where the network classifies the
            whole frame.
        mask: ``(Y, X)`` uint8 labels, 0 = background; with one class 1 is that class, else the class's index. Empty
            where ``no_mask`` gives a reason. Where classes overlap, each pixel has only its likeliest class, as the
            class's index + 1: use ``masks`` there.
        region: ``(Y, X)`` bool, M on the frame's grid.
        heatmaps: one per selected stage.
        method: name of the CAM method.
        target: the explained target, with its class.
        class_names: one per probability channel.
        threshold: cuts the probability of a single class, and of each of several that overlap.
        provenance: what this was computed from, in plain values.
        members: of an ensemble, what each member gives for the same region; empty for one network.
        disagreement: of the members of an ensemble; None for one network.
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
    members: tuple[Explanation, ...] = field(default=(), repr=False)
    disagreement: Disagreement | None = None

    @property
    def frame_shape(self) -> tuple[int, int]:
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def runs_in_tiles(self) -> bool:
        """Whether the network saw the frame in tiles."""
        return bool(self.provenance.get("tiles"))

    @property
    def no_mask(self) -> str | None:
        """Reason why there is no mask, in words; None where there is one."""
        return None if self.segmentation.is_map else "the network classifies the whole frame: it gives no mask"

    @property
    def class_probabilities(self) -> dict[str, float]:
        """Each class's probability for the whole frame, by name, from a network that classifies; else empty."""
        if self.no_mask is None:
            return {}
        return dict(zip(self.class_names, self.probabilities.ravel().tolist(), strict=True))

    @property
    def classes_overlap(self) -> bool:
        """Whether a pixel can have several classes or none; else each pixel has exactly one."""
        return self.segmentation.classes_overlap

    @property
    def has_background(self) -> bool:
        """Whether the first class is the background: in a mask of several classes that exclude each other."""
        return self.no_mask is None and len(self.class_names) > 1 and not self.classes_overlap

    def class_mask(self, index: int) -> NDArray[np.bool_]:
        """Return the mask of a class, ``(Y, X)`` bool."""
        if self.no_mask is not None:
            return np.zeros(self.frame_shape, np.bool_)
        overlap = self.classes_overlap
        return class_mask(self.probabilities, index, self.threshold, overlap=overlap, labels=self.mask)

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """Mask of each class, ``(C, Y, X)`` bool; where classes exclude each other, the first is the background."""
        return np.stack([self.class_mask(index) for index in range(len(self.class_names))])

    @property
    def target_mask(self) -> NDArray[np.bool_]:
        """Mask of the explained class, ``(Y, X)`` bool."""
        return self.class_mask(self.target.class_index or 0)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Earlier name of ``target_mask``."""
        warn_renamed("Explanation.found", "Explanation.target_mask")
        return self.target_mask

    @property
    def display_mask(self) -> NDArray[np.uint8] | NDArray[np.bool_]:
        """Mask to draw on pictures: the labels ``(Y, X)``, or one mask ``(C, Y, X)`` a class where classes overlap."""
        return self.masks if self.classes_overlap else self.mask

    @property
    def drawn(self) -> NDArray[np.uint8] | NDArray[np.bool_]:
        """Earlier name of ``display_mask``."""
        warn_renamed("Explanation.drawn", "Explanation.display_mask")
        return self.display_mask


def _min_max(values: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = values - values.min()
    return shifted / (1e-7 + shifted.max())
