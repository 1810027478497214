"""The correction's layer: masks as the reader has painted them, whatever network is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_segcam.viewer.drawing.colormaps import correction_colormap
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.labels_on_image import add_labels, frame_of, on_painted
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.napari_internals.strokes import forget_strokes

_NOTHING = SparseMask.from_labels(np.zeros((1, 1), np.uint8))


class CorrectionLayer:
    """The Labels layer of one image's corrections, made with the first of them: of all classes, or of one that may
    overlap others.

    A correction begins as what was predicted for the frame, and is one as long as it differs from that. No network's
    results are ever written into it, and none takes anything from it.

    Args:
        viewer: that shows the image.
        placement: of the image.
        of_class: as of the mask's layer.

    Attributes:
        of_class: as above.
        frames: those that are corrected.
        unsaved: those of them whose correction has not been written to a file since it was painted.
        label_names: what the labels were called when they were painted, by frame.
        on_taken_out: called when the user has removed the layer of corrections that are still kept.
        on_change: called with the frames whose correction has changed; with none when the layer has come or gone.
        predicted: gives what was predicted for a frame, or None.
        names: gives what the network at hand calls its labels.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, of_class: str = "") -> None:
        self._viewer = viewer
        self._placement = placement
        self.of_class = of_class
        self._layer: Labels | None = None
        self._begun: dict[int, SparseMask] = {}  # what each of them began as
        self._seen: dict[int, SparseMask] = {}  # what each of them was when it was last looked into
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
        """What the image is called, and the class where these are of one that may overlap others."""
        return " ".join(part for part in (self._placement.image.name, self.of_class) if part)

    @property
    def is_cine(self) -> bool:
        """Whether the image has several frames."""
        return bool(self._placement.lead())

    @property
    def is_taken_out(self) -> bool:
        """Whether the user has removed the layer of corrections that are still kept."""
        return bool(self.frames) and self.layer is None

    @property
    def size(self) -> int:
        """In bytes, what the layer takes when every frame has been drawn in."""
        return 0 if self._layer is None else int(self._layer.data.nbytes)

    def pixels(self, frame: int) -> NDArray[np.uint8] | None:
        """The labels ``(Y, X)`` of a correction; None where a frame is not corrected."""
        if frame not in self.frames or self._layer is None:
            return None
        return frame_of(self._layer, frame)

    def seen(self, frame: int) -> SparseMask | None:
        """The same within its bounding box."""
        return self._seen.get(frame) if frame in self.frames else None

    def color(self, classes: int, colors: Sequence[str]) -> None:
        """Draw the classes in what goes with these colors of the mask."""
        self._classes, self._colors = classes, tuple(colors)
        if self._layer is not None:
            most = max([classes - 1, *(int(frame_of(self._layer, frame).max()) for frame in self.frames)])
            self._layer.colormap = self._colormap(max(classes, most + 1 if most > 1 else 1))

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame
        self._tidy()

    # Painting

    def take_stroke(
        self, frame: int, predicted: SparseMask, is_painted: NDArray[np.bool_], labels: NDArray[np.uint8]
    ) -> None:
        """Add what the reader has painted over the prediction, as one stroke that can be undone.

        Args:
            frame: its number.
            predicted: what the correction begins with, where there is none yet.
            is_painted: ``(Y, X)`` where the reader has painted.
            labels: ``(N,)`` those of the painted pixels.
        """
        layer = self._made(is_painted.shape)
        if frame not in self._begun:
            self._begin(layer, frame, predicted)
        at = np.nonzero(is_painted)
        layer.data_setitem((np.full(len(labels), frame), *at) if self._placement.lead() else at, labels)
        self._check({frame})
        if self.layer is None:
            self.bring_back()

    def discard(self, frame: int) -> None:
        """Forget the correction of a frame."""
        if frame in self._begun and self._layer is not None:
            self._end(self._layer, frame)
            forget_strokes(self._layer)
            self._layer.refresh(extent=False)
            self.on_change([frame])

    def bring_back(self) -> None:
        """Put the layer that the user has removed into the viewer again."""
        if self._layer is not None and self.layer is None:
            self._viewer.add_layer(self._layer)
            self.on_change([])

    def drop(self) -> None:
        """Forget all corrections."""
        frames = list(self._begun)
        if self._layer is not None:
            for frame in frames:
                self._end(self._layer, frame)
            forget_strokes(self._layer)
            self._layer.refresh(extent=False)
        self.on_change(frames)

    def let_go(self) -> None:
        """Leave the layer to the user, as one of their own: the image it lay on is no more."""
        if self._layer is not None:
            self._tidy()
            self._layer.metadata.pop(OURS, None)

    def taken(self, frames: Iterable[int]) -> dict[int, tuple[NDArray[np.uint8], Mapping[int, str]]]:
        """Copies of the corrections of these frames as they are now, with what their labels are called."""
        found = {frame: self.pixels(frame) for frame in frames}
        return {
            frame: (pixels.copy(), dict(self.label_names[frame]))
            for frame, pixels in found.items()
            if pixels is not None
        }

    def mark_saved(self, written: Mapping[int, NDArray[np.uint8]]) -> None:
        """Note that these corrections are on disk, as far as they have not changed since."""
        for frame, labels in written.items():
            pixels = self.pixels(frame)
            if pixels is not None and np.array_equal(labels, pixels):
                self.unsaved.discard(frame)

    def label_of(self, frame: int, label: int) -> int | None:
        """The label by which a correction means what the network at hand means by ``label``; None if by none.

        Where either knows a single class, it is that; else they are told by their names.
        """
        mine, theirs = self.label_names.get(frame, {}), self.names()
        if len(mine) <= 1 and len(theirs) <= 1:
            return label
        return next((own for own, name in mine.items() if name == theirs.get(label)), None)

    def _made(self, frame_shape: tuple[int, ...]) -> Labels:
        if self._layer is None:
            rows, columns = frame_shape[0], frame_shape[1]
            name = f"{self.title} correction"
            colormap = self._colormap(self._classes)
            self._layer = add_labels(
                self._viewer, self._placement, (rows, columns), name, colormap, lambda: self.on_change([])
            )
            on_painted(self._layer, self._on_painted)
        return self._layer

    def _colormap(self, classes: int) -> DirectLabelColormap:
        return correction_colormap(classes, self._colors, one_of_several=bool(self.of_class))

    def _begin(self, layer: Labels, frame: int, predicted: SparseMask) -> None:
        pixels = frame_of(layer, frame)
        blank = pixels == 0
        whole = np.zeros_like(pixels)
        predicted.paint(whole)
        pixels[blank] = whole[blank]
        self._begun[frame] = self._seen[frame] = predicted
        self.label_names[frame] = dict(self.names())

    def _end(self, layer: Labels, frame: int) -> None:
        frame_of(layer, frame)[...] = 0
        for kept in (self.frames, self.unsaved):
            kept.discard(frame)
        for by_frame in (self._begun, self._seen, self.label_names):
            by_frame.pop(frame, None)

    def _on_painted(self, frames: set[int] | None) -> None:
        if self._layer is None or self._is_busy:
            return
        step = tuple(self._viewer.dims.current_step)
        has_moved, self._step = step != self._step, step
        if frames is None:
            frames = set(range((self._placement.lead() or (1,))[0]))
        elif not has_moved:  # it may be an undo, which changes frames that are not in view
            frames = frames | self._begun.keys()
        self._check(frames | {self._frame})

    def _check(self, frames: set[int]) -> None:
        """See what has been painted, and which frames are corrected now."""
        layer = self._layer
        assert layer is not None
        self._is_busy = True
        changed = [frame for frame in frames if self._enter(layer, frame)]
        self._is_busy = False
        if changed:
            self.on_change(changed)

    def _enter(self, layer: Labels, frame: int) -> bool:
        """Take in what a frame's pixels are now; False where they are what they were."""
        pixels = frame_of(layer, frame)
        if self._seen.get(frame, _NOTHING).is_in(pixels):
            return False
        if frame not in self._begun:
            self._begin(layer, frame, self.predicted(frame) or _NOTHING)
            layer.refresh(extent=False, thumbnail=False)
        self._seen[frame] = SparseMask.from_labels(pixels)
        is_corrected = not self._begun[frame].is_in(pixels)
        for kept in (self.frames, self.unsaved):
            (kept.add if is_corrected else kept.discard)(frame)
        return True

    def _tidy(self) -> None:
        """Leave nothing of a prediction in frames whose correction was undone."""
        undone = [frame for frame in self._begun if frame not in self.frames]
        if undone and self._layer is not None:
            for frame in undone:
                self._end(self._layer, frame)
            forget_strokes(self._layer)  # done again, they would begin with nothing

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer and self._layer is not None:
            self.on_change([])
            if self.frames:
                self.on_taken_out()
