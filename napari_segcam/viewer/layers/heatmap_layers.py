"""The heatmaps' layers: one Image layer per stage, drawn from the results as they come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray

from napari_segcam.viewer.drawing.colormaps import COLORMAPS, heat_colormap, signed_colormap
from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.explanation.explanation import Heatmap

ScaleMode = Literal["frame", "clip"]
Later = Callable[[Callable[[], None]], None]
ReadHeatmap = Callable[[str, int], "Heatmap | None"]


class HeatmapLayers:
    """The heatmaps of one image.

    Args:
        viewer: that shows the image.
        placement: of the image.
        later: has something done once the window has had its turn. A layer takes napari a tenth of a second to add, so
            that they are made one at a time.

    Attributes:
        colormap: of all stages.
        opacity: of all stages, 0–1.
        floor: the share of the scale, 0–1, below which no stage draws anything.
        scale: whether each frame has its own scale, or all frames of a stage share one.
        by_hand: the stages whose contrast limits the user has set, which stay so until a scale is chosen.
        on_change: called when anything that is drawn has changed, and when all layers are made.
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
        self.colormap = COLORMAPS[0]
        self.opacity = 0.6
        self.floor = 0.0
        self.scale: ScaleMode = "clip"
        self.by_hand: set[str] = set()
        self._is_scaling = False
        self._with_bar: WeakSet[Image] = WeakSet()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def layers(self) -> dict[str, Image]:
        """Those that are in the viewer, by stage name, in the network's order."""
        return {name: self._layers[name] for name in self._stages if self._layers.get(name) in self._viewer.layers}

    @property
    def is_making(self) -> bool:
        """Whether layers are still to be made."""
        return self._is_making

    def begin(self, stages: Sequence[str], read: ReadHeatmap) -> None:
        """Draw other results from now on.

        Args:
            stages: of which there will be heatmaps, in the network's order; the layers of others are removed.
            read: gives the heatmap of a stage in a frame, or None as long as there is none.
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
        """Take note of a frame's heatmaps; their layers are made if these are the first, but one deleted stays so."""
        frames = (self._placement.lead() or (1,))[0]
        self._is_behind = True
        for name, heatmap in heatmaps.items():
            self._peaks.setdefault(name, np.full(frames, np.nan))[frame] = heatmap.peak
            layer = self._layers.get(name)
            if layer is not None and layer in self._viewer.layers and not _goes_with(layer, heatmap):
                self._viewer.layers.remove(layer)
                layer = None
            if layer is None:
                self._waiting[name] = heatmap
            elif not self._placement.lead():
                layer.data = heatmap.values
        if self._waiting and not self._is_making:
            self._is_making = True
            self._later(self._make_next)

    def set_scale(self, scale: ScaleMode) -> None:
        """Give each frame a scale of its own, or all frames of a stage one; limits set by hand are given up."""
        self.scale = scale
        self.by_hand.clear()
        self.rescale()
        self.on_change()

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame
        if self.scale == "frame":
            self.rescale()

    def refresh(self) -> None:
        """Draw anew what is seen."""
        self.rescale()
        for layer in self.layers.values():
            if layer.visible:
                layer.refresh(extent=False, thumbnail=False)

    def seen(self) -> int:
        """How many frames the clip's scale has taken into account so far."""
        return min((int(np.isfinite(peaks).sum()) for peaks in self._peaks.values()), default=0)

    def limits(self, stage: str) -> tuple[float, float] | None:
        """The values that a stage's colors run from and to in the frame in view; None where it is not computed."""
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
        """The share of its scale that a stage's heat reaches in the frame in view; None where there is no heat."""
        layer, peaks = self._layers.get(stage), self._peaks.get(stage)
        if layer is None or peaks is None or not np.nan_to_num(peaks[self._frame]) > 0:
            return None
        return float(peaks[self._frame] / max(layer.contrast_limits[1], np.finfo(np.float32).tiny))

    def show_bars(self, stages: Collection[str]) -> None:
        """Have a color bar for these stages alone, but for those that the user has taken away."""
        for name, layer in self.layers.items():
            is_wanted = name in stages
            if is_wanted and layer not in self._with_bar:
                self._with_bar.add(layer)
                layer.colorbar.visible = True
            elif not is_wanted and layer in self._with_bar and layer.colorbar.visible:
                self._with_bar.discard(layer)
                layer.colorbar.visible = False

    def catch_up(self) -> None:
        """Fit the clip's scale to what has been entered since it was last fitted; each change costs a redraw."""
        if self.scale == "clip" and self._is_behind:
            self.rescale()

    def rescale(self) -> None:
        """Fit the contrast limits of what is seen to the scale."""
        self._is_behind = False
        for name, layer in self.layers.items():
            if layer.visible:  # a hidden layer waits until it is shown, since each change costs a redraw
                self._apply_limits(name, layer)

    def restyle(self) -> None:
        """Give all layers the colors and the opacity."""
        for layer in self.layers.values():
            layer.opacity = self.opacity
            layer.colormap = self._colors(layer.metadata[OURS]["signed"])

    def _make_next(self) -> None:
        """Make one of the layers that are waited for: first the one that is looked at first."""
        if self._waiting:
            encoder = [name for name, heatmap in self._waiting.items() if heatmap.stage.kind == "encoder"]
            is_seen = any(layer.visible for layer in self.layers.values())
            name = next(iter(self._waiting)) if is_seen else (encoder or list(self._waiting))[-1]
            with without_gc_pause():
                self._make(self._waiting.pop(name), visible=not is_seen)
        self._is_making = bool(self._waiting)
        if self._is_making:
            self._later(self._make_next)
        else:
            self.on_change()

    def _make(self, heatmap: Heatmap, *, visible: bool) -> None:
        stage, place = heatmap.stage, self._placement
        layer = Image(
            self._data(stage.name, heatmap.values.shape) if place.lead() else heatmap.values,
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
                    "image": place.image.unique_id,
                    "stage": stage.name,
                    "signed": heatmap.signed,
                    "laid": (heatmap.scale, heatmap.translate),
                }
            },
            **place.transform(heatmap.scale, heatmap.translate),
            **place.names(),
        )
        place.lay(layer, heatmap.scale, heatmap.translate)
        defer_slicing(layer)
        skip_blank_frames(layer, lambda values: bool(np.isnan(values).all()))
        layer.events.visible.connect(self._on_visible)
        layer.events.opacity.connect(lambda _event: self.on_change())
        layer.events.contrast_limits.connect(lambda _event: self._on_limits(stage.name))
        self._layers[stage.name] = layer
        self._insert(stage.name, layer)
        self._on_visible()

    def _insert(self, name: str, layer: Image) -> None:
        """Above the image and the stages before this one, and below all else."""
        layers = self._viewer.layers
        present = self.layers
        below = [present[stage] for stage in self._stages[: self._stages.index(name)] if stage in present]
        below = below or [self._placement.image]
        selected = set(layers.selection)
        layers.insert(layers.index(below[-1]) + 1 if below[-1] in layers else len(layers), layer)
        layers.selection = selected & set(layers)  # adding a layer selects it

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


def _goes_with(layer: Image, heatmap: Heatmap) -> bool:
    """Whether a layer can show a heatmap: one of the same shape, kind and place."""
    mine = layer.metadata[OURS]
    return (
        heatmap.values.size == 1
        or (  # a single value stands for a stage that the target does not depend on
            layer.data.shape[-2:] == heatmap.values.shape
            and mine["signed"] == heatmap.signed
            and mine["laid"] == (heatmap.scale, heatmap.translate)
        )
    )
