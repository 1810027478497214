"""The correction layer: masks as the reader has painted them, independent of the network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_segcam.viewer.drawing.colormaps import correction_colormap
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.layers.labels_on_image import add_labels, frame_of, on_painted
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.napari_internals.strokes import forget_strokes

_BLANK = SparseMask.from_labels(np.zeros((1, 1), np.uint8))


@dataclass(frozen=True, eq=False)
class KeptCorrection:
    """A correction as a review project keeps it.

    Attributes:
        mask: as the reader has painted it.
        frame_shape: rows and columns of the frame.
        started_from: the predicted mask that it began with; None if there was none.
        names: of the labels.
    """

    mask: SparseMask
    frame_shape: tuple[int, int]
    started_from: SparseMask | None = None
    names: Mapping[int, str] = field(default_factory=dict)


class CorrectionLayer:
    """The Labels layer of one image's corrections, added with the first one.

    A correction starts as the predicted mask of the frame, and counts as long as it differs from that mask. A network
    never writes into it or removes it.

    Args:
        viewer: that shows the image.
        placement: of the image.
        of_class: the name of the class, if classes may overlap; empty for a mask of all classes.

    Attributes:
        of_class: as above.
        frames: the corrected frames.
        unsaved: the corrected frames that have not been written to a file since they were painted.
        label_names: the names of the labels when they were painted, by frame.
        on_taken_out: called when the user removes the layer; the corrections are still kept.
        on_change: called with the frames whose correction has changed; with none when the layer is added or removed.
        predicted: returns the predicted mask of a frame, or None.
        names: returns the names of the present network's labels.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, of_class: str = "") -> None:
        self._viewer = viewer
        self._placement = placement
        self.of_class = of_class
        self._layer: Labels | None = None
        self._start: dict[int, SparseMask] = {}  # the predicted mask each correction started from
        self._last_seen: dict[int, SparseMask] = {}  # the pixels at the last check
        self._step: tuple[int, ...] = ()
        self._is_busy = False
        self._frame = 0
        self._classes = 1
        self._colors: tuple[str, ...] = ()
        self.frames: set[int] = set()
        self.unsaved: set[int] = set()
        self.label_names: dict[int, Mapping[int, str]] = {}
        self.on_change: Callable[[Collection[int]], None] = lambda _frames: None
        self.on_taken_out: Callable[[], None] = lambda: None
        self.predicted: Callable[[int], SparseMask | None] = lambda _frame: None
        self.names: Callable[[], Mapping[int, str]] = dict
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def title(self) -> str:
        """The name of the image, followed by that of the class if there is one."""
        return " ".join(part for part in (self._placement.image.name, self.of_class) if part)

    @property
    def frame_word(self) -> str:
        """What a frame of the image is called: "frame", or "image" in a folder of stills."""
        return frame_word(self._placement.image)

    @property
    def is_cine(self) -> bool:
        """Whether the image has several frames."""
        return bool(self._placement.lead())

    @property
    def is_taken_out(self) -> bool:
        """Whether the user has removed the layer while there are corrections."""
        return bool(self.frames) and self.layer is None

    @property
    def size(self) -> int:
        """Memory of the layer in bytes if every frame is painted in."""
        return 0 if self._layer is None else int(self._layer.data.nbytes)

    def pixels(self, frame: int) -> NDArray[np.uint8] | None:
        """Return the labels ``(Y, X)`` of a correction; None if the frame is not corrected."""
        if frame not in self.frames or self._layer is None:
            return None
        return frame_of(self._layer, frame)

    def seen(self, frame: int) -> SparseMask | None:
        """Return the correction within its bounding box; None if the frame is not corrected."""
        return self._last_seen.get(frame) if frame in self.frames else None

    def started_from(self, frame: int) -> SparseMask | None:
        """Return the predicted mask that a correction began with; None if there was none."""
        start = self._start.get(frame)
        return None if start is None or (start.is_blank and self.predicted(frame) is None) else start

    def color(self, classes: int, colors: Sequence[str]) -> None:
        """Set the colors that match these colors of the mask."""
        self._classes, self._colors = classes, tuple(colors)
        if self._layer is not None:
            highest = max([classes - 1, *(int(frame_of(self._layer, frame).max()) for frame in self.frames)])
            self._layer.colormap = self._colormap(max(classes, highest + 1 if highest > 1 else 1))

    def look_at(self, frame: int) -> None:
        """Take note of the frame in view."""
        self._frame = frame
        self._tidy()

    # Painting

    def take_stroke(
        self, frame: int, predicted: SparseMask, is_painted: NDArray[np.bool_], labels: NDArray[np.uint8]
    ) -> None:
        """Add what the reader has painted over the predicted mask, as one stroke that can be undone.

        Args:
            frame: its number.
            predicted: the mask that a new correction starts with.
            is_painted: ``(Y, X)`` where the reader has painted.
            labels: ``(N,)``, the labels of the painted pixels.
        """
        layer = self._ensure_layer(is_painted.shape)
        if frame not in self._start:
            self._begin(layer, frame, predicted)
        indices = np.nonzero(is_painted)
        layer.data_setitem((np.full(len(labels), frame), *indices) if self._placement.lead() else indices, labels)
        self._check({frame})
        if self.layer is None:
            self.bring_back()

    def begin_drawing(self, frame_shape: tuple[int, int]) -> Labels:
        """Return the layer to draw in, added where it is not there; a frame starts from what is predicted, if anything.

        Args:
            frame_shape: rows and columns.
        """
        layer = self._ensure_layer(frame_shape)
        self.bring_back()
        return layer

    def restore(self, kept: Mapping[int, KeptCorrection]) -> None:
        """Show corrections that were kept, in place of those of the same frames, with nothing to undo.

        Args:
            kept: by frame; those whose size is not that of the image are left out.
        """
        layer = None
        for frame, correction in kept.items():
            layer = layer or self._ensure_layer(correction.frame_shape)
            pixels = frame_of(layer, frame)
            if pixels.shape != correction.frame_shape:
                continue
            pixels[...] = 0
            correction.mask.paint(pixels)
            self._start[frame], self._last_seen[frame] = correction.started_from or _BLANK, correction.mask
            self.label_names[frame] = dict(correction.names)
            self.frames.add(frame)
        if layer is not None:
            forget_strokes(layer)
            self.color(self._classes, self._colors)
            layer.refresh(extent=False)
            self.on_change(list(kept))

    def end(self) -> None:
        """Forget all corrections, which are kept elsewhere: the layer is about to be removed."""
        self.on_change, self.on_taken_out = lambda _frames: None, lambda: None
        self.frames.clear()
        self.unsaved.clear()

    def discard(self, frame: int) -> None:
        """Discard the correction of a frame."""
        if frame in self._start and self._layer is not None:
            self._end(self._layer, frame)
            forget_strokes(self._layer)
            self._layer.refresh(extent=False)
            self.on_change([frame])

    def bring_back(self) -> None:
        """Add the layer that the user has removed to the viewer again."""
        if self._layer is not None and self.layer is None:
            self._viewer.add_layer(self._layer)
            self.on_change([])

    def drop(self) -> None:
        """Discard all corrections."""
        frames = list(self._start)
        if self._layer is not None:
            for frame in frames:
                self._end(self._layer, frame)
            forget_strokes(self._layer)
            self._layer.refresh(extent=False)
        self.on_change(frames)

    def let_go(self) -> None:
        """Leave the layer to the user as a layer of their own, after its image was removed."""
        if self._layer is not None:
            self._tidy()
            self._layer.metadata.pop(OURS, None)

    def taken(self, frames: Iterable[int]) -> dict[int, tuple[NDArray[np.uint8], Mapping[int, str]]]:
        """Return copies of the corrections of these frames, with the names of their labels."""
        labels = {frame: self.pixels(frame) for frame in frames}
        return {
            frame: (pixels.copy(), dict(self.label_names[frame]))
            for frame, pixels in labels.items()
            if pixels is not None
        }

    def mark_saved(self, written: Mapping[int, NDArray[np.uint8]]) -> None:
        """Note that these corrections are on disk, except for those that have changed since."""
        for frame, labels in written.items():
            pixels = self.pixels(frame)
            if pixels is not None and np.array_equal(labels, pixels):
                self.unsaved.discard(frame)

    def label_of(self, frame: int, label: int) -> int | None:
        """Return the label of a correction for the class that the present network calls ``label``; None if it has none.

        Labels are matched by name, unless both sides have a single class.
        """
        names, network_names = self.label_names.get(frame, {}), self.names()
        if len(names) <= 1 and len(network_names) <= 1:
            return label
        return next((own_label for own_label, name in names.items() if name == network_names.get(label)), None)

    def _ensure_layer(self, frame_shape: tuple[int, ...]) -> Labels:
        if self._layer is None:
            rows, columns = frame_shape[0], frame_shape[1]
            name = f"{self.title} correction"
            colormap = self._colormap(self._classes)
            self._layer = add_labels(
                self._viewer,
                self._placement,
                (rows, columns),
                name,
                colormap,
                lambda: self.on_change([]),
                by_reader=True,
            )
            on_painted(self._layer, self._on_painted)
        return self._layer

    def _colormap(self, classes: int) -> DirectLabelColormap:
        return correction_colormap(classes, self._colors, one_of_several=bool(self.of_class))

    def _begin(self, layer: Labels, frame: int, predicted: SparseMask) -> None:
        pixels = frame_of(layer, frame)
        is_blank = pixels == 0
        mask = np.zeros_like(pixels)
        predicted.paint(mask)
        pixels[is_blank] = mask[is_blank]
        self._start[frame] = self._last_seen[frame] = predicted
        self.label_names[frame] = dict(self.names())

    def _end(self, layer: Labels, frame: int) -> None:
        frame_of(layer, frame)[...] = 0
        for frames in (self.frames, self.unsaved):
            frames.discard(frame)
        for by_frame in (self._start, self._last_seen, self.label_names):
            by_frame.pop(frame, None)

    def _on_painted(self, frames: set[int] | None) -> None:
        if self._layer is None or self._is_busy:
            return
        step = tuple(self._viewer.dims.current_step)
        has_moved, self._step = step != self._step, step
        if frames is None:
            frames = set(range((self._placement.lead() or (1,))[0]))
        elif not has_moved:  # an undo can change frames that are not in view
            frames = frames | self._start.keys()
        self._check(frames | {self._frame})

    def _check(self, frames: set[int]) -> None:
        """Find out what was painted, and which frames are corrected now."""
        layer = self._layer
        assert layer is not None
        self._is_busy = True
        changed = [frame for frame in frames if self._update(layer, frame)]
        self._is_busy = False
        if changed:
            self.on_change(changed)

    def _update(self, layer: Labels, frame: int) -> bool:
        """Take in the pixels of a frame; return whether they have changed."""
        pixels = frame_of(layer, frame)
        if self._last_seen.get(frame, _BLANK).is_in(pixels):
            return False
        if frame not in self._start:
            self._begin(layer, frame, self.predicted(frame) or _BLANK)
            layer.refresh(extent=False, thumbnail=False)
        self._last_seen[frame] = SparseMask.from_labels(pixels)
        is_corrected = not self._start[frame].is_in(pixels)
        for frames in (self.frames, self.unsaved):
            (frames.add if is_corrected else frames.discard)(frame)
        return True

    def _tidy(self) -> None:
        """Clear the predicted mask from frames whose correction was undone."""
        undone = [frame for frame in self._start if frame not in self.frames]
        if undone and self._layer is not None:
            for frame in undone:
                self._end(self._layer, frame)
            forget_strokes(self._layer)  # a redo would start from a blank mask

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer and self._layer is not None:
            self.on_change([])
            if self.frames:
                self.on_taken_out()
