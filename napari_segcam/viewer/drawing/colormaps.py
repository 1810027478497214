"""Colormaps: heat that fades into the speckle, evidence for and against, and the classes of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle, islice
from typing import Any

import numpy as np
from napari.utils import Colormap
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap

from napari_segcam.reporting.figures import CLASS_COLORS, correction_colors

COLORMAPS = ("turbo", "inferno", "magma", "viridis", "hot", "gray")
_OPAQUE = 0.5  # the share of the scale above which heat is as opaque as its layer


@lru_cache(maxsize=256)
def heat_colormap(name: str, floor: float) -> Colormap:
    """A colormap whose low end is transparent, so that no veil lies over the speckle where there is no heat.

    Args:
        name: of the colormap.
        floor: the share of the scale, 0–1, below which nothing is drawn.
    """
    at = np.linspace(0, 1, 256)
    colors = np.array(ensure_colormap(name).map(at))
    colors[:, 3] = _alpha(at, floor)
    return Colormap(colors, name=f"segcam {name} {floor:g}", display_name=f"{name}, fading")


@lru_cache(maxsize=64)
def signed_colormap(floor: float) -> Colormap:
    """Blue for evidence against the target, red for evidence for it, transparent for none."""
    at = np.linspace(-1, 1, 256)
    against, for_it = np.array([0.13, 0.4, 0.85, 1.0]), np.array([0.85, 0.1, 0.1, 1.0])
    colors = np.where(at[:, None] < 0, against, for_it)
    colors[:, 3] = _alpha(np.abs(at), floor)
    return Colormap(colors, name=f"segcam signed {floor:g}", display_name="against – for")


def class_colors(classes: int, given: Sequence[str] = (), *, overlap: bool = False) -> tuple[str, ...]:
    """A color ``#rrggbb`` for each output channel; of several that exclude each other the first is the background's,
    which is not drawn.

    Args:
        classes: how many channels there are.
        given: one for each; where there are more or fewer, the usual ones are taken.
        overlap: whether the classes do.
    """
    if given and len(given) == classes:
        return tuple(given)
    has_background = classes > 1 and not overlap
    usual = tuple(islice(cycle(CLASS_COLORS), classes - has_background))
    return ("#000000", *usual) if has_background else usual


def class_colormap(classes: int, given: Sequence[str] = ()) -> DirectLabelColormap:
    """A color for each label but the background's, of classes that exclude each other, as ``class_colors``."""
    drawn = class_colors(classes, given)
    colors: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    colors.update(enumerate(drawn if classes == 1 else drawn[1:], start=1))
    return DirectLabelColormap(color_dict=colors)


def correction_colormap(
    classes: int, given: Sequence[str] = (), *, one_of_several: bool = False
) -> DirectLabelColormap:
    """A color for each label of a correction, told from the mask's.

    Args:
        classes: as of ``class_colors``.
        given: likewise.
        one_of_several: whether there are corrections of other classes beside these.
    """
    of_mask = class_colors(classes, given)
    labels = of_mask if classes == 1 else of_mask[1:]
    count = len(labels) + one_of_several  # of several, each is told by its color
    colors: dict[int | None, Any] = {None: "white", 0: "transparent"}
    colors.update(enumerate(correction_colors(labels, count)[: len(labels)], start=1))
    return DirectLabelColormap(color_dict=colors)


def _alpha(share: np.ndarray, floor: float) -> np.ndarray:
    return np.where(share < floor, 0, np.clip(share / _OPAQUE, 0, 1))
