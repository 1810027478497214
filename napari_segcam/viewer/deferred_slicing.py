"""Deferred slicing: a hidden layer follows the slider once it is shown, and not at every step."""

from __future__ import annotations

from napari.components import Dims
from napari.layers import Layer


def defer_slicing(layer: Layer) -> None:
    """Have a layer take no part in steps of the slider while it is hidden.

    napari finds out for each layer what of it lies in view, hidden or not, twice a step; for a dozen stages that takes
    as long as all else that a step does. There is no public way around it. Where napari has no such method any more,
    nothing is changed.

    Args:
        layer: not yet in a viewer.
    """
    if not hasattr(layer, "_slice_dims"):
        return
    slice_now = layer._slice_dims
    latest: Dims | None = None
    sliced: tuple[object, ...] = ()

    def slice_if_seen(dims: Dims, force: bool = False) -> None:
        nonlocal latest, sliced
        latest = dims
        layout = dims.ndim, dims.ndisplay, dims.order, dims.units
        if layer.visible or force or layout != sliced:
            sliced = layout
            slice_now(dims, force)

    def catch_up() -> None:
        if layer.visible and latest is not None:
            slice_now(latest)

    layer._slice_dims = slice_if_seen
    layer.events.visible.connect(catch_up)
