"""Placement of a map on its frame, exactly, as a private element.

The standard's own elements give it in mm with about ten digits, and not at all where the size of a pixel is unknown.
``docs/dicom.md`` describes this one for other readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom import Dataset

if TYPE_CHECKING:
    from napari_segcam.explanation.explanation import Heatmap
    from napari_segcam.imaging.geometry import Geometry
    from napari_segcam.network.stages.stage import Stage

GROUP, CREATOR, OFFSET = 0x4E53, "NAPARI-SEGCAM", 0x01

_KINDS = ("encoder", "decoder", "head", "layer")


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


def geometry_in(facts: Mapping[str, Any]) -> Geometry | None:
    """Return the geometry of a map from its private facts; None if they are missing or contradict themselves."""
    from napari_segcam.imaging.geometry import Geometry

    shapes = [_integers(facts.get(name), 2) for name in ("frame_shape", "input_shape", "content_shape", "offset")]
    crop, aspect = facts.get("crop"), facts.get("pixel_aspect")
    if not all(shapes) or not isinstance(aspect, (int, float)) or not 1e-9 <= aspect <= 1e9:
        return None
    frame, network_input, content, offset = ((one[0], one[1]) for one in shapes)
    edges = _integers(crop, 4)
    top, bottom, left, right = edges or (0, frame[0], 0, frame[1])
    is_sound = (
        min(*frame, *network_input, *content) > 0
        and (crop is None or bool(edges))
        and all(start + length <= whole for start, length, whole in zip(offset, content, network_input, strict=True))
        and top < bottom <= frame[0]
        and left < right <= frame[1]
    )
    if not is_sound:
        return None
    placed = (top, bottom, left, right) if edges else None
    return Geometry(frame, network_input, content, offset, placed, float(aspect))


def stage_in(facts: Mapping[str, Any]) -> Stage | None:
    """Return the stage of a map from its private facts; None if they are missing."""
    from napari_segcam.network.stages.stage import Stage

    name, kind, layer = facts.get("stage"), facts.get("kind"), facts.get("layer")
    numbers = _integers([facts.get("stride"), facts.get("channels")], 2)
    if not isinstance(name, str) or not isinstance(layer, str) or not numbers or kind not in _KINDS:
        return None
    return Stage(name, kind, numbers[0], numbers[1], layer)


def _integers(value: object, count: int) -> tuple[int, ...]:
    """Return a list of so many whole numbers from 0; empty if it is none."""
    if not isinstance(value, list) or len(value) != count:
        return ()
    return tuple(value) if all(type(one) is int and 0 <= one < 2**31 for one in value) else ()
