"""Clip: the heatmaps of one stage through a cine, as a movie on one scale."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.files import safe_name
from napari_segcam.imaging.cine import Cine
from napari_segcam.reporting.correction import Correction, explained_mask
from napari_segcam.reporting.exports import class_folder
from napari_segcam.reporting.figures import Mask, Picture, display
from napari_segcam.reporting.heat_scale import HeatScale, shared_scale
from napari_segcam.reporting.layout import with_strip
from napari_segcam.reporting.movie import write_movie
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import RESEARCH_ONLY, color_bar, overlay
from napari_segcam.reporting.sheets import explained_classes, outline_colors

USUAL_FRAME_RATE = 10.0
"""Frames per second of a movie whose cine does not state its frame rate."""


@dataclass(frozen=True)
class _PackedMask:
    """A mask, compressed until the movie is drawn."""

    data: bytes
    dtype: np.dtype
    shape: tuple[int, ...]
    colors: tuple[str, ...]

    @classmethod
    def of(cls, mask: Mask, colors: tuple[str, ...]) -> _PackedMask:
        return cls(zlib.compress(mask.tobytes(), 1), mask.dtype, mask.shape, colors)

    def unpack(self) -> Mask:
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)


class Clip:
    """The heatmaps of one method, class and stage in the frames of a cine.

    Frames are added as they are explained. The clip keeps each heatmap at the stage's own resolution, and each mask
    compressed. The movie is written last, as all frames share one scale: brightness can be compared between frames.

    Args:
        stage: a stage name or alias of the explanations.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._frames: dict[int, tuple[Heatmap, _PackedMask]] = {}
        self._is_explained: dict[int, bool] = {}
        self._words: tuple[str, ...] = ()
        self.name = ""

    def __len__(self) -> int:
        return len(self._frames)

    def add_frame(self, number: int, explanation: Explanation, correction: Correction | None = None) -> None:
        """Add the explanation of a frame. All must have the same method, class and cine.

        Args:
            number: of the frame.
            explanation: of the frame.
            correction: of the frame, if a reader painted one; if it is explained, it is outlined.
        """
        heatmap = explanation.heatmaps[self.stage]
        outline = _PackedMask.of(explained_mask(explanation, correction), outline_colors(explanation, correction))
        self._frames[number] = heatmap, outline
        if correction is not None:
            self._is_explained[number] = correction.is_explained
        if not self.name:
            title = find_method(explanation.method).title
            self._words = (title, explained_classes(explanation))
            parts = (explanation.method, class_folder(explanation), heatmap.stage.name)
            self.name = safe_name("_".join(parts))

    def draw_frames(self, cine: Cine, style: OverlayStyle) -> Iterator[Picture]:
        """Yield the added frames in order, drawn as the style's first kind of overlay, on one scale."""
        scale = shared_scale(heatmap for heatmap, _ in self._frames.values())
        for number in sorted(self._frames):
            yield self._draw_frame(number, cine, style, scale)

    def write(self, folder: Path, cine: Cine, style: OverlayStyle) -> Generator[int, None, None]:
        """Write the movie ``METHOD_CLASS_STAGE.mp4`` at the cine's frame rate; yield the number of frames written.

        Args:
            folder: of the file; created if it is missing.
            cine: that the added frames belong to.
            style: as for ``draw_frames``.

        Raises:
            SegcamError: if no frame was added, a frame cannot be read, or the file cannot be written.
        """
        path = folder / f"{self.name or 'movie'}.mp4"
        return write_movie(path, self.draw_frames(cine, style), cine.frame_rate or USUAL_FRAME_RATE)

    def _draw_frame(self, number: int, cine: Cine, style: OverlayStyle, scale: HeatScale) -> Picture:
        heatmap, packed = self._frames[number]
        mask = packed.unpack()
        picture = display(cine[number], cine.value_range)
        drawn = overlay(style.overlays[0], picture, heatmap, mask, style, scale=scale, colors=packed.colors)
        if style.overlays[0] == "side-by-side":  # it has captions of its own
            return drawn
        bar = color_bar(style, scale, "all frames", signed=heatmap.signed)
        words = (f"Frame {number}", heatmap.stage.name, *self._words, *self._correction_words(number))
        return with_strip(drawn, bar, [", ".join(words), RESEARCH_ONLY])

    def _correction_words(self, number: int) -> tuple[str, ...]:
        is_explained = self._is_explained.get(number)
        if is_explained is None:
            return ()
        return ("reader's correction explained",) if is_explained else ("corrected by a reader: prediction explained",)
