"""The clip: one stage's heatmaps through a cine, as a movie on one scale."""

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
from napari_segcam.reporting.correction import Correction, outlined
from napari_segcam.reporting.exports import class_folder
from napari_segcam.reporting.figures import Mask, Picture, display
from napari_segcam.reporting.heat_scale import HeatScale, shared_scale
from napari_segcam.reporting.layout import with_strip
from napari_segcam.reporting.movie import movie_written
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import RESEARCH_ONLY, bar_of, overlay
from napari_segcam.reporting.sheets import class_of, outline_colors

USUAL_FRAME_RATE = 10.0
"""Of a movie whose cine does not say its own, in frames per second."""


@dataclass(frozen=True)
class _Packed:
    """A mask as it is kept until the movie is drawn."""

    data: bytes
    dtype: np.dtype
    shape: tuple[int, ...]
    colors: tuple[str, ...]

    @classmethod
    def of(cls, mask: Mask, colors: tuple[str, ...]) -> _Packed:
        return cls(zlib.compress(mask.tobytes(), 1), mask.dtype, mask.shape, colors)

    def unpacked(self) -> Mask:
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)


class Clip:
    """What one method makes of one class at one stage in the frames of a cine.

    Frames are entered as they are explained; of each it keeps the heatmap at the stage's own resolution and the packed
    mask. The movie comes last, since its scale is shared over the clip: brightness can be compared between frames.

    Args:
        stage: a name or alias that the explanations know.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._kept: dict[int, tuple[Heatmap, _Packed]] = {}
        self._corrected: dict[int, bool] = {}
        self._words: tuple[str, ...] = ()
        self.name = ""

    def __len__(self) -> int:
        return len(self._kept)

    def enter(self, number: int, explanation: Explanation, correction: Correction | None = None) -> None:
        """Take a frame's explanation in; all must be of one method, class and cine.

        Args:
            number: of the frame.
            explanation: of it.
            correction: of the frame, where a reader has painted one; it is outlined where it is explained.
        """
        heatmap = explanation.heatmaps[self.stage]
        outline = _Packed.of(outlined(explanation, correction), outline_colors(explanation, correction))
        self._kept[number] = heatmap, outline
        if correction is not None:
            self._corrected[number] = correction.is_explained
        if not self.name:
            title = find_method(explanation.method).title
            self._words = (title, class_of(explanation))
            parts = (explanation.method, class_folder(explanation), heatmap.stage.name)
            self.name = safe_name("_".join(parts))

    def pictures(self, cine: Cine, look: OverlayStyle) -> Iterator[Picture]:
        """The frames that were entered, in order, drawn in the look's first kind of overlay, on one scale."""
        scale = shared_scale(heatmap for heatmap, _ in self._kept.values())
        for number in sorted(self._kept):
            yield self._picture(number, cine, look, scale)

    def written(self, folder: Path, cine: Cine, look: OverlayStyle) -> Generator[int, None, None]:
        """Write the movie ``METHOD_CLASS_STAGE.mp4`` at the cine's own frame rate; after each frame, how many are in.

        Args:
            folder: is made.
            cine: whose frames were entered.
            look: as for ``pictures``.

        Raises:
            SegcamError: if no frame was entered, one cannot be read, or the file cannot be written.
        """
        path = folder / f"{self.name or 'movie'}.mp4"
        return movie_written(path, self.pictures(cine, look), cine.frame_rate or USUAL_FRAME_RATE)

    def _picture(self, number: int, cine: Cine, look: OverlayStyle, scale: HeatScale) -> Picture:
        heatmap, packed = self._kept[number]
        mask = packed.unpacked()
        picture = display(cine[number], cine.value_range)
        drawn = overlay(look.overlays[0], picture, heatmap, mask, look, scale=scale, colors=packed.colors)
        if look.overlays[0] == "side-by-side":  # which says all this itself
            return drawn
        bar = bar_of(look, scale, "all frames", signed=heatmap.signed)
        words = (f"Frame {number}", heatmap.stage.name, *self._words, *self._of_correction(number))
        return with_strip(drawn, bar, [", ".join(words), RESEARCH_ONLY])

    def _of_correction(self, number: int) -> tuple[str, ...]:
        is_explained = self._corrected.get(number)
        if is_explained is None:
            return ()
        return ("reader's correction explained",) if is_explained else ("corrected by a reader: prediction explained",)
