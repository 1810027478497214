"""The second checkpoint of a review project: loaded after the first, as long as the project is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController

if TYPE_CHECKING:
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.viewer.review.session import ReviewSession

_NAME = "B"


class SecondOfProject(QObject):
    """Loads checkpoint B of the open project, once A is there."""

    def __init__(self, session: ReviewSession, project: ProjectController, second: SecondController) -> None:
        super().__init__(second)
        self._project = project
        self._second = second
        self._wanted: ModelSource | None = None
        self._card: ModelCard | None = None
        project.opened.connect(self._on_opened)
        project.closed.connect(self._on_closed)
        session.network_changed.connect(self._load)

    def _on_opened(self) -> None:
        project = self._project.project
        has_second = project is not None and any(one.name == _NAME for one in project.checkpoints)
        self._wanted = self._card = None
        if project is not None and has_second:
            try:
                self._wanted, self._card = project.model_source(_NAME), project.model_card(_NAME)
            except SegcamError as fault:
                show_warning(f"Checkpoint B of the review is not loaded: {fault}")
        self._load()

    def _on_closed(self) -> None:
        self._wanted = None

    def _load(self) -> None:
        """Load B when A has come; a job of the user must not end the loading of A."""
        wanted, project = self._wanted, self._project
        if wanted is None or not project.has_network:
            return
        self._wanted = None
        if not wanted.is_there:
            show_warning(f"Checkpoint B of the review is missing: {', '.join(wanted.paths)}.")
        elif self._second.network is None or self._second.source is None or self._second.source.anywhere() != wanted:
            self._second.load(wanted, card=self._card)
