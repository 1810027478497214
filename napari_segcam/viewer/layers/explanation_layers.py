"""Layers: explanations laid on the image they explain, as Labels layers and one Image layer per stage."""

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

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.explanation.explanation import Heatmap


class ExplanationLayers:
    """The layers of one image: made when first needed, filled frame by frame, used again by later runs.

    Args:
        viewer: that shows the image.
        image: the layer that is explained.
        later: has something done once the window has had its turn; by default it is done at once.

    Attributes:
        image: the layer that is explained.
        heat: the heatmaps' layers.
        explained_region: the outline of what they explain, where no other shows it.
        on_mask_shown: called when what is shown of a mask's layer has changed.
        on_corrected: called with the frames whose correction has changed.
        on_taken_out: called with corrections that are kept, but whose layer the user has removed.
        label_names: gives what the network at hand calls the labels of a mask of all classes.
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
        self._pairs: dict[str, MaskPair] = {}  # those that were ever made: a correction outlives its network
        self._frame = 0
        self._colors: tuple[str, ...] = ()
        self._explained = ""
        self._shown: tuple[str, ...] = ("",)
        self.arrange(("",), "")

    def arrange(self, names: Sequence[str], explained: str) -> None:
        """Have a mask for each of these, and no others; corrections stay, whatever they are of.

        Args:
            names: of classes that overlap; ``("",)`` for one mask of all classes.
            explained: which of them the heatmaps are of.
        """
        for name in names:
            if name not in self._pairs:
                self._pairs[name] = self._made(name)
        for name in set(self._shown) - set(names):
            self._pairs[name].mask.remove()
        self._shown, self._explained = tuple(names), explained
        self.color(self._colors)

    @property
    def shown(self) -> list[MaskPair]:
        """The masks that the network at hand predicts, each with its corrections."""
        return [self._pairs[name] for name in self._shown]

    @property
    def pairs(self) -> list[MaskPair]:
        """The same, and those that hold corrections from other networks."""
        return list(self._pairs.values())

    @property
    def masks(self) -> MaskLayer:
        """The mask that has the explained class."""
        return self._pairs[self._explained].mask

    @property
    def corrections(self) -> CorrectionLayer:
        """What the reader has painted of that."""
        return self._pairs[self._explained].corrections

    @property
    def mask(self) -> Labels | None:
        """The layer of the mask that has the explained class, while it is in the viewer."""
        return self.masks.layer

    @property
    def mask_layers(self) -> list[Labels]:
        """The layers of all masks, as far as they are in the viewer."""
        return [layer for pair in self.shown if (layer := pair.mask.layer) is not None]

    @property
    def corrected(self) -> set[int]:
        """The frames that the reader has corrected, of whatever class."""
        return {frame for pair in self.pairs for frame in pair.corrections.frames}

    def discard(self, frame: int) -> None:
        """Forget all corrections of a frame."""
        for pair in self.pairs:
            pair.corrections.discard(frame)

    @property
    def size(self) -> int:
        """In bytes, what the Labels layers take when every frame has been drawn in."""
        return sum(pair.mask.size + pair.corrections.size for pair in self.pairs)

    @property
    def heatmaps(self) -> dict[str, Image]:
        """The heatmaps' layers that are in the viewer, by stage name, in the network's order."""
        return self.heat.layers

    def color(self, colors: Sequence[str]) -> None:
        """Draw the classes in these colors, one per output channel; none for the usual ones."""
        self._colors = tuple(colors)
        each = class_colors(len(self._shown), self._colors, overlap=True) if self._explained else ()
        for at, pair in enumerate(self.shown):
            pair.mask.color([each[at]] if each else self._colors)
            pair.corrections.color(pair.mask.classes, pair.mask.colors)

    def show_only(self, label: int | None) -> None:
        """Show one class, or all.

        Args:
            label: of the class in a mask of all; of classes that overlap, the place of its mask, from 1.
        """
        for at, pair in enumerate(self.shown, start=1):
            pair.mask.show_only((None if label in (None, at) else 0) if self._explained else label)

    def erase(self, frame: int) -> None:
        """Forget what was predicted for a frame."""
        for pair in self.shown:
            pair.mask.erase(frame)

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame
        self.heat.look_at(frame)
        for pair in self.pairs:
            pair.look_at(frame)

    def begin(self, stages: Sequence[str] | None, read: ReadHeatmap) -> None:
        """Make ready for a run.

        Args:
            stages: names of the heatmaps to come, the others are removed; None leaves the heatmaps as they are.
            read: gives the heatmap of a stage in a frame, or None as long as there is none.
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
        """Take in what a frame has given, a mask for each that is arranged; it is drawn with the next refresh."""
        self.heat.enter(frame, heatmaps)
        for pair, mask in zip(self.shown, masks, strict=True):
            pair.mask.show(frame, mask, frame_shape, 1 if self._explained else classes)

    def refresh(self) -> None:
        """Draw anew what is seen."""
        self.heat.refresh()
        for pair in self.shown:
            pair.mask.refresh()

    def style(self, colormap: str, opacity: float, floor: float) -> None:
        """Draw all stages, and those to come, in these colors; the heatmaps stay as they are.

        Args:
            colormap: one of ``COLORMAPS``.
            opacity: 0–1.
            floor: the share of the scale, 0–1, below which nothing is drawn.
        """
        self.heat.colormap, self.heat.opacity, self.heat.floor = colormap, opacity, floor
        self.heat.restyle()

    def set_scale(self, scale: ScaleMode) -> None:
        """Give each frame a scale of its own, or all frames of a stage one."""
        self.heat.set_scale(scale)

    def _made(self, name: str) -> MaskPair:
        pair = MaskPair(self._viewer, self._placement, self._later, name)
        pair.mask.on_shown = lambda: self.on_mask_shown()
        pair.corrections.on_change = lambda frames: self.on_corrected(frames)
        pair.corrections.on_taken_out = lambda: self.on_taken_out(pair.corrections)
        pair.corrections.names = (lambda: {1: name}) if name else (lambda: self.label_names())
        pair.look_at(self._frame)
        return pair
