"""The view in the log: kept once it has settled, and brought back when the case opens again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_segcam.review.log.events import View
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.project.case_summary import summary_of
from napari_segcam.viewer.project.kept_settings import KeptSettings
from napari_segcam.viewer.project.open_project import OpenProject
from napari_segcam.viewer.project.view_content import (
    IMAGE,
    apply_camera,
    apply_look,
    layers_by_key,
    view_of,
    visible_stages,
)
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

POLL_MS = 350  # a view that is the same twice has settled, and is on disk within a second


class KeptView:
    """Looks at the view a few times a second, and appends it to the log when it has changed and settled.

    While a cine plays or is scrubbed through, nothing settles.
    """

    def __init__(self, session: ReviewSession, project: OpenProject, settings: KeptSettings) -> None:
        self._session = session
        self._project = project
        self._settings = settings
        self._waiting: dict[str, Any] = {}  # how layers looked that are not there yet
        self._latest: dict[str, Any] | None = None
        self._kept: dict[str, Any] | None = None
        self._timer = QTimer(project)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        project.opened.connect(self._timer.start)
        project.closed.connect(self._timer.stop)
        session.viewer.layers.events.inserted.connect(self._on_inserted)

    def restore(self, view: View | None) -> None:
        """Show the case in view as it was left; as it opens by itself if it was never open."""
        review = self._review()
        content = {} if view is None else view.content
        looks = content.get("layers", {})
        self._waiting = dict(looks) if isinstance(looks, dict) else {}
        self._latest, self._kept = None, content or None
        if review is None:
            return
        shown = self._settings.shown_stages
        heat = review.layers.heat
        heat.shown_first = visible_stages(self._waiting) if any(_is_heat(key) for key in self._waiting) else shown
        heat.are_chosen = False
        frame = content.get("frame", 0)
        self._session.go_to(frame if isinstance(frame, int) else 0)
        apply_camera(self._session.viewer, content)
        self._apply_looks()
        layer = layers_by_key(review).get(str(content.get("selected")))
        self._session.viewer.layers.selection.active = layer or review.image

    def keep_now(self, reading: Reading) -> None:
        """Append the view if it has changed, since the case is about to leave."""
        self._project.keep_input(reading)
        self._keep(reading, self._content())
        self._waiting = {}

    def _poll(self) -> None:
        reading, content = self._project.reading, self._content()
        if reading is not None and content is not None and content == self._latest:
            self._project.keep_input(reading)
            self._keep(reading, content)
        self._latest = content
        self._settings.poll()

    def _keep(self, reading: Reading, content: dict[str, Any] | None) -> None:
        if content is not None and content != self._kept:
            self._kept = content
            self._project.append(View(case=reading.case, repeat=reading.repeat, content=content))

    def _content(self) -> dict[str, Any] | None:
        review = self._review()
        if review is None:
            return None
        content = view_of(self._session.viewer, review)
        content["layers"] = {**self._waiting, **content["layers"]}
        summary = summary_of(review, (self._kept or {}).get("summary"))
        return content if summary is None else {**content, "summary": summary}

    def _review(self) -> Review | None:
        """Return the review of the case in view; None if another image is chosen."""
        review = self._session.review
        return review if review is not None and review.image is self._project.layers.image else None

    def _on_inserted(self, _event: object) -> None:
        if self._waiting:
            QTimer.singleShot(0, self._apply_looks)  # once the layer is known by its name

    def _apply_looks(self) -> None:
        review = self._review()
        if review is None or not self._waiting:
            return
        for key, layer in layers_by_key(review).items():
            look = self._waiting.pop(key, None)
            if look is not None:
                apply_look(layer, {**look, "visible": True} if key == IMAGE else look)


def _is_heat(key: str) -> bool:
    return key.startswith("heat ")
