"""Side by side: every stage's heatmap over the frame in view, in one grid over the canvas.

napari's own grid would need a copy of the image and of the mask for each cell, in the user's list of layers: with ten
stages it took seconds to enter and a sixth of a second for each step. Here nothing is added to the viewer or changed in
it; the cells are drawn from the layers as they are at that moment.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_segcam.viewer.comparison.cell_content import compared
from napari_segcam.viewer.comparison.stage_mosaic import StageMosaic
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.stage_stepper import show_stage

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class StageGrid:
    """Puts the mosaic of stages over the canvas, and takes it away again.

    Attributes:
        mosaic: what lies over the canvas, or None.
    """

    def __init__(self) -> None:
        self.mosaic: StageMosaic | None = None

    def toggle(self, session: ReviewSession) -> None:
        """Compare the stages side by side, or go back to the canvas."""
        if self.mosaic is None:
            self.enter(session)
        else:
            self.leave()

    def enter(self, session: ReviewSession) -> None:
        """Cover the canvas with the stages; where that cannot be, the status bar says why."""
        canvas, layers = canvas_of(session.viewer), session.layers()
        heatmaps = layers.heatmaps if layers is not None else {}
        if canvas is None or not heatmaps:
            session.viewer.status = "There are no heatmaps to compare yet: run Grad-CAM first."
            return
        self.mosaic = StageMosaic(session, canvas)
        self.mosaic.emptied.connect(self.leave)
        self.mosaic.chosen.connect(partial(self._choose, session))
        count = len(compared(heatmaps))
        which = f"{count} stages" if count == len(heatmaps) else f"{count} of {len(heatmaps)} stages"
        session.viewer.status = (
            f"{which} side by side. Wheel: zoom · drag: pan · double click: that stage alone · G: back"
        )

    def leave(self) -> None:
        """Show the canvas again."""
        if self.mosaic is not None:
            mosaic, self.mosaic = self.mosaic, None
            mosaic.end()

    def _choose(self, session: ReviewSession, stage: str) -> None:
        self.leave()
        show_stage(session, stage)
