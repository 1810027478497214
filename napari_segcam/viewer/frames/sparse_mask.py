"""Sparse masks: the labels within their bounding box, since most of a frame is background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.mask_metrics.overlap import overlap


@dataclass(frozen=True, eq=False)
class SparseMask:
    """The labels of a frame, stored within their bounding box.

    Attributes:
        rows: of the bounding box.
        columns: of the bounding box.
        labels: uint8 ``(rows, columns)``.
    """

    rows: slice
    columns: slice
    labels: NDArray[np.uint8]

    @classmethod
    def from_labels(cls, labels: NDArray[np.uint8]) -> SparseMask:
        """Create the sparse mask of a frame's labels ``(Y, X)``."""
        labeled_rows, labeled_columns = np.flatnonzero(labels.any(1)), np.flatnonzero(labels.any(0))
        if not len(labeled_rows):
            return cls(slice(0, 0), slice(0, 0), labels[:0, :0].copy())
        rows = slice(int(labeled_rows[0]), int(labeled_rows[-1]) + 1)
        columns = slice(int(labeled_columns[0]), int(labeled_columns[-1]) + 1)
        return cls(rows, columns, labels[rows, columns].copy())

    @property
    def is_blank(self) -> bool:
        """Whether it has no labels."""
        return not self.labels.any()

    def only(self, label: int | None) -> SparseMask:
        """Return the mask of one label; None for all labels."""
        if label is None:
            return self
        return SparseMask(self.rows, self.columns, np.where(self.labels == label, self.labels, 0))

    def paint(self, frame: NDArray[np.integer]) -> None:
        """Write the labels into a blank frame ``(Y, X)``, whose background is not touched."""
        frame[self.rows, self.columns] = self.labels

    def erase(self, frame: NDArray[np.integer]) -> None:
        """Clear these labels from a frame ``(Y, X)`` that shows them."""
        frame[self.rows, self.columns] = 0

    def is_in(self, frame: NDArray[np.integer]) -> bool:
        """Whether a frame ``(Y, X)`` shows exactly these labels."""
        return bool(
            np.array_equal(frame[self.rows, self.columns], self.labels)
            and np.count_nonzero(frame) == np.count_nonzero(self.labels)
        )

    def is_all_of(self, mask: SparseMask, label: int | None) -> bool:
        """Whether another mask has exactly this region under one label, and no other label."""
        return self.is_label_of(mask, label) and np.count_nonzero(mask.labels) == np.count_nonzero(self.labels)

    def is_label_of(self, mask: SparseMask, label: int | None) -> bool:
        """Whether another mask has exactly this region under one label; its other labels do not matter."""
        count = np.count_nonzero(mask.labels == label)
        if count != np.count_nonzero(self.labels):
            return False
        if not count:
            return True
        rows = slice(min(self.rows.start, mask.rows.start), max(self.rows.stop, mask.rows.stop))
        columns = slice(min(self.columns.start, mask.columns.start), max(self.columns.stop, mask.columns.stop))
        assert label is not None
        return bool(np.array_equal(self.region(1, rows, columns), mask.region(label, rows, columns)))

    def region(self, label: int, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Return where a label is, within a part of the frame that contains the bounding box."""
        region = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        top, left = self.rows.start - rows.start, self.columns.start - columns.start
        height, width = self.labels.shape
        region[top : top + height, left : left + width] = self.labels == label
        return region


def dice(first: SparseMask, second: SparseMask, label: int) -> float | None:
    """Return the Dice coefficient of a label in two masks of one shape; None where neither has it."""
    boxes = [(mask.rows, mask.columns) for mask in (first, second) if mask.labels.size]
    if not boxes:
        return None
    rows, columns = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in (0, 1)
    )
    regions = [
        mask.region(label, rows, columns) if mask.labels.size else np.zeros((1, 1), bool) for mask in (first, second)
    ]
    return overlap(*np.broadcast_arrays(*regions)).dice
