"""The convex probe: the geometry of its beams, and the echoes that it receives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_segcam.imaging.phantom.anatomy import Acoustics
from napari_segcam.imaging.phantom.shapes import Field, Plane

_SAMPLES = 432
_BEAMS = 192
_MARGIN = 16  # beams simulated beyond each edge of the sector, to hide the wrapping of the circular convolution
_PULSE_MM = 0.42  # standard deviation of the pulse's envelope, about 3.5 MHz
_SLICE_MM = 1.1  # standard deviation of the beam's thickness, along the sweep
_PLANE_MM = 0.8  # distance between the planes of scatterers
_SIDE_LOBES = (0.03, 5.0)  # amplitude, and width relative to the main lobe


@dataclass(frozen=True)
class Probe:
    """A convex array in polar coordinates: ``radius_mm`` of its face, ``half_angle`` of the sector, ``depth_mm``.

    The beam is narrowest at ``focus_mm``, where its lateral standard deviation is ``waist_mm``.
    """

    radius_mm: float
    half_angle: float
    depth_mm: float
    focus_mm: float
    waist_mm: float

    @property
    def step_mm(self) -> float:
        """Distance between the samples of a beam."""
        return self.depth_mm / (_SAMPLES - 1)

    @property
    def beam_angle(self) -> float:
        """Angle between neighboring beams, in radians."""
        return 2 * self.half_angle / (_BEAMS - 1)

    @cached_property
    def depth(self) -> Field:
        """Distance of each sample from the probe's face in mm, ``(samples, 1)``."""
        return np.linspace(0, self.depth_mm, _SAMPLES, dtype=np.float32)[:, None]

    def plane(self, z_mm: float) -> Plane:
        """Return the samples ``(samples, beams)`` at one position of the sweep, margins included."""
        return Plane(*self._points, z_mm)

    @cached_property
    def _points(self) -> tuple[Field, Field]:
        beams = np.arange(-_MARGIN, _BEAMS + _MARGIN, dtype=np.float32)
        angle = beams * np.float32(self.beam_angle) - np.float32(self.half_angle)
        radius = self.depth + np.float32(self.radius_mm)
        return radius * np.sin(angle), radius * np.cos(angle) - np.float32(self.radius_mm)

    def sample_of(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Return the fractional sample and beam of points in mm, without margins; beyond the ends if outside."""
        radius = np.hypot(x, y + self.radius_mm)
        angle = np.arctan2(x, y + self.radius_mm)
        return (radius - self.radius_mm) / self.step_mm, (angle + self.half_angle) / self.beam_angle

    @property
    def beams(self) -> int:
        """Number of beams in the sector."""
        return _BEAMS

    @property
    def samples(self) -> int:
        """Number of samples along a beam."""
        return _SAMPLES

    def scatterers(self, seed: int, z_mm: float, shift_mm: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.complex64]:
        """Return complex random scatterers of the slice at ``z_mm``, ``(samples, beams)``, variance 1, with margins.

        They are fixed in the tissue: neighboring slices share planes, weighted by the beam's thickness, and
        ``shift_mm`` (x, y) moves them as the tissue moves.
        """
        middle = int(np.round(z_mm / _PLANE_MM))
        reach = int(np.ceil(2.5 * _SLICE_MM / _PLANE_MM))
        planes = np.arange(middle - reach, middle + reach + 1)
        weights = np.exp(-0.5 * ((planes * _PLANE_MM - z_mm) / _SLICE_MM) ** 2)
        weights /= np.sqrt(2 * (weights**2).sum())  # two: the real and the imaginary part
        shape = (_SAMPLES, _BEAMS + 2 * _MARGIN)
        field = np.zeros(shape, dtype=np.complex64)
        for plane, weight in zip(planes, weights, strict=True):
            rng = np.random.default_rng([seed, int(plane) + 100_000])
            parts = rng.standard_normal((*shape, 2), dtype=np.float32)
            field += np.float32(weight) * parts.view(np.complex64)[..., 0]
        along = np.exp(-2j * np.pi * fft.fftfreq(shape[0])[:, None] * shift_mm[1] / self.step_mm)
        field = fft.ifft(fft.fft(field, axis=0) * along.astype(np.complex64), axis=0)
        beams = shift_mm[0] / ((self.depth + self.radius_mm) * self.beam_angle)
        across = np.exp(-2j * np.pi * fft.fftfreq(shape[1]) * beams)
        return fft.ifft(fft.fft(field, axis=1) * across.astype(np.complex64), axis=1)

    def receive(self, tissue: Acoustics, scatterers: NDArray[np.complex64]) -> Field:
        """Return the envelope of the echoes, ``(samples, beams)``, after ideal time-gain compensation for soft tissue.

        Linear, shift-variant convolution in the complex envelope: a Gaussian pulse along the beam, a Gaussian main
        lobe and weak side lobes across it that widen away from the focus (Rayleigh speckle where scatterers are
        many). Attenuation beyond the average accumulates along the beam.
        """
        loss = np.minimum(np.cumsum(tissue.loss_db_per_mm, axis=0) * np.float32(self.step_mm), 30)
        echoes = (scatterers * _amplitude(tissue.echo_db) + tissue.specular) * _amplitude(-loss)
        pulse = np.exp(-2 * (np.pi * fft.fftfreq(_SAMPLES, self.step_mm) * _PULSE_MM) ** 2).astype(np.float32)
        echoes = fft.ifft(fft.fft(echoes, axis=0) * pulse[:, None], axis=0)
        received = fft.ifft(fft.fft(echoes, axis=1) * self._beam_spectrum, axis=1)
        return np.abs(received)[:, _MARGIN:-_MARGIN]

    @cached_property
    def _beam_spectrum(self) -> Field:
        """Lateral transfer function at each depth, ``(samples, beams)``.

        A wide smooth surface echoes equally at every depth; speckle weakens as the beam widens, as its echoes cancel.
        """
        # At 28 waists from the focus the beam is √2 wider: the depth of field of a curved array at mid aperture.
        spread = (self.depth - self.focus_mm) / (28 * self.waist_mm)
        width = self.waist_mm * np.sqrt(1 + spread**2) / ((self.depth + self.radius_mm) * self.beam_angle)
        frequency = fft.fftfreq(_BEAMS + 2 * _MARGIN).astype(np.float32)

        def lobe(sigma: Field) -> Field:
            return np.exp(-2 * (np.pi * frequency * sigma) ** 2)

        amplitude, wide = _SIDE_LOBES
        return (lobe(width) + amplitude * lobe(wide * width)).astype(np.float32)


def _amplitude(level_db: Field) -> Field:
    return np.exp(level_db * np.float32(np.log(10) / 20))
