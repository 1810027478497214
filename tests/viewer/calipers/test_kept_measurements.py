"""Measurements in the log of a rater: kept at once, restored, and undone with the rest of the reading."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import QObject, Signal

from napari_segcam.review.log.events import EVENT, Measured
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.calipers import kept_measurements
from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.calipers.kept_measurements import KeptMeasurements
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession


class Project(QObject):
    """A project whose log is a list of lines."""

    reading_changed = Signal()
    state_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.reading: Reading | None = Reading("a", 1)
        self.lines: list[tuple[Reading, str]] = []

    @property
    def state(self) -> ReadingState | None:
        if self.reading is None:
            return None
        state = ReadingState()
        for reading, line in self.lines:
            event = EVENT.validate_json(line)
            assert isinstance(event, Measured)
            if reading != self.reading:
                continue
            if event.content is None:
                state.measurements.pop(event.measurement)
            else:
                state.measurements[event.measurement] = event
        return state

    def is_shown(self, reading: Reading) -> bool:
        return reading == self.reading

    def append(self, event: Measured) -> None:
        self.lines.append((event.reading, event.model_dump_json()))
        self.state_changed.emit()

    def go_to(self, reading: Reading | None) -> None:
        self.reading = reading
        self.reading_changed.emit()


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def controller(session: ReviewSession, project: Project) -> CalipersController:
    session.viewer.add_image(np.zeros((3, 60, 60), np.uint8), name="clip")
    controller = controller_of(session, CalipersController)
    KeptMeasurements(session, project, controller)
    controller.suggests_across = False
    controller.set_tool("caliper")
    return controller


def test_each_change_is_one_event(controller: CalipersController, session: ReviewSession, project: Project) -> None:
    controller.draw((5.0, 5.0), (5.0, 25.0))
    controller.draw((15.0, 5.0), (15.0, 25.0))
    handle = controller.handles()[1]
    for column in (30.0, 40.0):
        controller.drag(handle, (handle.point[0], column))
    assert len(project.lines) == 2  # not while it is dragged
    controller.drop()
    first, second = controller.of(session.image)
    controller.delete(first.identity)
    contents = [json.loads(line)["content"] for _, line in project.lines]
    assert [content and content["id"] for content in contents] == [
        *(first.identity, second.identity, second.identity),
        None,
    ]
    assert contents[2]["values"] == {"longest": 35.0}
    assert controller.unsaved() == []
    assert controller.steps[0]  # its own undo is still there
    controller.undo()
    assert len(controller.of(session.image)) == 2
    assert len(project.lines) == 5


def test_each_reading_has_its_own_measurements(
    controller: CalipersController, session: ReviewSession, project: Project
) -> None:
    controller.draw((5.0, 5.0), (5.0, 25.0))
    kept = controller.of(session.image)
    project.go_to(Reading("a", 2))
    assert controller.of(session.image) == ()
    project.go_to(Reading("a", 1))
    assert controller.of(session.image) == kept
    project.lines.pop()  # as an undo of the project takes it back
    project.state_changed.emit()
    assert controller.of(session.image) == ()


def test_without_a_reading_nothing_is_kept(
    controller: CalipersController, session: ReviewSession, project: Project
) -> None:
    project.go_to(None)
    controller.draw((5.0, 5.0), (5.0, 25.0))
    assert project.lines == []
    assert controller.unsaved() == ["1 measurement of clip, not saved"]
    assert len(controller.of(session.image)) == 1


def test_a_broken_record_hides_no_other(
    controller: CalipersController, session: ReviewSession, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(kept_measurements, "show_warning", warnings.append)
    controller.draw((5.0, 5.0), (5.0, 25.0))
    kept = controller.of(session.image)
    event = Measured(case="a", frame=0, measurement="broken", content={"kind": "angle"})
    project.lines.append((Reading("a", 1), event.model_dump_json()))
    project.go_to(None)
    controller.set_measurements(session.image, [])  # type: ignore[arg-type]
    project.go_to(Reading("a", 1))
    assert controller.of(session.image) == kept
    assert len(warnings) == 1
    assert "cannot be shown" in warnings[0]
