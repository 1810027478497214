"""Layers: an explanation laid on the frame it explains, as one Labels layer and one Image layer per stage."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils import Colormap
from napari.utils.colormaps import DirectLabelColormap, ensure_colormap
from napari.utils.transforms import Affine

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.explanation.explanation import Explanation, Heatmap

OURS = "segcam"  # the metadata key by which our layers are known, whatever they are named
COLORMAPS = ("turbo", "inferno", "magma", "viridis", "hot", "gray")
_CLASS_COLOURS = ("#00e5ff", "#ffd500", "#ff4fd8", "#7dff5a", "#ff7a33", "#9d8cff")


def is_ours(layer: Layer) -> bool:
    """Whether this plugin made the layer."""
    return OURS in layer.metadata


def frame_count(image: Image) -> int | None:
    """How many frames a cine layer has; None for a still."""
    return int(image.data.shape[0]) if image.ndim == 3 else None


class ExplanationLayers:
    """The layers of one image: made when first needed, filled frame by frame, used again by later runs.

    Attributes:
        image: the layer that is explained.
        colormap: of all heatmaps.
        opacity: of all heatmaps, 0–1.
        only_label: the only label that the mask shows; None for all.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self.image = image
        self.colormap = COLORMAPS[0]
        self.opacity = 0.6
        self.only_label: int | None = None
        self._settings: Hashable = None

    @property
    def mask(self) -> Labels | None:
        """The mask's layer, while it is in the viewer."""
        return next((layer for layer in self._ours() if isinstance(layer, Labels)), None)

    @property
    def heatmaps(self) -> dict[str, Image]:
        """The heatmaps' layers that are in the viewer, by stage name."""
        return {layer.metadata[OURS]["stage"]: layer for layer in self._ours() if isinstance(layer, Image)}

    def begin(self, stages: Sequence[str] | None, settings: Hashable) -> None:
        """Make ready for a run: whatever was made with other settings is cleared, so that nothing stale is shown.

        Args:
            stages: names of the heatmaps to come, the others are removed; None for a run that makes only a mask.
            settings: what the results depend on besides the frame.
        """
        for name, layer in self.heatmaps.items():
            if stages is not None and name not in stages:
                self._viewer.layers.remove(layer)
        self._settings = settings
        for layer in self._ours():
            mine = layer.metadata[OURS]
            if (stages is not None or isinstance(layer, Labels)) and mine["settings"] != settings:
                layer.data[...] = 0 if isinstance(layer, Labels) else np.nan
                mine |= {"settings": settings, "peak": 0.0, "reasons": {}}
                layer.refresh(extent=False)

    def show(self, explanation: Explanation, frame: int | None) -> None:
        """Put an explanation into the layers.

        Args:
            explanation: of this image, or of one of its frames.
            frame: its number in a cine; None for a still.
        """
        selected = set(self._viewer.layers.selection)
        for heatmap in explanation.heatmaps.values():
            self._show_heatmap(heatmap, frame)
        self._show_mask(explanation, frame)
        self._reveal_deepest_encoder_stage(explanation)
        self._viewer.layers.selection = selected & set(self._viewer.layers)  # adding layers selected them

    def set_opacity(self, opacity: float) -> None:
        """For all stages at once, and for those to come."""
        self.opacity = opacity
        for layer in self.heatmaps.values():
            layer.opacity = opacity

    def set_colormap(self, name: str) -> None:
        """For all stages at once, and for those to come."""
        self.colormap = name
        for layer in self.heatmaps.values():
            if not layer.metadata[OURS]["signed"]:
                layer.colormap = fading_colormap(name)

    def _described(self) -> dict[str, Any]:
        return {"image": self.image.unique_id, "settings": self._settings, "peak": 0.0, "reasons": {}}

    def _ours(self) -> list[Layer]:
        return [
            layer
            for layer in self._viewer.layers
            if is_ours(layer) and layer.metadata[OURS]["image"] == self.image.unique_id
        ]

    def _show_mask(self, explanation: Explanation, frame: int | None) -> None:
        layer = self.mask
        if layer is None:
            layer = self._viewer.add_labels(
                np.zeros(self._lead() + explanation.mask.shape, np.uint8),
                name=f"{self.image.name} mask",
                colormap=_class_colormap(len(explanation.class_names)),
                metadata={OURS: self._described()},
                **self._laid((1, 1), (0, 0)),
            )
            layer.contour = 2  # the outline alone, so that heat and speckle stay visible
        labels = explanation.mask
        if self.only_label is not None:
            labels = np.where(labels == self.only_label, labels, 0)
        layer.data[... if frame is None else frame] = labels
        _refresh(layer)

    def _show_heatmap(self, heatmap: Heatmap, frame: int | None) -> None:
        name = heatmap.stage.name
        layer = self.heatmaps.get(name)
        is_other = layer is not None and layer.metadata[OURS]["signed"] != heatmap.signed
        if layer is not None and (is_other or layer.data.shape[-2:] != heatmap.values.shape):
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            layer = self._add_heatmap(heatmap)
        layer.data[... if frame is None else frame] = heatmap.values
        mine = layer.metadata[OURS]
        mine["peak"] = max(mine["peak"], float(np.abs(heatmap.values).max()))
        mine["reasons"][frame or 0] = heatmap.reason.value if heatmap.reason else None
        if layer.visible:
            _apply_limits(layer)
        _refresh(layer)

    def _add_heatmap(self, heatmap: Heatmap) -> Image:
        stage = heatmap.stage
        layer = self._viewer.add_image(
            # Not a number is drawn as nothing: not computed yet.
            np.full(self._lead() + heatmap.values.shape, np.nan, np.float32),
            name=f"{stage.name} (stride {stage.stride})",
            rgb=False,
            colormap=signed_colormap() if heatmap.signed else fading_colormap(self.colormap),
            contrast_limits=(0, 1),
            opacity=self.opacity,
            blending="translucent_no_depth",
            interpolation2d="linear",
            visible=False,
            metadata={OURS: {**self._described(), "stage": stage.name, "signed": heatmap.signed}},
            **self._laid(heatmap.scale, heatmap.translate),
        )
        layer.colorbar.visible = True
        layer.events.visible.connect(lambda: _apply_limits(layer))
        if (mask := self.mask) is not None:  # outlines stay above the heat
            layers = self._viewer.layers
            layers.move(layers.index(mask), len(layers))
        return layer

    def _reveal_deepest_encoder_stage(self, explanation: Explanation) -> None:
        """Show one stage, unless the user is already looking at one."""
        layers = self.heatmaps
        if any(layer.visible for layer in layers.values()):
            return
        kinds = {name: heatmap.stage.kind for name, heatmap in explanation.heatmaps.items()}
        best = [name for name, kind in kinds.items() if kind == "encoder"] or list(kinds)
        if best:
            layers[best[-1]].visible = True

    def _lead(self) -> tuple[int, ...]:
        count = frame_count(self.image)
        return () if count is None else (count,)

    def _laid(self, scale: tuple[float, float], translate: tuple[float, float]) -> dict[str, Any]:
        """How a layer lies in the world whose pixels lie so in the frame's."""
        image = self.image
        lead = image.ndim - 2
        to_world = Affine(scale=image.scale, rotate=image.rotate, shear=image.shear, translate=image.translate)
        return {
            "scale": np.asarray(image.scale) * ((1.0,) * lead + tuple(scale)),
            "translate": to_world(np.array((0.0,) * lead + tuple(translate))),
            "rotate": image.rotate,
            "shear": image.shear,
            "affine": image.affine,
            "units": image.units,
            "axis_labels": image.axis_labels,
        }


