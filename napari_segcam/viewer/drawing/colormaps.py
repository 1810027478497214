"""Colormaps: heat that fades into the speckle, evidence for and against, and the classes of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle, islice
from typing import Any

import numpy as np
from napari.utils import Colormap
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

from napari_segcam.heat_colormaps import OTHER_COLORMAPS, UNIFORM_COLORMAPS
from napari_segcam.reporting.figures import CLASS_COLORS, correction_colors

COLORMAPS = (*UNIFORM_COLORMAPS, *OTHER_COLORMAPS)
COLORMAP_LABELS = tuple(
    (f"{name} (not uniform)" if name in OTHER_COLORMAPS else name, name) for name in COLORMAPS
)  # for a choice
_OPAQUE = 0.5  # fraction of the scale above which heat is as opaque as its layer


@lru_cache(maxsize=256)
def heat_colormap(name: str, floor: float) -> Colormap:
    """Return a colormap with a transparent low end, so that there is no veil over the speckle where there is no heat.

    Args:
        name: of the colormap.
        floor: fraction of the scale, 0–1, below which nothing is drawn.
    """
    values = np.linspace(0, 1, 256)
    colors = np.array(ensure_colormap(name).map(values))
    colors[:, 3] = _alpha(values, floor)
    return Colormap(colors, name=f"segcam {name} {floor:g}", display_name=f"{name}, fading")


@lru_cache(maxsize=64)
def signed_colormap(floor: float) -> Colormap:
    """Return a colormap: blue for evidence against the target, red for evidence for it, transparent for none."""
    values = np.linspace(-1, 1, 256)
    against, for_it = np.array([0.13, 0.4, 0.85, 1.0]), np.array([0.85, 0.1, 0.1, 1.0])
    colors = np.where(values[:, None] < 0, against, for_it)
    colors[:, 3] = _alpha(np.abs(values), floor)
    return Colormap(colors, name=f"segcam signed {floor:g}", display_name="against – for")


def class_colors(classes: int, colors: Sequence[str] = (), *, overlap: bool = False) -> tuple[str, ...]:
    """Return a color ``#rrggbb`` for each output channel.

    The first of several channels that exclude each other is the background, which is not drawn.

    Args:
        classes: number of channels.
        colors: one for each channel; with another number of colors, the default ones are used.
        overlap: whether the classes can overlap.
    """
    if colors and len(colors) == classes:
        return tuple(colors)
    has_background = classes > 1 and not overlap
    default = tuple(islice(cycle(CLASS_COLORS), classes - has_background))
    return ("#000000", *default) if has_background else default


def class_colormap(classes: int, colors: Sequence[str] = ()) -> DirectLabelColormap:
    """Return a colormap with ``class_colors`` for the labels of classes that exclude each other."""
    color_of_label: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    color_of_label.update(enumerate(_label_colors(classes, colors), start=1))
    return DirectLabelColormap(color_dict=color_of_label)


def correction_colormap(
    classes: int, colors: Sequence[str] = (), *, one_of_several: bool = False
) -> DirectLabelColormap:
    """Return a colormap for the labels of a correction, with colors that differ from those of the mask.

    Args:
        classes: as for ``class_colors``.
        colors: as for ``class_colors``.
        one_of_several: whether there are corrections of other classes too.
    """
    mask_colors = _label_colors(classes, colors)
    count = len(mask_colors) + one_of_several  # of several corrections, each is recognized by its color
    color_of_label: dict[int | None, Any] = {None: "white", 0: "transparent"}
    color_of_label.update(enumerate(correction_colors(mask_colors, count)[: len(mask_colors)], start=1))
    return DirectLabelColormap(color_dict=color_of_label)


def _label_colors(classes: int, colors: Sequence[str]) -> tuple[str, ...]:
    """Return the colors of all labels except the background's, for classes that exclude each other."""
    channels = class_colors(classes, colors)
    return channels if classes == 1 else channels[1:]


def _alpha(values: np.ndarray, floor: float) -> np.ndarray:
    return np.where(values < floor, 0, np.clip(values / _OPAQUE, 0, 1))
