"""A segmentation laid on the frames of a cine: what its layers show, prepared where nobody waits for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.placement import Pair

THRESHOLD = 0.5
"""Of a fraction: from here on a pixel is inside the outline of its segment."""


@dataclass(frozen=True)
class LaidSegment:
    """A segment, as its layer names it.

    Attributes:
        number: in the file.
        label: its value in a Labels layer, 1 to 255.
        name: as the file calls it.
        color: ``#rrggbb``, as the file recommends it; None where it does not.
        details: what else the file says about it, in words.
        by_reader: whether the file says that a reader drew or changed it.
    """

    number: int
    label: int
    name: str
    color: str | None = None
    details: str = ""
    by_reader: bool = False


@dataclass(frozen=True, eq=False)
class SparseFractions:
    """The fractions of a frame, stored within their bounding box.

    Attributes:
        mask: where they are not 0.
        values: ``(rows, columns)`` within the bounding box of the mask, in steps of the largest value.
    """

    mask: SparseMask
    values: NDArray[np.generic]


@dataclass
class LaidSegmentation:
    """What a file says about each frame of a cine.

    Attributes:
        path: of the file.
        segments: in the order of the file.
        shape: rows and columns of its masks.
        scale: of its pixels in pixels of the cine's frames.
        translate: of its first pixel, in the same.
        stored: the frames that it holds something about, even if that is an empty mask.
        edited: the frames that it says a reader changed.
        masks: of each segment, by its label and by frame, until they are settled; blank ones are left out.
        found: the frames with a mask that is not blank.
        layers: the pixels of each Labels layer, ``(T, Y, X)`` or ``(Y, X)``, with its segments.
        fractions: the same for fractions; empty where the file has none.
        largest: the value that stands for a fraction of 1.
        fraction_name: what a fraction is: "probability" or "occupancy".
    """

    path: Path
    segments: tuple[LaidSegment, ...]
    shape: tuple[int, int]
    scale: Pair = (1.0, 1.0)
    translate: Pair = (0.0, 0.0)
    stored: set[int] = field(default_factory=set)
    edited: set[int] = field(default_factory=set)
    masks: dict[int, dict[int, SparseMask]] = field(default_factory=dict)
    found: set[int] = field(default_factory=set)
    layers: list[tuple[tuple[LaidSegment, ...], NDArray[np.uint8]]] = field(default_factory=list)
    fractions: dict[int, dict[int, SparseFractions]] = field(default_factory=dict)
    largest: int = 1
    fraction_name: str = ""

    def add_mask(self, frame: int, segment: LaidSegment, mask: NDArray[np.bool_]) -> None:
        """Take in the mask ``(Y, X)`` of a segment in a frame of the cine."""
        self.stored.add(frame)
        of_segment = self.masks.setdefault(segment.label, {})
        labels = np.asarray(mask, bool).view(np.uint8) * np.uint8(segment.label)
        if frame in of_segment:  # the file has several masks for the same place: all of them count
            earlier = of_segment[frame]
            np.maximum(labels[earlier.rows, earlier.columns], earlier.labels, out=labels[earlier.rows, earlier.columns])
        laid = SparseMask.from_labels(labels)
        if not laid.is_blank:
            of_segment[frame] = laid

    def add_fractions(self, frame: int, segment: LaidSegment, values: NDArray[np.unsignedinteger]) -> None:
        """Take in the fractions ``(Y, X)`` of a segment in a frame, and its mask at the threshold."""
        self.add_mask(frame, segment, values >= THRESHOLD * self.largest)
        box = SparseMask.from_labels((values > 0).view(np.uint8))
        if not box.is_blank:
            inside = values[box.rows, box.columns].copy()
            self.fractions.setdefault(segment.label, {})[frame] = SparseFractions(box, inside)

    def fractions_of(self, label: int, frame: int) -> NDArray[np.float32] | None:
        """Return the fractions ``(Y, X)`` of a segment in a frame, 0–1; None where there are none, or only zeros."""
        found = self.fractions.get(label, {}).get(frame)
        if found is None:
            return None
        values = np.zeros(self.shape, np.float32)
        values[found.mask.rows, found.mask.columns] = found.values.astype(np.float32) / self.largest
        return values

    def settle(self, frame_count: int | None) -> None:
        """Make the pixels of the layers of all masks, which are not kept otherwise.

        Args:
            frame_count: of the cine; None for a still.
        """
        self.found = {frame for by_frame in self.masks.values() for frame in by_frame}
        groups = [[segment] for segment in self.segments] if self._overlaps() else [list(self.segments)]
        for group in groups:
            pixels = np.zeros((frame_count or 1, *self.shape), np.uint8)
            for segment in group:
                for frame, mask in self.masks.pop(segment.label, {}).items():
                    part = pixels[frame, mask.rows, mask.columns]
                    np.copyto(part, mask.labels, where=mask.labels > 0)
            self.layers.append((tuple(group), pixels[0] if frame_count is None else pixels))

    def _overlaps(self) -> bool:
        """Whether two segments share a pixel."""
        for frame in self.found:
            counts = np.zeros(self.shape, np.uint8)
            for by_frame in self.masks.values():
                if frame in by_frame:
                    mask = by_frame[frame]
                    counts[mask.rows, mask.columns] += mask.labels > 0
            if counts.max(initial=0) > 1:
                return True
        return False


def short_names(segments: Collection[LaidSegment]) -> str:
    """Return the names of segments for the name of a layer: all of a few, else how many there are."""
    if len(segments) > 3:
        return f"{len(segments)} segments"
    return ", ".join(segment.name for segment in segments)


def words_about(frame: int, laid: LaidSegmentation, frame_word: str) -> str:
    """Return what the canvas says about a segmentation in a frame; empty where its masks say it all."""
    name = laid.path.name
    if frame not in laid.stored:
        return f"{name} says nothing about this {frame_word}"
    if frame in laid.edited:
        return f"{name}: edited by a reader"
    if frame not in laid.found:
        return f"{name}: looked at, nothing found"
    return ""
