"""The heatmap layers: one Image layer per stage, filled as results arrive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray

from napari_segcam.preferences.present import preferences
from napari_segcam.viewer.drawing.colormaps import heat_colormap, signed_colormap
from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

if TYPE_CHECKING:  # it imports torch, which the worker imports first
    from napari_segcam.explanation.explanation import Heatmap

ScaleMode = Literal["frame", "clip"]
Later = Callable[[Callable[[], None]], None]
ReadHeatmap = Callable[[str, int], "Heatmap | None"]


class HeatmapLayers:
    """The heatmap layers of one image.

    Args:
        viewer: that shows the image.
        placement: of the image.
        later: calls a function after the window has handled its events. Adding a layer takes napari a tenth of a
            second, so layers are added one at a time.

    Attributes:
        colormap: of all stages.
        opacity: of all stages, 0–1.
        floor: heat below this share of the scale, 0–1, is hidden in all stages.
        scale: whether each frame has its own color scale, or all frames of a stage share one.
        by_hand: the stages whose contrast limits the user has set; they stay until a scale is chosen.
        shown_first: the stages whose layers are visible when they are added; None for the deepest encoder stage.
        are_chosen: whether the user has shown or hidden a stage.
        on_change: called when something drawn has changed, and when all layers are added.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, later: Later) -> None:
        self._viewer = viewer
        self._later = later
        self._waiting: dict[str, Heatmap] = {}
        self._is_making = False
        self._placement = placement
        self._layers: dict[str, Image] = {}
        self._peaks: dict[str, NDArray[np.float64]] = {}
        self._read: ReadHeatmap = lambda _stage, _frame: None
        self._stages: tuple[str, ...] = ()
        self._frame = 0
        self._is_behind = False
        preferred = preferences()
        self.colormap = preferred.colormap
        self.opacity = preferred.opacity
        self.floor = preferred.heat_threshold
        self.scale: ScaleMode = "clip"
        self.by_hand: set[str] = set()
        self.shown_first: Collection[str] | None = None
        self.are_chosen = False
        self._is_scaling = False
        self._with_bar: WeakSet[Image] = WeakSet()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def layers(self) -> dict[str, Image]:
        """The layers that are in the viewer, by stage name, in the network's order."""
        return {name: self._layers[name] for name in self._stages if self._layers.get(name) in self._viewer.layers}

    @property
    def is_making(self) -> bool:
        """Whether layers are still to be added."""
        return self._is_making

    def begin(self, stages: Sequence[str], read: ReadHeatmap) -> None:
        """Prepare for other results.

        Args:
            stages: that get heatmaps, in the network's order; the layers of others are removed.
            read: returns the heatmap of a stage in a frame, or None while there is none.
        """
        for name in self.layers.keys() - set(stages):
            self._viewer.layers.remove(self._layers.pop(name))
        present = self.layers
        self._layers = {name: present[name] for name in stages if name in present}
        self._stages, self._read, self._peaks, self._waiting = tuple(stages), read, {}, {}
        self.by_hand &= present.keys()
        for name, layer in self._layers.items():
            layer.data = self._data(name, layer.data.shape[-2:])

    def enter(self, frame: int, heatmaps: Mapping[str, Heatmap]) -> None:
        """Take in a frame's heatmaps. The first of a stage adds its layer; a deleted layer does not come back."""
        frames = (self._placement.lead() or (1,))[0]
        self._is_behind = True
        for name, heatmap in heatmaps.items():
            self._peaks.setdefault(name, np.full(frames, np.nan))[frame] = heatmap.peak
            layer = self._layers.get(name)
            if layer is not None and layer in self._viewer.layers and not _can_show(layer, heatmap):
                self._viewer.layers.remove(layer)
                layer = None
            if layer is None:
                self._waiting[name] = heatmap
            elif not self._placement.lead():
                layer.data = heatmap.values
        if self._waiting and not self._is_making:
            self._is_making = True
            self._later(self._make_next)

    def stop(self) -> None:
        """Add none of the layers that are still to be added."""
        self._waiting.clear()

    def set_scale(self, scale: ScaleMode) -> None:
        """Scale colors to each frame, or to all frames of a stage; contrast limits set by hand are dropped."""
        self.scale = scale
        self.by_hand.clear()
        self.rescale()
        self.on_change()

    def look_at(self, frame: int) -> None:
        """Take note of the frame in view."""
        self._frame = frame
        if self.scale == "frame":
            self.rescale()

    def refresh(self) -> None:
        """Redraw the visible layers."""
        self.rescale()
        for layer in self.layers.values():
            if layer.visible:
                layer.refresh(extent=False, thumbnail=False)

    def seen(self) -> int:
        """Return how many frames the scale of all frames includes so far."""
        return min((int(np.isfinite(peaks).sum()) for peaks in self._peaks.values()), default=0)

    def limits(self, stage: str) -> tuple[float, float] | None:
        """Return the lowest and highest value of a stage's colors in the frame in view; None if it is not computed."""
        peaks = self._peaks.get(stage)
        if peaks is None or np.isnan(peaks).all():
            return None
        if stage in self.by_hand:
            low, high = self._layers[stage].contrast_limits
            return float(low), float(high)
        peak = float(peaks[self._frame] if self.scale == "frame" else np.nanmax(peaks))
        if np.isnan(peak):
            return None
        return (-(peak or 1.0) if self._layers[stage].metadata[OURS]["signed"] else 0.0, peak or 1.0)

    def reach(self, stage: str) -> float | None:
        """Return the share of its scale that a stage's heat reaches in the frame in view; None if there is no heat."""
        layer, peaks = self._layers.get(stage), self._peaks.get(stage)
        if layer is None or peaks is None or not np.nan_to_num(peaks[self._frame]) > 0:
            return None
        return float(peaks[self._frame] / max(layer.contrast_limits[1], np.finfo(np.float32).tiny))

    def show_bars(self, stages: Collection[str]) -> None:
        """Show color bars for these stages only, except for bars that the user has hidden."""
        for name, layer in self.layers.items():
            is_listed = name in stages
            if is_listed and layer not in self._with_bar:
                self._with_bar.add(layer)
                layer.colorbar.visible = True
            elif not is_listed and layer in self._with_bar and layer.colorbar.visible:
                self._with_bar.discard(layer)
                layer.colorbar.visible = False

    def catch_up(self) -> None:
        """Fit the scale of all frames to results that arrived since the last time; each change costs a redraw."""
        if self.scale == "clip" and self._is_behind:
            self.rescale()

    def rescale(self) -> None:
        """Fit the contrast limits of the visible layers to the scale."""
        self._is_behind = False
        for name, layer in self.layers.items():
            if layer.visible:  # a hidden layer waits until it is shown: each change costs a redraw
                self._apply_limits(name, layer)

    def restyle(self) -> None:
        """Apply colors and opacity to all layers."""
        for layer in self.layers.values():
            layer.opacity = self.opacity
            layer.colormap = self._colors(layer.metadata[OURS]["signed"])

    def _make_next(self) -> None:
        """Add one of the waiting layers: first the deepest encoder stage, shown until it is known which takes part."""
        if self._waiting:
            encoder = [name for name, heatmap in self._waiting.items() if heatmap.stage.kind == "encoder"]
            any_visible = any(layer.visible for layer in self.layers.values())
            name = next(iter(self._waiting)) if any_visible else (encoder or list(self._waiting))[-1]
            visible = not any_visible if self.shown_first is None else name in self.shown_first
            with without_gc_pause():
                self._make(self._waiting.pop(name), visible=visible)
        self._is_making = bool(self._waiting)
        if self._is_making:
            self._later(self._make_next)
        else:
            self.on_change()

    def _make(self, heatmap: Heatmap, *, visible: bool) -> None:
        stage, placement = heatmap.stage, self._placement
        layer = Image(
            self._data(stage.name, heatmap.values.shape) if placement.lead() else heatmap.values,
            name=f"{stage.name} (stride {stage.stride})",
            rgb=False,
            multiscale=False,
            colormap=self._colors(heatmap.signed),
            contrast_limits=(0, 1),
            opacity=self.opacity,
            blending="translucent_no_depth",
            interpolation2d="linear",
            visible=visible,
            metadata={
                OURS: {
                    "image": placement.image.unique_id,
                    "stage": stage.name,
                    "signed": heatmap.signed,
                    "laid": (heatmap.scale, heatmap.translate),
                }
            },
            **placement.transform(heatmap.scale, heatmap.translate),
            **placement.names(),
        )
        placement.lay(layer, heatmap.scale, heatmap.translate)
        defer_slicing(layer)
        skip_blank_frames(layer, lambda values: bool(np.isnan(values).all()))
        layer.events.visible.connect(self._on_visible)
        layer.events.opacity.connect(lambda _event: self.on_change())
        layer.events.contrast_limits.connect(lambda _event: self._on_limits(stage.name))
        self._layers[stage.name] = layer
        self._insert(stage.name, layer)
        self._on_visible()

    def _insert(self, name: str, layer: Image) -> None:
        """Insert a layer above the image and the stages before it, and below everything else."""
        layers = self._viewer.layers
        present = self.layers
        below = [present[stage] for stage in self._stages[: self._stages.index(name)] if stage in present]
        below = below or [self._placement.image]
        with keep_selection(layers):
            layers.insert(layers.index(below[-1]) + 1 if below[-1] in layers else len(layers), layer)

    def _on_visible(self) -> None:
        self.rescale()
        self.on_change()

    def _data(self, stage: str, shape: tuple[int, ...]) -> FrameStack | NDArray[np.float32]:
        lead, read = self._placement.lead(), self._read

        def values(frame: int) -> NDArray[np.float32] | None:
            heatmap = read(stage, frame)
            return None if heatmap is None else heatmap.values

        rows, columns = shape[-2:]
        return FrameStack(values, (lead[0], rows, columns)) if lead else np.full((rows, columns), np.nan, np.float32)

    def _colors(self, signed: bool) -> object:
        return signed_colormap(self.floor) if signed else heat_colormap(self.colormap, self.floor)

    def _apply_limits(self, stage: str, layer: Image) -> None:
        limits = self.limits(stage)
        if limits is not None and tuple(layer.contrast_limits) != limits:
            self._is_scaling = True
            layer.contrast_limits_range = limits
            layer.contrast_limits = limits
            self._is_scaling = False

    def _on_limits(self, stage: str) -> None:
        if not self._is_scaling:
            self.by_hand.add(stage)
            self.on_change()


def _can_show(layer: Image, heatmap: Heatmap) -> bool:
    """Return whether a layer can show a heatmap: same shape, sign and position."""
    properties = layer.metadata[OURS]
    return (
        heatmap.values.size == 1
        or (  # a single value means that the target does not depend on the stage
            layer.data.shape[-2:] == heatmap.values.shape
            and properties["signed"] == heatmap.signed
            and properties["laid"] == (heatmap.scale, heatmap.translate)
        )
    )