@lru_cache
def fading_colormap(name: str) -> Colormap:
    """A colormap whose low end is transparent, so that no veil lies over the speckle where there is no heat."""
    at = np.linspace(0, 1, 256)
    colours = np.array(ensure_colormap(name).map(at))
    colours[:, 3] = np.clip(at / 0.5, 0, 1)
    return Colormap(colours, name=f"segcam {name}", display_name=f"{name}, fading")


@lru_cache
def signed_colormap() -> Colormap:
    """Blue for evidence against the target, red for evidence for it, transparent for none."""
    at = np.linspace(-1, 1, 256)
    against, for_it = np.array([0.13, 0.4, 0.85, 1.0]), np.array([0.85, 0.1, 0.1, 1.0])
    colours = np.where(at[:, None] < 0, against, for_it)
    colours[:, 3] = np.clip(np.abs(at) / 0.5, 0, 1)
    return Colormap(colours, name="segcam signed", display_name="against – for")


def _class_colormap(classes: int) -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for label in range(1, max(2, classes)):
        colours[label] = _CLASS_COLOURS[(label - 1) % len(_CLASS_COLOURS)]
    return DirectLabelColormap(color_dict=colours)


def _apply_limits(layer: Image) -> None:
    """Scale to the peak so far; a hidden layer waits until it is shown, since each change costs a redraw."""
    mine = layer.metadata[OURS]
    peak = mine["peak"] or 1.0
    limits = (-peak if mine["signed"] else 0.0, peak)
    if tuple(layer.contrast_limits) != limits:
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits


def _refresh(layer: Layer) -> None:
    if layer.visible:
        layer.refresh(extent=False, thumbnail=False)
