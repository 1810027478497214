"""Deferred slicing: a hidden layer follows the slider and the camera once it is shown, and not at every step."""

from __future__ import annotations

from typing import Any

from napari.components import Dims
from napari.layers import Layer


def defer_slicing(layer: Layer) -> None:
    """Have a layer take no part in steps of the slider while it is hidden, and be sliced once a step while it is shown.

    napari finds out for each layer what of it lies in view, hidden or not, twice a step, and once more as it draws; for
    a dozen stages that takes as long as all else that a step does.

    Args:
        layer: not yet in a viewer.
    """
    if not hasattr(layer, "_slice_dims"):
        return
    slice_now = layer._slice_dims
    latest: Dims | None = None
    layout: tuple[object, ...] = ()
    place: tuple[object, ...] | None = None

    def slice_if_seen(dims: Dims, force: bool = False) -> None:
        nonlocal latest, layout, place
        latest = dims
        is_laid_out_anew = layout != (layout := (dims.ndim, dims.ndisplay, dims.order, dims.units))
        if force or is_laid_out_anew or (layer.visible and place != _place(dims)):
            place = _place(dims)
            slice_now(dims, force)

    def catch_up() -> None:
        nonlocal place
        if layer.visible and latest is not None:
            place = _place(latest)
            slice_now(latest)

    layer._slice_dims = slice_if_seen
    layer.events.visible.connect(catch_up)
    _defer_drawing(layer)


def _defer_drawing(layer: Layer) -> None:
    """Have a layer not be told where the camera looks while it is hidden."""
    if not hasattr(layer, "_update_draw"):
        return
    update_now = layer._update_draw

    def update_if_seen(*args: Any, **kwargs: Any) -> None:
        if layer.visible:  # once it is shown the canvas is drawn, and it is told
            update_now(*args, **kwargs)

    layer._update_draw = update_if_seen


def _place(dims: Dims) -> tuple[object, ...]:
    return dims.point, dims.margin_left, dims.margin_right
