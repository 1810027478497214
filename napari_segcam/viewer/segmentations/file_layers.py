"""Layers of a file: they belong to the file and lie over an image, and the canvas says what they leave open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay
from napari.layers import Image, Layer
from napari.utils import Colormap

from napari_segcam.viewer.layers.frame_stack import FrameStack, Read
from napari_segcam.viewer.layers.placement import FILE, OURS, Pair, Placement, shows_frames
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.review.layer_choices import frame_in_view

_COLOR = "#9ecbff"


class FileLayers:
    """The layers of one file over one image; they live as long as one of them is in the viewer.

    Args:
        viewer: that shows the image.
        image: whose frames the file is about.
        path: of the file.
        words_about: returns what the canvas says about a frame, where the layers do not; empty for nothing.

    Attributes:
        layers: that were added.
        placement: of the image.
    """

    def __init__(self, viewer: ViewerModel, image: Image, path: Path, words_about: Callable[[int], str]) -> None:
        self.layers: list[Layer] = []
        self.placement = Placement(image)
        self._viewer, self._image, self._path, self._words_about = viewer, image, path, words_about
        self._words = TextOverlay(position="top_left", font_size=10, color=_COLOR, box=True)
        viewer.canvas.overlays[f"segcam_file_{id(self)}"] = self._words
        for event in (viewer.dims.events.current_step, viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self.say)
        viewer.layers.events.removed.connect(self._on_removed)

    def keep(self, layer: Layer, **properties: Any) -> None:
        """Note that a layer belongs to the file.

        Args:
            layer: one of the plugin's own, in the viewer.
            properties: what else its metadata say.
        """
        layer.metadata[OURS] |= {FILE: str(self._path), **properties}
        self.layers.append(layer)

    def add_values(
        self,
        values_of: Read,
        shape: tuple[int, int],
        laid: tuple[Pair, Pair],
        *,
        name: str,
        colormap: Colormap,
        limits: tuple[float, float],
        by_reader: bool = False,
        **style: Any,
    ) -> Image:
        """Add a layer of values in each pixel.

        Args:
            values_of: returns the values ``(h, w)`` of a frame; None where there are none.
            shape: ``(h, w)``.
            laid: scale and translation of its pixels in those of the frame.
            name: of the layer.
            colormap: with a transparent part.
            limits: the values of its ends.
            by_reader: as for ``add_labels``.
            style: further arguments of the layer.
        """
        lead = self.placement.lead()
        values = FrameStack(values_of, ((lead or (1,))[0], *shape))
        layer = Image(
            values if lead else values[0],
            name=name,
            rgb=False,
            multiscale=False,
            colormap=colormap,
            contrast_limits=limits,
            opacity=0.6,
            blending="translucent_no_depth",
            metadata={OURS: {"image": self._image.unique_id, "by_reader": by_reader}},
            **style,
            **self.placement.transform(*laid),
            **self.placement.names(),
        )
        self.placement.lay(layer, *laid)
        defer_slicing(layer)
        skip_blank_frames(layer, _is_blank)
        layer.events.visible.connect(lambda _event: self.say())  # also keeps this object alive
        self._viewer.add_layer(layer)
        return layer

    def say(self, _event: Any = None) -> None:
        """Say what there is to say about the frame in view."""
        viewer, words = self._viewer, ""
        if any(layer in viewer.layers and layer.visible for layer in self.layers) and shows_frames(viewer):
            words = self._words_about(frame_in_view(viewer, self._image))
        for name, value in (("text", words), ("visible", bool(words))):
            if getattr(self._words, name) != value:  # each change draws the canvas again
                setattr(self._words, name, value)

    def _on_removed(self, _event: Any) -> None:
        if any(layer in self._viewer.layers for layer in self.layers):
            self.say()
        else:
            self._viewer.canvas.overlays.pop(f"segcam_file_{id(self)}", None)


def _is_blank(values: Any) -> bool:
    return bool((values != values).all())  # NaN
