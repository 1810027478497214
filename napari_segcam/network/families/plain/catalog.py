"""The families of networks that are known."""

from __future__ import annotations

from napari_segcam.network.families.plain import brain, leejunhyun, milesial, nested, tutorial
from napari_segcam.network.families.plain.family import PlainFamily

FAMILIES: tuple[PlainFamily, ...] = (
    *milesial.FAMILIES,
    *tutorial.FAMILIES,
    *nested.FAMILIES,
    *leejunhyun.FAMILIES,
    *brain.FAMILIES,
)
