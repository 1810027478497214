"""The evidence of the heatmaps in view: measured in the worker, and kept as long as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class EvidenceController(QObject):
    """One per session, as its child; found by ``controller_of``."""

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
