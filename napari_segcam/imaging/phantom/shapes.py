"""Building blocks of the anatomy: rounded bodies, and smooth random fields that are fixed in the tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]
Position = tuple[float, float, float]

_LATTICE = 40  # nodes per side of the periodic noise volume
_SMOOTHING = 1.2  # nodes; linear interpolation between the nodes then shows no creases


@dataclass(frozen=True)
class Plane:
    """Points of one image plane: ``x`` (right) and ``y`` (away from the probe) of any one shape, in mm, at ``z``."""

    x: Field
    y: Field
    z: float

    def moved(self, x: float, y: float) -> Plane:
        """Return the same points relative to tissue that has moved by ``x`` and ``y`` mm."""
        return Plane(self.x - np.float32(x), self.y - np.float32(y), self.z)


class SmoothNoise:
    """A smooth, periodic random field in space with mean 0 and standard deviation 1."""

    def __init__(self, rng: np.random.Generator) -> None:
        lattice = rng.standard_normal((_LATTICE,) * 3, dtype=np.float32)
        smooth = ndimage.gaussian_filter(lattice, _SMOOTHING, mode="wrap")
        self._lattice: Field = ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)

    def __call__(self, plane: Plane, size_mm: Position, part: int = 0) -> Field:
        """Sample the field on a plane.

        Args:
            plane: the points to sample.
            size_mm: approximate size of a patch of one sign along x, y and z.
            part: number of one of several practically independent parts of the field.
        """
        x_step, y_step, z_step = (size / (2 * _SMOOTHING) for size in size_mm)
        offset = 7.3 * part
        below, share = divmod(plane.z / z_step + offset, 1)
        near, far = self._lattice[:, :, int(below) % _LATTICE], self._lattice[:, :, (int(below) + 1) % _LATTICE]
        level = near + np.float32(share) * (far - near)
        positions = np.stack([plane.x / np.float32(x_step) + offset, plane.y / np.float32(y_step) + offset])
        return ndimage.map_coordinates(level, positions, order=1, mode="grid-wrap")


@dataclass(frozen=True)
class Body:
    """An ellipsoid with an uneven surface.

    ``center`` and ``radii`` are x, y, z in mm; ``tilt`` turns it in the image plane, in radians; ``unevenness`` is
    the standard deviation of the surface in mm, over patches of about half the mean radius.
    """

    center: Position
    radii: Position
    tilt: float = 0.0
    unevenness: float = 0.0
    part: int = 0

    def meets(self, plane: Plane) -> bool:
        """Whether the plane may cut the body or its surface's echo."""
        return abs(plane.z - self.center[2]) < self.radii[2] + 4 * self.unevenness + 3

    def local(self, plane: Plane) -> tuple[Field, Field, Field]:
        """Return the points in the body's coordinates: from its center, along its axes, in mm."""
        x, y = plane.x - np.float32(self.center[0]), plane.y - np.float32(self.center[1])
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return cos * x + sin * y, cos * y - sin * x, np.full_like(x, plane.z - self.center[2])

    def distance(self, plane: Plane, noise: SmoothNoise) -> Field:
        """Return the approximate distance of each point from the surface in mm; negative inside."""
        square: Field = np.zeros_like(plane.x)
        slope_square: Field = np.full_like(plane.x, 1e-12)
        for along, radius in zip(self.local(plane), self.radii, strict=True):
            square = square + (along / np.float32(radius)) ** 2
            slope_square = slope_square + (along / np.float32(radius**2)) ** 2
        level: Field = np.sqrt(square)
        slope: Field = np.sqrt(slope_square)
        # First order: the level's excess over the length of its gradient.
        distance: Field = np.divide(level * (level - 1), slope)
        if self.unevenness:
            patch = 0.5 * float(np.mean(self.radii))
            distance = distance + np.float32(self.unevenness) * noise(plane, (patch, patch, patch), self.part)
        return distance


def inside(distance: Field, softness_mm: float = 0.4) -> Field:
    """Return how much of a point belongs to a body, 0–1, with a transition of ``softness_mm`` at the surface."""
    return np.float32(0.5) - np.float32(0.5) * np.tanh(distance / np.float32(softness_mm))


def shell(distance: Field, thickness_mm: float) -> Field:
    """Return 1 at a surface, falling to 0 on both sides over ``thickness_mm``."""
    return np.exp(-((distance / np.float32(thickness_mm)) ** 2))


def union(first: Field, second: Field, blend_mm: float) -> Field:
    """Return the distance to two merged bodies, with the notch between them filled over ``blend_mm``."""
    overlap = np.maximum(np.float32(blend_mm) - np.abs(first - second), 0) / np.float32(blend_mm)
    return np.minimum(first, second) - overlap**2 * np.float32(blend_mm / 4)
