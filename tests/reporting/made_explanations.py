"""Explanations made by hand, which take no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage

SHAPE = (96, 128)
"""Of the frames, ``(Y, X)``."""


def heatmap(
    values: np.ndarray,
    *,
    name: str = "encoder_5",
    reason: Reason | None = None,
    signed: bool = False,
    crop: tuple[int, int, int, int] | None = None,
    shape: tuple[int, int] = SHAPE,
) -> Heatmap:
    """A stage's heatmap of a frame; the network's input is the frame, or the crop of it."""
    seen = shape if crop is None else (crop[1] - crop[0], crop[3] - crop[2])
    geometry = Geometry(shape, seen, seen, crop=crop)
    stage = Stage(name, "encoder", seen[0] // values.shape[0], 8, f"encoder.{name}")
    return Heatmap(stage, values.astype(np.float32), geometry, reason, signed)


def ramp(rows: int = 3, columns: int = 4, highest: float = 6.0) -> np.ndarray:
    """Raw values from 0 to the highest, larger to the right and the bottom."""
    return np.linspace(0, highest, rows * columns, dtype=np.float32).reshape(rows, columns)


def explanation(
    heatmaps: Mapping[str, Heatmap],
    *,
    method: str = "gradcam",
    class_index: int = 0,
    class_names: tuple[str, ...] = ("lesion",),
    class_colors: tuple[str, ...] = (),
    mask: np.ndarray | None = None,
    shape: tuple[int, int] = SHAPE,
) -> Explanation:
    """What a network found in the middle of a frame, and why."""
    if mask is None:
        mask = np.zeros(shape, np.uint8)
        mask[shape[0] // 3 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = max(1, class_index)
    probabilities = np.zeros((len(class_names), *shape), np.float32)
    label = class_index if len(class_names) > 1 else 1
    return Explanation(
        segmentation=Segmentation(probabilities, Geometry(shape, shape, shape)),
        probabilities=probabilities,
        mask=mask,
        region=mask == label,
        heatmaps=Heatmaps(heatmaps, {"encoder_last": "encoder_5"}),
        method=method,
        target=Target(class_index),
        class_names=class_names,
        threshold=0.5,
        provenance={
            "checkpoint": "unet.pth",
            "sha256": "0123456789abcdef",
            "architecture": "Unet",
            "model_card": {"class_colors": list(class_colors)},
            "versions": {"torch": "2"},
        },
    )


def overlapping(
    heatmaps: Mapping[str, Heatmap] | None = None, *, class_index: int = 0, class_colors: tuple[str, ...] = ()
) -> Explanation:
    """An organ of 20 × 30 pixels with a lesion of 10 × 20 in it, of a network whose classes overlap."""
    made = explanation(
        heatmaps if heatmaps is not None else {"encoder_5": heatmap(np.zeros((3, 4)))},
        class_index=class_index,
        class_names=("organ", "lesion"),
        class_colors=class_colors,
    )
    probabilities = np.full((2, *SHAPE), 0.1, np.float32)
    probabilities[0, 20:40, 40:70] = 0.9
    probabilities[1, 25:35, 45:65] = 0.8
    segmentation = replace(made.segmentation, probabilities=probabilities, classes_overlap=True)
    return replace(
        made,
        segmentation=segmentation,
        probabilities=probabilities,
        mask=segmentation.mask(0.5),
        region=probabilities[class_index] > 0.5,
    )
