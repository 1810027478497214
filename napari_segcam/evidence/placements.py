"""Placements: a region moved to random places, and how much of a map is in it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.geometry import Crop

_MOST_VALUES = 2_000_000  # looked up at once: 16 MB


@dataclass(frozen=True, eq=False)
class Placement:
    """A region at one place of the frame.

    Attributes:
        pose: ``(h, w)`` bool, the bounding box of the region, turned or mirrored.
        top: first row of the box in the frame.
        left: first column of the box in the frame.
    """

    pose: NDArray[np.bool_]
    top: int
    left: int

    def on_frame(self, frame_shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the region on a frame ``(Y, X)``."""
        placed = np.zeros(frame_shape, bool)
        placed[self.top : self.top + self.pose.shape[0], self.left : self.left + self.pose.shape[1]] = self.pose
        return placed


def draw_placements(region: NDArray[np.bool_], scan: Crop, draws: int, seed: int) -> list[Placement]:
    """Return random placements of a region ``(Y, X)`` within the scan, or an empty list if it fits nowhere else.

    All quarter turns and mirror images that fit are equally likely, and so are all places.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    shape = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = scan[0].stop - scan[0].start, scan[1].stop - scan[1].start
    poses = [np.rot90(mirrored, turns) for mirrored in (shape, shape[:, ::-1]) for turns in range(4)]
    poses = [pose for pose in poses if pose.shape[0] <= height and pose.shape[1] <= width]
    if not any(pose.shape != (height, width) for pose in poses):
        return []
    placements = []
    for _ in range(draws):
        pose = poses[rng.integers(len(poses))]
        top = scan[0].start + int(rng.integers(height - pose.shape[0] + 1))
        left = scan[1].start + int(rng.integers(width - pose.shape[1] + 1))
        placements.append(Placement(pose, top, left))
    return placements


class PlacementSums:
    """The sums of maps over the same placements.

    Each row of a region is a few runs of pixels, whose sum is a difference of two running sums of the map: far less
    work than adding up the pixels of every placement.

    Args:
        placements: as from ``draw_placements``; those of one pose share the pose's array.
        frame_shape: of the maps, ``(Y, X)``.
    """

    def __init__(self, placements: Sequence[Placement], frame_shape: tuple[int, int]) -> None:
        self._count, self._columns = len(placements), frame_shape[1] + 1
        by_pose: dict[int, list[int]] = {}
        for number, placement in enumerate(placements):
            by_pose.setdefault(id(placement.pose), []).append(number)
        self._parts: list[tuple[list[int], NDArray[np.intp], NDArray[np.intp]]] = []
        for numbers in by_pose.values():
            starts, ends = self._runs(placements[numbers[0]].pose)
            size = max(1, _MOST_VALUES // len(starts))
            for first in range(0, len(numbers), size):
                part = numbers[first : first + size]
                shifts = np.array([placements[n].top * self._columns + placements[n].left for n in part])[:, None]
                self._parts.append((part, starts + shifts, ends + shifts))

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of a map ``(Y, X)`` over each placement."""
        running = np.zeros((values.shape[0], self._columns))
        np.cumsum(values, axis=1, out=running[:, 1:])
        flat, sums = running.ravel(), np.empty(self._count)
        for numbers, starts, ends in self._parts:
            sums[numbers] = (flat[ends] - flat[starts]).sum(1)
        return sums

    def _runs(self, pose: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return where each run of pixels starts and ends, as flat indices of a frame's running sums."""
        edges = np.diff(np.pad(pose.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        starts, ends = np.nonzero(edges == 1), np.nonzero(edges == -1)
        return starts[0] * self._columns + starts[1], ends[0] * self._columns + ends[1]
