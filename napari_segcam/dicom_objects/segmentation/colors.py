"""Colors of segments: sRGB, and CIE L*a*b* in the 16-bit numbers of DICOM (PS3.3, section C.10.7.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import ImageColor

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # CIE XYZ of D65, the white of sRGB
_LIGHTNESS_STEP, _COLOR_STEP, _COLOR_ZERO = 65535 / 100, 257, 128
_LIMIT = 6 / 29


def cielab_of(color: str) -> list[int]:
    """Return a color ``#rrggbb`` as three numbers from 0 to 65535."""
    rgb = np.array(ImageColor.getrgb(color)[:3]) / 255
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = _TO_XYZ @ light / _WHITE
    x, y, z = np.where(xyz > _LIMIT**3, np.cbrt(xyz), xyz / (3 * _LIMIT**2) + 4 / 29)
    lightness, a, b = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    values = np.array([lightness * _LIGHTNESS_STEP, (a + _COLOR_ZERO) * _COLOR_STEP, (b + _COLOR_ZERO) * _COLOR_STEP])
    return [int(value) for value in np.clip(np.rint(values), 0, 65535)]


def color_of(cielab: Sequence[int]) -> str:
    """Return three numbers from 0 to 65535 as the nearest color ``#rrggbb``."""
    lightness = cielab[0] / _LIGHTNESS_STEP
    a, b = (value / _COLOR_STEP - _COLOR_ZERO for value in cielab[1:3])
    y = (lightness + 16) / 116
    curve = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(curve > _LIMIT, curve**3, 3 * _LIMIT**2 * (curve - 4 / 29)) * _WHITE
    light = np.clip(np.linalg.solve(_TO_XYZ, xyz), 0, 1)
    rgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(value * 255):02x}" for value in np.clip(rgb, 0, 1))
