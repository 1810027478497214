"""Overlays: one stage's heatmap with its frame, in the kinds that a look names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.reporting.figures import Mask, Picture, colored, fitted, with_heat, with_mask, with_outline
from napari_segcam.reporting.heat_scale import HeatScale, in_short, own_scale, scaled
from napari_segcam.reporting.layout import Bar, Tile, lay_out, with_words
from napari_segcam.reporting.overlay_style import OverlayStyle

RESEARCH_ONLY = "Research use only – not for diagnostic use."
OWN_SCALE = (
    "Each map is colored from its own lowest to its own highest value, which stand above it: brightness cannot be "
    "compared between maps."
)
_UNSEEN = 32


def overlay(
    kind: str,
    picture: Picture,
    heatmap: Heatmap,
    mask: Mask,
    look: OverlayStyle,
    *,
    scale: HeatScale | None = None,
    colors: Sequence[str] = (),
) -> Picture:
    """One picture of a heatmap.

    Args:
        kind: one of ``OVERLAYS``. The first two give a picture of the frame's size.
        picture: the frame ``(Y, X, 3)``, as ``display`` gives it.
        heatmap: of one stage.
        mask: as ``Explanation.display_mask``.
        look: its colormap and opacity.
        scale: that several maps share; by default the map's own.
        colors: ``#rrggbb`` of the labels 1, 2, …
    """
    if kind == "side-by-side":
        return _side_by_side(picture, heatmap, mask, look, scale, colors)
    heated = with_heat(picture, scaled(heatmap, scale), look.colormap, look.opacity, signed=heatmap.signed)
    return with_outline(heated, mask, colors) if kind == "contour" else heated


def _side_by_side(
    picture: Picture,
    heatmap: Heatmap,
    mask: Mask,
    look: OverlayStyle,
    scale: HeatScale | None,
    colors: Sequence[str],
) -> Picture:
    heat = np.full_like(picture, _UNSEEN)
    seen = heatmap.geometry.window
    heat[seen] = colored(scaled(heatmap, scale), look.colormap, signed=heatmap.signed)[seen]
    pixel_aspect = heatmap.geometry.pixel_aspect
    shown = fitted(with_outline(heat, mask, colors), pixel_aspect=pixel_aspect)
    if heatmap.reason is not None:
        without_heat = fitted(with_outline(picture, mask, colors), pixel_aspect=pixel_aspect)
        shown = with_words(without_heat, empty_words(heatmap.reason))
    tiles = [
        Tile("frame", fitted(picture, pixel_aspect=pixel_aspect)),
        Tile(heatmap.stage.name, shown, f"stride {heatmap.stage.stride}"),
        Tile("mask", fitted(with_mask(picture, mask, colors), pixel_aspect=pixel_aspect)),
    ]
    meaning = "all frames" if scale else "this map's lowest to its highest value"
    bar = bar_of(look, scale or own_scale(heatmap), meaning, signed=heatmap.signed)
    return lay_out([tiles], bars=[bar], notes=[RESEARCH_ONLY])


def empty_words(reason: Reason) -> str:
    """What stands in the place of an empty heatmap."""
    return f"Empty: {reason.value}."


def bar_of(look: OverlayStyle, scale: HeatScale, meaning: str, *, signed: bool) -> Bar:
    """The color bar of a scale, with what it means behind its upper end."""
    return Bar(look.colormap, in_short(scale.low), f"{in_short(scale.high)} ({meaning})", signed)
