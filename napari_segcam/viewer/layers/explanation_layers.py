"""The layers of one image: its masks as Labels layers, and one heatmap per stage as Image layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_segcam.viewer.drawing.colormaps import class_colors
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.explained_region import ExplainedRegion
from napari_segcam.viewer.layers.heatmap_layers import HeatmapLayers, Later, ReadHeatmap, ScaleMode
from napari_segcam.viewer.layers.mask_layer import MaskLayer
from napari_segcam.viewer.layers.mask_pair import MaskPair
from napari_segcam.viewer.layers.placement import Placement

if TYPE_CHECKING:  # it imports torch, which the worker imports first
    from napari_segcam.explanation.explanation import Heatmap


class ExplanationLayers:
    """The layers of one image: added when first needed, filled frame by frame, reused by later runs.

    Args:
        viewer: that shows the image.
        image: the layer that is explained.
        later: calls a function after the window has handled its events; by default it calls it at once.

    Attributes:
        image: the layer that is explained.
        heat: the layers of the heatmaps.
        explained_region: the outline of the region they explain, if no other outline shows it.
        on_mask_shown: called when what a mask layer shows has changed.
        on_corrected: called with the frames whose correction has changed.
        on_taken_out: called with corrections that are kept, but whose layer the user has removed.
        label_names: returns the names of the labels in a mask of all classes, by the present network.
    """

    def __init__(self, viewer: ViewerModel, image: Image, later: Later = lambda act: act()) -> None:
        self.image = image
        self._viewer = viewer
        self._placement = Placement(image)
        self._later = later
        self.heat = HeatmapLayers(viewer, self._placement, later)
        self.explained_region = ExplainedRegion(viewer, self._placement)
        self.explained_region.on_shown = lambda: self.on_mask_shown()
        self.on_mask_shown: Callable[[], None] = lambda: None
        self.on_corrected: Callable[[Collection[int]], None] = lambda _frames: None
        self.on_taken_out: Callable[[CorrectionLayer], None] = lambda _corrections: None
        self.label_names: Callable[[], Mapping[int, str]] = dict
        self._pairs: dict[str, MaskPair] = {}  # never removed: a correction outlives its network
        self._frame = 0
        self._colors: tuple[str, ...] = ()
        self._explained = ""
        self._shown: tuple[str, ...] = ("",)
        self._has_ended = False
        self.arrange(("",), "")

    def let_go(self) -> None:
        """Add no more layers and draw nothing more, since the image is gone; layers that are there stay."""
        self._has_ended = True
        self.heat.stop()
        self.explained_region.let_go()

    def arrange(self, names: Sequence[str], explained: str) -> None:
        """Have one mask for each of these names, and no others; all corrections stay.

        Args:
            names: of classes that overlap; ``("",)`` for one mask of all classes.
            explained: the name whose mask has the explained class.
        """
        for name in names:
            self.pair(name)
        for name in set(self._shown) - set(names):
            self._pairs[name].mask.remove()
        self._shown, self._explained = tuple(names), explained
        self.color(self._colors)

    def pair(self, name: str) -> MaskPair:
        """Return the mask of this name with its corrections; it is made if it is missing."""
        if name not in self._pairs:
            self._pairs[name] = self._new_pair(name)
        return self._pairs[name]

    @property
    def shown(self) -> list[MaskPair]:
        """The masks that the present network predicts, each with its corrections."""
        return [self._pairs[name] for name in self._shown]

    @property
    def pairs(self) -> list[MaskPair]:
        """All masks, including those that only hold corrections made with other networks."""
        return list(self._pairs.values())

    @property
    def masks(self) -> MaskLayer:
        """The mask with the explained class."""
        return self._pairs[self._explained].mask

    @property
    def corrections(self) -> CorrectionLayer:
        """The corrections of that mask."""
        return self._pairs[self._explained].corrections

    @property
    def mask(self) -> Labels | None:
        """The layer of the mask with the explained class, while it is in the viewer."""
        return self.masks.layer

    @property
    def mask_layers(self) -> list[Labels]:
        """The layers of all masks that are in the viewer."""
        return [layer for pair in self.shown if (layer := pair.mask.layer) is not None]

    @property
    def corrected(self) -> set[int]:
        """The frames that the reader has corrected, in any class."""
        return {frame for pair in self.pairs for frame in pair.corrections.frames}

    def discard(self, frame: int) -> None:
        """Discard all corrections of a frame."""
        for pair in self.pairs:
            pair.corrections.discard(frame)

    @property
    def size(self) -> int:
        """Memory of the Labels layers in bytes if every frame is painted in."""
        return sum(pair.mask.size + pair.corrections.size for pair in self.pairs)

    @property
    def heatmaps(self) -> dict[str, Image]:
        """The heatmap layers that are in the viewer, by stage name, in the network's order."""
        return self.heat.layers

    def color(self, colors: Sequence[str]) -> None:
        """Set the colors of the classes, one per output channel; empty for the default colors."""
        self._colors = tuple(colors)
        mask_colors = class_colors(len(self._shown), self._colors, overlap=True) if self._explained else ()
        for index, pair in enumerate(self.shown):
            pair.mask.color([mask_colors[index]] if mask_colors else self._colors)
            pair.corrections.color(pair.mask.classes, pair.mask.colors)

    def show_only(self, label: int | None) -> None:
        """Show one class, or all.

        Args:
            label: of the class in a mask of all classes; for classes that overlap, the number of its mask, from 1;
                None for all.
        """
        for number, pair in enumerate(self.shown, start=1):
            pair.mask.show_only((None if label in (None, number) else 0) if self._explained else label)

    def erase(self, frame: int) -> None:
        """Forget the predicted masks of a frame."""
        for pair in self.shown:
            pair.mask.erase(frame)

    def look_at(self, frame: int) -> None:
        """Take note of the frame in view."""
        self._frame = frame
        self.heat.look_at(frame)
        for pair in self.pairs:
            pair.look_at(frame)

    def begin(self, stages: Sequence[str] | None, read: ReadHeatmap) -> None:
        """Prepare for a run.

        Args:
            stages: that get heatmaps, the others are removed; None leaves the heatmaps as they are.
            read: returns the heatmap of a stage in a frame, or None while there is none.
        """
        for pair in self.shown:
            pair.mask.begin()
        if stages is not None:
            self.heat.begin(stages, read)
            self.explained_region.begin()

    def enter(
        self,
        frame: int,
        masks: Sequence[SparseMask],
        frame_shape: tuple[int, int],
        classes: int,
        heatmaps: Mapping[str, Heatmap],
    ) -> None:
        """Take in the results of a frame, one mask per arranged name; the next refresh draws them."""
        if self._has_ended:
            return
        self.heat.enter(frame, heatmaps)
        for pair, mask in zip(self.shown, masks, strict=True):
            pair.mask.show(frame, mask, frame_shape, 1 if self._explained else classes)

    def refresh(self) -> None:
        """Redraw the visible layers."""
        self.heat.refresh()
        for pair in self.shown:
            pair.mask.refresh()

    def style(self, colormap: str, opacity: float, floor: float) -> None:
        """Set colors and opacity of all stages, present and later; the heatmaps do not change.

        Args:
            colormap: one of ``COLORMAPS``.
            opacity: 0–1.
            floor: heat below this share of the scale, 0–1, is hidden.
        """
        self.heat.colormap, self.heat.opacity, self.heat.floor = colormap, opacity, floor
        self.heat.restyle()

    def set_scale(self, scale: ScaleMode) -> None:
        """Scale colors to each frame, or to all frames of a stage."""
        self.heat.set_scale(scale)

    def _new_pair(self, name: str) -> MaskPair:
        pair = MaskPair(self._viewer, self._placement, self._later, name)
        pair.mask.on_shown = lambda: self.on_mask_shown()
        pair.corrections.on_change = lambda frames: self.on_corrected(frames)
        pair.corrections.on_taken_out = lambda: self.on_taken_out(pair.corrections)
        pair.corrections.names = (lambda: {1: name}) if name else (lambda: self.label_names())
        pair.look_at(self._frame)
        return pair
