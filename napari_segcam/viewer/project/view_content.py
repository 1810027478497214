"""The view as the log keeps it: frame, camera and layers in plain values, and the way back to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_segcam.viewer.review.layer_choices import frame_in_view
from napari_segcam.viewer.review.review import Review

IMAGE = "image"
_DIGITS = 6  # of numbers; more would only be rounding


def layers_by_key(review: Review) -> dict[str, Layer]:
    """Return the layers of an image that are in the viewer, by names that are the same each time it is opened."""
    layers: dict[str, Layer | None] = {IMAGE: review.image}
    layers |= {f"heat {stage}": layer for stage, layer in review.layers.heatmaps.items()}
    for pair in review.layers.pairs:
        layers[f"mask {pair.corrections.of_class}".rstrip()] = pair.mask.layer
        layers[f"correction {pair.corrections.of_class}".rstrip()] = pair.corrections.layer
    return {key: layer for key, layer in layers.items() if layer is not None}


def view_of(viewer: ViewerModel, review: Review) -> dict[str, Any]:
    """Return what is in view of an image, in plain values."""
    camera, active = viewer.scene.camera, viewer.layers.selection.active
    layers = layers_by_key(review)
    return {
        "frame": frame_in_view(viewer, review.image),
        "order": [int(axis) for axis in viewer.dims.order],
        "ndisplay": int(viewer.dims.ndisplay),
        "camera": {
            "center": _rounded(camera.center),
            "zoom": _rounded([camera.zoom])[0],
            "angles": _rounded(camera.angles),
        },
        "layers": {key: _look_of(layer, review, key) for key, layer in layers.items()},
        "selected": next((key for key, layer in layers.items() if layer is active), None),
    }


def apply_camera(viewer: ViewerModel, content: Mapping[str, Any]) -> None:
    """Bring camera and dimensions to what was kept; entries that do not fit are left out."""
    order, camera = content.get("order"), content.get("camera", {})
    if isinstance(order, list) and sorted(order) == list(range(viewer.dims.ndim)):
        viewer.dims.order = tuple(order)
    if content.get("ndisplay") in (2, 3):
        viewer.dims.ndisplay = content["ndisplay"]
    for name in ("angles", "center", "zoom"):
        if name in camera:
            with suppress(TypeError, ValueError):
                setattr(viewer.scene.camera, name, camera[name])


def apply_look(layer: Layer, look: Mapping[str, Any]) -> None:
    """Show a layer as it was kept; entries that do not fit are left out."""
    for name in ("opacity", "gamma", "contrast_limits", "contour", "visible"):
        if name in look and hasattr(layer, name):
            value = look[name]
            with suppress(TypeError, ValueError):
                current = getattr(layer, name)
                if (list(current) if isinstance(value, list) else current) != value:
                    setattr(layer, name, value)


def visible_stages(looks: Mapping[str, Any]) -> list[str]:
    """Return the stages whose heat was visible."""
    return [key.removeprefix("heat ") for key, look in looks.items() if key.startswith("heat ") and look.get("visible")]


def _look_of(layer: Layer, review: Review, key: str) -> dict[str, Any]:
    look: dict[str, Any] = {"visible": bool(layer.visible), "opacity": _rounded([layer.opacity])[0]}
    is_by_hand = key.removeprefix("heat ") in review.layers.heat.by_hand  # otherwise the results set them
    if isinstance(layer, Image) and (key == IMAGE or is_by_hand) and not layer.rgb:
        look["contrast_limits"] = _rounded(layer.contrast_limits)
    if isinstance(layer, Image):
        look["gamma"] = _rounded([layer.gamma])[0]
    if isinstance(layer, Labels):
        look["contour"] = int(layer.contour)
    return look


def _rounded(values: Any) -> list[float]:
    return [float(f"{float(value):.{_DIGITS}g}") for value in values]
