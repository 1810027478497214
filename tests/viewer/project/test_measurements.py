"""Measurements of a review project: in the log at once, back after a restart, undone with the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.calipers.calipers_controller import CalipersController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession


def calipers_of(session: ReviewSession) -> CalipersController:
    calipers = controller_of(session, CalipersController)
    calipers.suggests_across = False
    calipers.set_tool("caliper")
    return calipers


@pytest.mark.slow
def test_measurements_come_back_with_their_case(
    project: Path, open_window: Callable[..., Any], settle: Callable[..., Any], qtbot: QtBot
) -> None:
    window = open_window(project)
    settle(window)
    controller, calipers = window.controller, calipers_of(window.session)
    first, sweep = controller.readings[0], controller.readings[3]
    calipers.draw((10.0, 10.0), (10.0, 40.0))
    calipers.measure_finding()
    of_first = calipers.of(window.session.image)
    assert len(of_first) == 2
    controller.go_to(sweep)
    qtbot.waitUntil(lambda: controller.is_shown(sweep), timeout=20_000)
    settle(window)
    assert calipers.of(window.session.image) == ()
    window.session.go_to(2)
    calipers.draw((20.0, 10.0), (20.0, 60.0))
    of_sweep = calipers.of(window.session.image)
    assert calipers.unsaved() == []
    assert [event.kind for event in controller.log.events].count("measured") == 3
    assert controller.close()

    again = open_window(project)
    calipers = calipers_of(again.session)
    assert again.controller.reading == sweep
    assert calipers.of(again.session.image) == of_sweep
    again.controller.undo()
    assert calipers.of(again.session.image) == ()
    again.controller.redo()
    assert calipers.of(again.session.image) == of_sweep
    again.controller.go_to(first)
    qtbot.waitUntil(lambda: again.controller.is_shown(first), timeout=20_000)
    assert calipers.of(again.session.image) == of_first
    settle(again)
    calipers.delete(of_first[0].identity)
    assert again.controller.state.measurements.keys() == {of_first[1].identity}
    assert again.controller.close()
