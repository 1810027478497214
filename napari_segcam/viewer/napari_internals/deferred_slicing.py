"""Deferred slicing: a hidden layer follows the slider and the camera when it is shown, not at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import Dims
from napari.layers import Layer

from napari_segcam.viewer.napari_internals.replacement import Replacement

_SLICE = Replacement("Layer._slice_dims", parameters=("dims", "force"))
_UPDATE_DRAW = Replacement(
    "Layer._update_draw", parameters=("scale_factor", "corner_pixels_displayed", "shape_threshold")
)


def defer_slicing(layer: Layer) -> None:
    """Let a layer skip steps of the slider while it is hidden, and be sliced once a step while it is shown.

    napari works out the visible part of each layer, hidden or not, twice a step, and once more when it draws. For a
    dozen stages this takes as long as the rest of the step.

    Args:
        layer: not yet in a viewer.
    """
    latest: Dims | None = None
    layout: tuple[object, ...] = ()
    sliced_at: tuple[object, ...] | None = None
    slice_now: Callable[..., Any]

    def slice_if_visible(dims: Dims, force: bool = False) -> None:
        nonlocal latest, layout, sliced_at
        latest = dims
        is_new_layout = layout != (layout := (dims.ndim, dims.ndisplay, dims.order, dims.units))
        if force or is_new_layout or (layer.visible and sliced_at != _position(dims)):
            sliced_at = _position(dims)
            slice_now(dims, force)

    def catch_up() -> None:
        nonlocal sliced_at
        if layer.visible and latest is not None:
            sliced_at = _position(latest)
            slice_now(latest)

    def replace_slicing(original: Callable[..., Any]) -> Callable[..., Any]:
        nonlocal slice_now
        slice_now = original
        return slice_if_visible

    if _SLICE.install(layer, replace_slicing):
        layer.events.visible.connect(catch_up)
    _UPDATE_DRAW.install(layer, lambda update_now: _update_if_visible(layer, update_now))


def _update_if_visible(layer: Layer, update_now: Callable[..., Any]) -> Callable[..., Any]:
    """Do not tell a hidden layer where the camera looks: napari does so anyway when it draws the layer again."""

    def update(*args: Any, **kwargs: Any) -> None:
        if layer.visible:
            update_now(*args, **kwargs)

    return update


def _position(dims: Dims) -> tuple[object, ...]:
    return dims.point, dims.margin_left, dims.margin_right
