"""Stages side by side: the heatmap of every stage on the current frame, in one grid over the canvas.

napari's own grid would need a copy of the image and of the mask for each cell, in the user's list of layers: with ten
stages it took seconds to open and a sixth of a second for each step. This grid adds nothing to the viewer and changes
nothing in it: it draws the cells from the layers as they are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_segcam.viewer.comparison.cell_content import shown_stages
from napari_segcam.viewer.comparison.stage_mosaic import StageMosaic
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.stage_stepper import show_stage

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class StageGrid:
    """Opens the mosaic of stages over the canvas, and closes it.

    Attributes:
        mosaic: the mosaic over the canvas; None if it is closed.
    """

    def __init__(self) -> None:
        self.mosaic: StageMosaic | None = None

    def toggle(self, session: ReviewSession) -> None:
        """Open the mosaic, or close it."""
        if self.mosaic is None:
            self.enter(session)
        else:
            self.leave()

    def enter(self, session: ReviewSession) -> None:
        """Cover the canvas with the stages; if there are none, say so in the status bar."""
        canvas, layers = canvas_of(session.viewer), session.layers()
        heatmaps = layers.heatmaps if layers is not None else {}
        if canvas is None or not heatmaps:
            session.viewer.status = "There are no heatmaps to compare yet: run Grad-CAM first."
            return
        self.mosaic = StageMosaic(session, canvas)
        self.mosaic.emptied.connect(self.leave)
        self.mosaic.chosen.connect(partial(self._choose, session))
        count = len(shown_stages(session))
        stages = f"{count} stages" if count == len(heatmaps) else f"{count} of {len(heatmaps)} stages"
        session.viewer.status = (
            f"{stages} side by side. Wheel: zoom · drag: pan · double-click: that stage alone · G: back"
        )

    def leave(self) -> None:
        """Show the canvas again."""
        if self.mosaic is not None:
            mosaic, self.mosaic = self.mosaic, None
            mosaic.end()

    def _choose(self, session: ReviewSession, stage: str) -> None:
        self.leave()
        show_stage(session, stage)
