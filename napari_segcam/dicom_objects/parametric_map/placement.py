"""Placement of a map on its frame, exactly, as a private element.

The standard's own elements give it in mm with about ten digits, and not at all where the size of a pixel is unknown.
``docs/dicom.md`` describes this one for other readers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom import Dataset

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Heatmap

GROUP, CREATOR, OFFSET = 0x4E53, "NAPARI-SEGCAM", 0x01


@dataclass(frozen=True)
class Placement:
    """Where a map is on its frame, in frame pixels: pixel ``i`` has its center at ``scale · i + translate``.

    Attributes:
        scale: frame pixels per pixel of the map, (rows, columns).
        translate: center of the first pixel, (rows, columns).
    """

    scale: tuple[float, float]
    translate: tuple[float, float]

    @classmethod
    def over_whole_frame(cls, map_shape: tuple[int, int], frame_shape: tuple[int, int]) -> Placement:
        """Return the placement of a map that covers the frame exactly."""
        rows, columns = (
            frame_length / map_length for frame_length, map_length in zip(frame_shape, map_shape, strict=True)
        )
        return cls((rows, columns), ((rows - 1) / 2, (columns - 1) / 2))


def write_placement(dataset: Dataset, heatmap: Heatmap) -> None:
    """Add the private element that places a heatmap and describes its stage, as JSON."""
    geometry, stage = heatmap.geometry, heatmap.stage
    facts = {
        "scale": heatmap.scale,
        "translate": heatmap.translate,
        "frame_shape": geometry.frame_shape,
        "input_shape": geometry.input_shape,
        "content_shape": geometry.content_shape,
        "offset": geometry.offset,
        "crop": geometry.crop,
        "pixel_aspect": geometry.pixel_aspect,
        "stage": stage.name,
        "kind": stage.kind,
        "stride": stage.stride,
        "channels": stage.channels,
        "layer": stage.layer,
        "signed": heatmap.signed,
        "has_outliers": heatmap.has_outliers,
    }
    block = dataset.private_block(GROUP, CREATOR, create=True)
    block.add_new(OFFSET, "UT", json.dumps(facts))


def read_private(dataset: Dataset) -> dict[str, Any]:
    """Return what the private element says, empty if there is none or it is damaged."""
    try:
        facts = json.loads(str(dataset.private_block(GROUP, CREATOR)[OFFSET].value))
    except (KeyError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
