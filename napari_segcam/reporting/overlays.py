"""Overlays: pictures of one stage's heatmap with its frame, in the kinds of ``OverlayStyle.overlays``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_segcam.explanation.emptiness import Failure, Reason
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.number_format import compact
from napari_segcam.reporting.figures import Mask, Picture, color_heat, fit_to_tile, with_heat, with_mask, with_outline
from napari_segcam.reporting.heat_scale import HeatScale, heatmap_scale, scale_heatmap
from napari_segcam.reporting.layout import Bar, Tile, draw_sheet, with_message
from napari_segcam.reporting.overlay_style import OverlayStyle

RESEARCH_ONLY = "Research use only – not for diagnostic use."
SCALE_NOTE = (
    "Each map is colored from its own lowest to its own highest value, which are printed above it: brightness cannot "
    "be compared between maps."
)
_UNSEEN_GRAY = 32


def overlay(
    kind: str,
    picture: Picture,
    heatmap: Heatmap,
    mask: Mask,
    style: OverlayStyle,
    *,
    scale: HeatScale | None = None,
    colors: Sequence[str] = (),
) -> Picture:
    """Return one picture of a heatmap.

    Args:
        kind: one of ``OVERLAYS``. The pictures of the first two have the frame's size.
        picture: the frame ``(Y, X, 3)``, as returned by ``display``.
        heatmap: of one stage.
        mask: as ``Explanation.display_mask``.
        style: colormap and opacity.
        scale: shared by several maps; by default the map's own.
        colors: ``#rrggbb`` of the labels 1, 2, …
    """
    if kind == "side-by-side":
        return _side_by_side(picture, heatmap, mask, style, scale, colors)
    heated = with_heat(picture, scale_heatmap(heatmap, scale), style.colormap, style.opacity, signed=heatmap.signed)
    return with_outline(heated, mask, colors) if kind == "contour" else heated


def _side_by_side(
    picture: Picture,
    heatmap: Heatmap,
    mask: Mask,
    style: OverlayStyle,
    scale: HeatScale | None,
    colors: Sequence[str],
) -> Picture:
    heat = np.full_like(picture, _UNSEEN_GRAY)
    window = heatmap.geometry.window
    heat[window] = color_heat(scale_heatmap(heatmap, scale), style.colormap, signed=heatmap.signed)[window]
    pixel_aspect = heatmap.geometry.pixel_aspect
    heat_tile = fit_to_tile(with_outline(heat, mask, colors), pixel_aspect=pixel_aspect)
    if heatmap.reason is not None:
        without_heat = fit_to_tile(with_outline(picture, mask, colors), pixel_aspect=pixel_aspect)
        heat_tile = with_message(without_heat, empty_message(heatmap.reason))
    tiles = [
        Tile("frame", fit_to_tile(picture, pixel_aspect=pixel_aspect)),
        Tile(heatmap.stage.name, heat_tile, f"stride {heatmap.stage.stride}"),
        Tile("mask", fit_to_tile(with_mask(picture, mask, colors), pixel_aspect=pixel_aspect)),
    ]
    meaning = "all frames" if scale else "this map's lowest to its highest value"
    bar = color_bar(style, scale or heatmap_scale(heatmap), meaning, signed=heatmap.signed)
    return draw_sheet([tiles], bars=[bar], notes=[RESEARCH_ONLY])


def empty_message(reason: Reason | Failure) -> str:
    """Return the message that is shown instead of an empty heatmap."""
    return f"Empty: {reason.value}."


def color_bar(style: OverlayStyle, scale: HeatScale, meaning: str, *, signed: bool) -> Bar:
    """Return the color bar of a scale, with its meaning after the upper end."""
    return Bar(style.colormap, compact(scale.low), f"{compact(scale.high)} ({meaning})", signed)
