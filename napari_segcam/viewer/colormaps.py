"""Colormaps: heat that fades into the speckle, evidence for and against, and the classes of a mask."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from napari.utils import Colormap
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

COLORMAPS = ("turbo", "inferno", "magma", "viridis", "hot", "gray")
_CLASS_COLOURS = ("#00e5ff", "#ffd500", "#ff4fd8", "#7dff5a", "#ff7a33", "#9d8cff")
_OPAQUE = 0.5  # the share of the scale above which heat is as opaque as its layer


@lru_cache(maxsize=256)
def heat_colormap(name: str, floor: float) -> Colormap:
    """A colormap whose low end is transparent, so that no veil lies over the speckle where there is no heat.

    Args:
        name: of the colormap.
        floor: the share of the scale, 0–1, below which nothing is drawn.
    """
    at = np.linspace(0, 1, 256)
    colours = np.array(ensure_colormap(name).map(at))
    colours[:, 3] = _alpha(at, floor)
    return Colormap(colours, name=f"segcam {name} {floor:g}", display_name=f"{name}, fading")


@lru_cache(maxsize=64)
def signed_colormap(floor: float) -> Colormap:
    """Blue for evidence against the target, red for evidence for it, transparent for none."""
    at = np.linspace(-1, 1, 256)
    against, for_it = np.array([0.13, 0.4, 0.85, 1.0]), np.array([0.85, 0.1, 0.1, 1.0])
    colours = np.where(at[:, None] < 0, against, for_it)
    colours[:, 3] = _alpha(np.abs(at), floor)
    return Colormap(colours, name=f"segcam signed {floor:g}", display_name="against – for")


def class_colormap(classes: int) -> DirectLabelColormap:
    """A colour for each label but the background's."""
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for label in range(1, max(2, classes)):
        colours[label] = _CLASS_COLOURS[(label - 1) % len(_CLASS_COLOURS)]
    return DirectLabelColormap(color_dict=colours)


def _alpha(share: np.ndarray, floor: float) -> np.ndarray:
    return np.where(share < floor, 0, np.clip(share / _OPAQUE, 0, 1))
