"""Heatmap files: raw heat for other programs, at the stages' own resolution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.files import whole_file
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.stages.stage import Stage


def write_npz(path: Path, explanation: Explanation) -> None:
    """Write all raw heatmaps as ``.npz``: ``(h, w)`` float32 by stage name.

    Raises:
        SegcamError: if the file cannot be written.
    """
    raw: dict[str, Any] = {name: heatmap.values for name, heatmap in explanation.heatmaps.items()}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **raw)


def write_deviation(path: Path, explanation: Explanation, spacing_mm: tuple[float, float] | None = None) -> None:
    """Write the standard deviation of the members' probabilities as a float32 TIFF, on the frame's grid.

    Raises:
        SegcamError: if the file cannot be written.
    """
    assert explanation.disagreement is not None
    stage = Stage("disagreement", "layer", 1, 1, "")
    geometry = Geometry(explanation.frame_shape, explanation.frame_shape, explanation.frame_shape)
    facts = {"class": explanation.class_names[explanation.target.class_index or 0], "members": len(explanation.members)}
    write_tiff(path, Heatmap(stage, explanation.disagreement.deviation, geometry), spacing_mm, facts)


def write_tiff(
    path: Path,
    heatmap: Heatmap,
    spacing_mm: tuple[float, float] | None = None,
    description: Mapping[str, Any] | None = None,
) -> None:
    """Write one raw heatmap as a float32 TIFF that ImageJ, Fiji and QuPath open at the right size and position.

    The pixel size is in mm if the frame's spacing is known, else in frame pixels. The origin is the top left corner of
    the frame. ``scale`` and ``translate`` in the description are those of napari.

    Args:
        path: of the file.
        heatmap: of one stage.
        spacing_mm: of the frame's rows and columns.
        description: further facts for the description, in plain values.

    Raises:
        SegcamError: if the file cannot be written.
    """
    (scale_y, scale_x), (translate_y, translate_x) = heatmap.scale, heatmap.translate
    unit_y, unit_x = spacing_mm or (1.0, 1.0)
    facts = {
        **(description or {}),
        "stage": heatmap.stage.name,
        "stride": heatmap.stage.stride,
        "scale": [scale_y, scale_x],
        "translate": [translate_y, translate_x],
        "signed": heatmap.signed,
        "empty_because": heatmap.reason.value if heatmap.reason else None,
    }
    metadata: dict[str, Any] = {
        "axes": "YX",
        "unit": "mm" if spacing_mm else "pixel",
        # ImageJ counts from the corners of pixels, napari from their centers.
        "xorigin": (scale_x / 2 - 0.5 - translate_x) / scale_x,
        "yorigin": (scale_y / 2 - 0.5 - translate_y) / scale_y,
        "min": float(heatmap.values.min()),
        "max": float(heatmap.values.max()),
        "napari_segcam": json.dumps(facts),
        "Info": json.dumps(facts, indent=1),
    }
    with whole_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            heatmap.values,
            imagej=True,
            resolution=(1 / (scale_x * unit_x), 1 / (scale_y * unit_y)),
            metadata=metadata,
        )
