"""The network of a project: loaded with it, and run on each case as it comes into view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_segcam.errors import SegcamError
from napari_segcam.network.source import ModelSource
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.frames.schedule import Scope
from napari_segcam.viewer.mendable_errors import show_warning
from napari_segcam.viewer.project.kept_request import request_from
from napari_segcam.viewer.project.kept_settings import KeptSettings
from napari_segcam.viewer.project.open_project import OpenProject
from napari_segcam.viewer.review.question import Answer, ask

if TYPE_CHECKING:
    from napari_segcam.network.model_card import ModelCard
    from napari_segcam.network.network import Network
    from napari_segcam.viewer.review.session import ReviewSession


class NetworkRuns(QObject):
    """Loads the checkpoint of the open project, and runs the network as the settings say."""

    def __init__(self, session: ReviewSession, project: OpenProject, settings: KeptSettings) -> None:
        super().__init__(project)
        self._session = session
        self._open = project
        self._settings = settings
        self._source: ModelSource | None = None
        self._card: ModelCard | None = None  # as it was when the project was made
        session.network_changed.connect(self._on_network)

    def use(self, project: ReviewProject, changed: Sequence[str]) -> None:
        """Load the first checkpoint of a project, unless it is loaded; ask first if the file was changed.

        Args:
            project: that was opened.
            changed: the checkpoints whose files are not those of the project, in words.
        """
        self._source, self._card = project.model_source(), None
        try:
            self._card = project.model_card()
        except SegcamError as fault:
            show_warning(f"The model card in the project is damaged, so the network is not loaded: {fault}")
            return
        if not self._source.is_there:
            show_warning(f"{' '.join(changed)} Load another one in the Checkpoint widget to see predictions.")
            return
        if changed:
            answers = [
                Answer("Review without the network", lambda: None),
                Answer("Use the changed file", self._load),
            ]
            text = "The checkpoint of this review was changed after the review was made. Its masks can be others now."
            question = ask(self._session.viewer, text, changed, answers)
            if question is not None:
                self._session.question = question
                return
        self._load()

    @property
    def is_loaded(self) -> bool:
        """Whether the loaded network is that of the project, with its card."""
        network, loaded, source = self._session.network, self._session.source, self._source
        if network is None or loaded is None or source is None:
            return False
        is_same_file = replace(loaded.anywhere(), device=source.device) == source.anywhere()
        return is_same_file and self._card is not None and _masks_by(network.card) == _masks_by(self._card)

    def _load(self) -> None:
        source = self._source
        assert source is not None
        if self.is_loaded:
            self._on_network()
        else:
            self._session.load(source, card=self._card)

    def _on_network(self) -> None:
        """Take over the threshold of the rater, and compute the case in view."""
        project, session = self._open.project, self._session
        if project is None or session.network is None:
            return
        if self.is_loaded:
            default = project.settings.threshold
            session.set_threshold(self._settings.number("threshold", session.threshold if default is None else default))
        self.run()

    def request(self, network: Network) -> RunRequest:
        """Return what is computed for each frame: as the rater chose, else as the project says."""
        kept = request_from(self._settings.values.get("request"), network)
        if kept is not None:
            return kept
        project = self._open.project
        settings = Settings() if project is None else project.settings
        try:
            chosen = network.select(settings.stages)
        except SegcamError:  # the stages of another checkpoint
            chosen = network.select("main")
        return RunRequest(settings.method, tuple(stage.name for stage in chosen))

    def run(self) -> None:
        """Compute the case in view, the frame in view first."""
        session, layers = self._session, self._open.layers
        if session.network is None or not layers.is_shown or session.image is not layers.image:
            return
        if session.missing() in (None, session.reviews.hiding.reason(session.image)):  # hidden: it runs later
            request = self.request(session.network)
            session.run(request, self._scope(request))

    def plan_for(self, source: object) -> Plan | None:
        """Return the plan by which another case will be computed; None without a network, or if it would take long.

        Args:
            source: of the frames.
        """
        network = self._session.network
        if network is None:
            return None
        plan = Plan(network, source, self.request(network), self._session.threshold, lambda _frame: None)  # type: ignore[arg-type]
        return None if plan.is_slow else plan

    def _scope(self, request: RunRequest) -> Scope:
        """All frames, or the one in view where a frame takes many runs of the network."""
        network = self._session.network
        assert network is not None
        plan = Plan(network, None, request, self._session.threshold, lambda _frame: None)  # type: ignore[arg-type]
        return "current" if plan.is_slow else "all"


def _masks_by(card: ModelCard) -> dict[str, object]:
    """Return the fields of a card on which masks depend; the threshold is the rater's."""
    return card.model_dump(exclude={"threshold", "class_colors", "notes", "verified"})
