"""The volume of an ellipsoid from three diameters, which a reader measures in two planes."""

from __future__ import annotations

import math

from napari_segcam.errors import SegcamError

MM3_PER_ML = 1000.0


def ellipsoid_volume(length: float, width: float, height: float) -> float:
    """Return π/6 · length · width · height, in the unit of length to the power of three.

    This is the prolate-ellipsoid formula of ultrasound reports, for example of the prostate (Terris & Stamey 1991, J
    Urol 145:984–987) and the thyroid (Brunn et al. 1981, Dtsch Med Wochenschr 106:1338–1340, whose factor of 0.479 is
    8 % lower than π/6): exact for an ellipsoid that is measured along its axes.

    Args:
        length: first diameter in the first plane.
        width: diameter in a second plane, perpendicular to the first.
        height: second diameter in the first plane.

    Examples:
        >>> round(sc.ellipsoid_volume(42.0, 31.0, 28.0) / 1000, 1)  # diameters in mm; in mL
        19.1

    Raises:
        SegcamError: if a diameter is negative or not a number.
    """
    for diameter in (length, width, height):
        if not (math.isfinite(diameter) and diameter >= 0):
            raise SegcamError(f"A diameter of {diameter:g} is not possible: it must be a number of 0 or more.")
    return math.pi / 6 * length * width * height
