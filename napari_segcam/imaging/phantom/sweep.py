"""The phantom as a scanner shows it: single frames or the cine of a whole sweep, with true masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.imaging.phantom.anatomy import HALF_SWEEP_MM, Anatomy
from napari_segcam.imaging.phantom.probe import Probe
from napari_segcam.imaging.phantom.shapes import Field, Plane

FRAME_RATE = 20.0
_BREATH_MM = (1.0, 1.8)  # how far breathing moves the tissue across and along the middle beam
_DYNAMIC_RANGE_DB = 60.0
_GRAY_CURVE = 1.2  # exponent of the gray map: scanners darken the weak echoes


@dataclass(frozen=True)
class PhantomSweep:
    """Cine with its true masks.

    ``images``: ``(T, Y, X)`` uint8, black outside the sector; ``masks``: the same shape, 1 in a fibroid, else 0;
    ``frame_rate`` in Hz; ``spacing_mm`` between pixel centers (row, column).
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    frame_rate: float
    spacing_mm: tuple[float, float]


class Phantom:
    """One patient and one probe, chosen by ``seed``; any frame of the sweep takes about a tenth of a second.

    Args:
        seed: integer ≥ 0; equal seeds give equal pixels.
        shape: rows and columns of a frame; the sector is as large as fits.

    Raises:
        ValueError: for a negative seed or a frame smaller than 32 × 32 pixels.
    """

    def __init__(self, seed: int = 0, shape: tuple[int, int] = (256, 320)) -> None:
        if seed < 0 or min(shape) < 32:
            raise ValueError(f"A phantom needs a seed ≥ 0 and at least 32 × 32 pixels, not {seed} and {shape}.")
        rng = np.random.default_rng([seed, 1])
        self.seed = seed
        self.shape = shape
        self.anatomy = Anatomy(rng)
        self.probe = Probe(
            radius_mm=rng.uniform(42, 58),
            half_angle=rng.uniform(0.5, 0.6),
            depth_mm=rng.uniform(125, 150),
            focus_mm=rng.uniform(55, 85),
            waist_mm=rng.uniform(0.75, 1.0),
        )
        self._gain_db = rng.uniform(1, 7)
        # Errors of the operator's gain sliders, from the probe to the depth.
        self._tgc_db = rng.uniform(-3, 3, size=6) - np.linspace(0, 7, 6)
        self._noise_db = rng.uniform(-80, -70)
        self._breath_phase = rng.uniform(0, 2 * np.pi, size=2)
        self._x, self._y, self.spacing_mm = self._pixel_grid()

    def frame(self, position: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image and the fibroid mask, ``(Y, X)`` uint8 each.

        Args:
            position: along the sweep, from 0 at its start to 1 at its end.
        """
        z = (2 * position - 1) * HALF_SWEEP_MM
        shift = self._breathing(position)
        level_db = self._level_db(position, z, shift)

        sample, beam = self.probe.sample_of(self._x, self._y)
        sector = (sample >= 0) & (sample <= self.probe.samples - 1) & (beam >= 0) & (beam <= self.probe.beams - 1)
        shown = ndimage.map_coordinates(level_db, [sample, beam], order=1, mode="nearest")
        level = np.maximum(1 + shown / _DYNAMIC_RANGE_DB, 0)
        gray = np.clip(255 * level**_GRAY_CURVE, 1, 255)  # 0 is kept for outside the sector

        pixels = Plane(self._x, self._y, z).moved(*shift)
        fibroid = sector & (self.anatomy.fibroid_distance(pixels) < 0)
        return np.where(sector, gray, 0).astype(np.uint8), fibroid.astype(np.uint8)

    def _level_db(self, position: float, z: float, shift: tuple[float, float]) -> Field:
        """Return the log-compressed echoes in dB below white, ``(samples, beams)``."""
        probe = self.probe
        acoustics = self.anatomy.acoustics(probe.plane(z).moved(*shift), probe.depth, probe.step_mm)
        envelope = probe.receive(acoustics, probe.scatterers(self.seed, z, shift))

        relative_depth = probe.depth / probe.depth_mm
        sliders_db = np.interp(relative_depth, np.linspace(0, 1, len(self._tgc_db)), self._tgc_db)
        # Electronic noise is the same at all depths, so it grows with the time-gain compensation.
        rng = np.random.default_rng([self.seed, 2, round(position * 1e6)])
        noise = rng.rayleigh(size=envelope.shape) * 10 ** ((self._noise_db + 30 * relative_depth**2) / 20)
        received = np.hypot(envelope, noise)
        return (20 * np.log10(received + 1e-9) + sliders_db + self._gain_db).astype(np.float32)

    def _breathing(self, position: float) -> tuple[float, float]:
        """Return the displacement of the tissue, x and y in mm."""
        phase = 2 * np.pi * position + self._breath_phase
        return _BREATH_MM[0] * float(np.sin(phase[0])), _BREATH_MM[1] * float(np.sin(phase[1]))

    def _pixel_grid(self) -> tuple[Field, Field, tuple[float, float]]:
        """Return x and y of each pixel's center in mm, and the smallest spacing at which the whole sector fits."""
        probe, (rows, columns) = self.probe, self.shape
        top = probe.radius_mm * (np.cos(probe.half_angle) - 1)  # the corners of the face are above its middle
        width = 2 * (probe.radius_mm + probe.depth_mm) * np.sin(probe.half_angle)
        spacing = float(max((probe.depth_mm - top) / rows, width / columns))
        y = top + spacing * (np.arange(rows) + 0.5)
        x = spacing * (np.arange(columns) + 0.5 - columns / 2)
        grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return grid_x, grid_y, (spacing, spacing)


def phantom_sweep(seed: int = 0, frames: int = 60, shape: tuple[int, int] = (256, 320)) -> PhantomSweep:
    """Sweep the probe over the whole phantom of a seed in ``frames`` images.

    Raises:
        ValueError: for no frames, a negative seed, or a frame smaller than 32 × 32 pixels.
    """
    if frames < 1:
        raise ValueError(f"A sweep needs at least one frame, not {frames}.")
    phantom = Phantom(seed, shape)
    pairs = [phantom.frame(float(position)) for position in np.linspace(0, 1, frames)]
    images, masks = (np.stack(stack) for stack in zip(*pairs, strict=True))
    return PhantomSweep(images, masks, FRAME_RATE, phantom.spacing_mm)
