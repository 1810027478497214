"""Overlay style: how heatmaps are drawn in files, reports, movies and exports."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from cmap import Catalog, Colormap

from napari_segcam.errors import SegcamError
from napari_segcam.heat_colormaps import DEFAULT_COLORMAP, UNIFORM_COLORMAPS

OVERLAYS = ("heat", "contour", "side-by-side")


@dataclass(frozen=True)
class OverlayStyle:
    """How heatmaps are drawn; the same for files, reports, movies and the viewer's exports.

    Attributes:
        overlays: kinds of picture, from ``OVERLAYS``: the heat over the frame; the same with the contour of the mask;
            frame, heatmap and mask side by side with a color bar.
        colormap: any name that cmap knows. Signed methods are always drawn from blue to red, with no color at 0.
        opacity: of the strongest heat, 0–1.

    Raises:
        SegcamError: if an overlay or the colormap is unknown, or the opacity is outside 0–1.
    """

    overlays: tuple[str, ...] = ("contour",)
    colormap: str = DEFAULT_COLORMAP
    opacity: float = 0.6

    def __post_init__(self) -> None:
        for kind in self.overlays:
            if kind not in OVERLAYS:
                raise SegcamError(f"There is no overlay {kind!r}. Choose from: {', '.join(OVERLAYS)}.")
        if not self.overlays:
            raise SegcamError(f"No overlay is chosen. Choose from: {', '.join(OVERLAYS)}.")
        if not 0 <= self.opacity <= 1:
            raise SegcamError(f"The opacity must be between 0 and 1, but it is {self.opacity:g}.")
        _refuse_unknown(self.colormap)


def _refuse_unknown(colormap: str) -> None:
    try:
        Colormap(colormap)
    except (ValueError, TypeError):  # an unknown name, or a malformed one
        names = {name.lower(): name for name in sorted(Catalog().short_keys())}
        similar = [names[match] for match in get_close_matches(colormap.lower(), names)]  # best match first
        advice = f"Did you mean {' or '.join(similar)}?" if similar else f"Try {', '.join(UNIFORM_COLORMAPS)} or turbo."
        raise SegcamError(f"There is no colormap {colormap!r}. {advice}") from None
