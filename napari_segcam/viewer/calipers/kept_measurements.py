"""The measurements of a review project: kept in the log of its rater, and restored from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.measurement import Measurement
from napari_segcam.review.log.events import Measured
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.mendable_errors import show_warning

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class OpenReading(Protocol):
    """What measurements need of a session's ``ProjectController``.

    Attributes:
        reading_changed: emitted when another reading is in view.
        state_changed: emitted when something was added to the log, or undone.
    """

    reading_changed: Any
    state_changed: Any

    @property
    def reading(self) -> Reading | None:
        """The reading in view, or None."""

    @property
    def state(self) -> ReadingState | None:
        """The state of the reading in view, or None."""

    def is_shown(self, reading: Reading) -> bool:
        """Whether the image of a reading is in view."""

    def append(self, event: Measured) -> object:
        """Append an event to the log."""


class KeptMeasurements(QObject):
    """One per session, as a child of the calipers.

    Args:
        session: whose chosen image is measured.
        project: its project controller.
        controller: of the calipers; also the Qt parent.
    """

    def __init__(self, session: ReviewSession, project: OpenReading, controller: CalipersController) -> None:
        super().__init__(controller)
        self._session, self._project, self._controller = session, project, controller
        controller.measured.connect(self._keep)
        project.reading_changed.connect(self._restore)
        project.state_changed.connect(self._restore)

    def _keep(self, image: Image) -> None:
        """Append what has changed to the log."""
        reading, state = self._in_view()
        if reading is None or state is None or image is not self._session.image:
            return
        kept = {identity: event.content for identity, event in state.measurements.items()}
        frames = {identity: event.frame for identity, event in state.measurements.items()}
        shown = {record["id"]: record for record in self._controller.measurements(image)}
        changed = [(identity, record) for identity, record in shown.items() if kept.get(identity) != record]
        removed = [(identity, None) for identity in kept.keys() - shown.keys()]
        for identity, content in (*changed, *removed):
            frame = frames[identity] if content is None else content["frame"]
            event = Measured(
                case=reading.case, repeat=reading.repeat, frame=frame, measurement=identity, content=content
            )
            self._project.append(event)
        self._controller.mark_saved([image])

    def _in_view(self) -> tuple[Reading | None, ReadingState | None]:
        """Return the reading whose image is in view, and its state; nothing while one case goes and the next comes."""
        reading = self._project.reading
        return (
            (reading, self._project.state) if reading is not None and self._project.is_shown(reading) else (None, None)
        )

    def _restore(self, _of: object = None) -> None:
        """Show the measurements of the reading in view as the log has them, after another case or an undo."""
        (_, state), image = self._in_view(), self._session.image
        if state is None or image is None:
            return
        kept = [event.content for event in state.measurements.values() if event.content is not None]
        shown = self._controller.measurements(image)
        if sorted(kept, key=_identity) == sorted(shown, key=_identity):
            return
        records = []
        for record in kept:
            try:
                Measurement.from_dict(record)
                records.append(record)
            except SegcamError as fault:
                show_warning(f"A measurement in the log cannot be shown: {fault}")
        if sorted(records, key=_identity) != sorted(shown, key=_identity):
            self._controller.set_measurements(image, records)


def _identity(record: dict[str, Any]) -> str:
    return str(record.get("id", ""))
