"""A review project in a session: what the reader does is kept, comes back, and can be undone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from painting import corrected, paint
from pytestqt.qtbot import QtBot

from napari_segcam.review.log.events import Note
from napari_segcam.review.project import open_project
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.preferences import preferences_controller
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.project.view_content import view_of
from napari_segcam.viewer.review.controllers import controller_of


@pytest.mark.slow
def test_a_case_comes_back_as_it_was_left(project: Path, open_window: Callable, settle: Callable, qtbot: QtBot) -> None:
    window = open_window(project)
    session, controller = window.session, window.controller
    settle(window)
    sweep = controller.readings[3]
    controller.go_to(sweep)
    qtbot.waitUntil(lambda: controller.is_shown(sweep), timeout=20_000)
    settle(window)
    session.go_to(2)
    paint(session, slice(10, 20), slice(30, 50))
    painted = corrected(session, 2)
    assert painted is not None
    session.set_threshold(0.4)
    review = session.review
    review.layers.heatmaps["encoder_5"].visible = True
    review.layers.heatmaps["encoder_4"].visible = False
    review.layers.style("viridis", 0.35, 0.2)
    review.image.contrast_limits = (10, 200)
    session.viewer.scene.camera.center = (0, 40, 50)
    session.viewer.scene.camera.zoom = 3.5
    settle(window)
    before = view_of(session.viewer, review)
    assert controller.close()
    assert window.names == []

    again = open_window(project)
    assert again.controller.reading == sweep
    assert np.array_equal(corrected(again.session, 2), painted)  # at once: no network is needed
    settle(again)
    assert again.session.current_frame() == 2
    assert again.session.threshold == 0.4
    assert view_of(again.session.viewer, again.session.review) == before
    heat = again.session.review.layers.heat
    assert (heat.colormap, heat.opacity, heat.floor) == ("viridis", 0.35, 0.2)
    assert again.session.review.layers.pair("").corrections.unsaved == set()


@pytest.mark.slow
def test_a_preference_changes_no_look_that_the_open_review_keeps(
    project: Path, open_window: Callable, settle: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(preferences_controller, "show_info", said.append)
    window = open_window(project)
    settle(window)
    heat, settings = window.session.review.layers.heat, window.controller.settings
    before, kept = (heat.colormap, heat.opacity, heat.floor), dict(settings.values)
    assert {"colormap", "opacity", "floor"} <= kept.keys()
    preferences = controller_of(window.session, PreferencesController)
    preferences.change({"opacity": 0.25, "colormap": "viridis"})
    settle(window)
    assert (heat.colormap, heat.opacity, heat.floor) == before
    assert settings.values == kept  # nothing is logged that the rater has not done
    assert said == [preferences_controller._OWN_LOOK]
    assert window.controller.close()
    assert not settings.keeps_look


@pytest.mark.slow
def test_each_stroke_is_one_event_and_undo_holds_across_restarts(
    project: Path, open_window: Callable, settle: Callable
) -> None:
    window = open_window(project)
    settle(window)
    predicted = window.session.review.layers.mask.data.copy()
    paint(window.session, slice(0, 9), slice(0, 9))
    first = corrected(window.session, 0).copy()
    paint(window.session, slice(20, 29), slice(0, 9))
    events = [event for event in window.controller.log.events if event.kind == "correction"]
    assert len(events) == 2
    log = window.controller.log
    assert np.array_equal(log.labels(events[0].started_from), predicted)
    assert np.array_equal(log.labels(events[1].mask), corrected(window.session, 0))
    window.controller.close()

    again = open_window(project)
    again.controller.undo()
    assert np.array_equal(corrected(again.session, 0), first)
    again.controller.undo()
    assert corrected(again.session, 0) is None
    again.controller.redo()
    assert np.array_equal(corrected(again.session, 0), first)
    assert len([event for event in again.controller.log.events if event.kind == "correction"]) == 2


@pytest.mark.slow
def test_undo_goes_where_it_was_done(project: Path, open_window: Callable, settle: Callable, qtbot: QtBot) -> None:
    window = open_window(project)
    settle(window)
    controller = window.controller
    first, second = controller.readings[:2]
    paint(window.session, slice(0, 9), slice(0, 9))
    controller.step(1)
    qtbot.waitUntil(lambda: controller.is_shown(second), timeout=20_000)
    controller.append(Note(case=second.case, repeat=second.repeat, text="a second look"))
    controller.undo()
    assert controller.reading == second
    assert controller.state_of(second).notes == []
    controller.undo()
    qtbot.waitUntil(lambda: controller.is_shown(first), timeout=20_000)
    assert controller.state_of(first).corrections == {}
    assert corrected(window.session, 0) is None
    assert controller.undo() is None


@pytest.mark.slow
def test_only_the_layers_of_the_case_in_view_stay(
    project: Path, open_window: Callable, settle: Callable, qtbot: QtBot
) -> None:
    window = open_window(project)
    settle(window)
    paint(window.session, slice(0, 9), slice(0, 9))
    window.session.viewer.add_points(np.zeros((1, 2)), name="of the user")
    for reading in window.controller.readings[1:]:
        window.controller.go_to(reading)
        qtbot.waitUntil(lambda reading=reading: window.controller.is_shown(reading), timeout=20_000)
    settle(window)
    names = window.names
    assert [name for name in names if "still" in name] == []
    assert {"sweep", "sweep mask", "of the user"} <= set(names)
    assert window.session.reviews.corrections() == []


@pytest.mark.slow
def test_the_next_case_is_prepared_while_this_one_is_read(
    project: Path, open_window: Callable, settle: Callable, qtbot: QtBot
) -> None:
    window = open_window(project)
    settle(window)
    prefetch = window.controller.prefetch
    second = window.controller.readings[1]
    qtbot.waitUntil(lambda: prefetch.ready == second and prefetch.computed == [0], timeout=20_000)
    window.controller.step(1)
    review = window.session.review  # at once: nothing is waited for
    assert window.controller.is_shown(second)
    assert review.layers.mask is not None
    assert review.results.segmentation(0) is not None
    assert "encoder_4" in review.results.heatmaps(0)


@pytest.mark.parametrize("fault", ["missing", "changed", "damaged"])
def test_a_case_that_cannot_be_shown_is_a_problem_in_words(
    project: Path, open_window: Callable, images: Path, qtbot: QtBot, fault: str
) -> None:
    path = project.with_name("images") / "still_0.png"
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(
            path.read_bytes()[:200] if fault == "damaged" else (path.with_name("still_1.png")).read_bytes()
        )
    window = open_window(project, wait=False)
    controller = window.controller
    qtbot.waitUntil(lambda: bool(controller.readings) and not controller.reader.is_busy, timeout=20_000)
    first, second = controller.readings[:2]
    assert controller.state.status == "problem"
    assert ("missing" if fault == "missing" else "changed") in controller.state.problem
    controller.step(1)
    qtbot.waitUntil(lambda: controller.is_shown(second), timeout=20_000)
    if fault == "missing":  # it is back
        shutil.copy(images / "still_0.png", path)
        controller.step(-1)
        qtbot.waitUntil(lambda: controller.is_shown(first), timeout=20_000)
        assert controller.state.status == "begun"


def test_moved_images_are_found_where_the_user_says(project: Path, open_window: Callable, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    window = open_window(project, images=tmp_path / "elsewhere")
    assert window.controller.reading == window.controller.readings[0]


def test_a_second_program_of_the_same_rater_is_refused_in_words(
    project: Path, open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(project)
    window.controller.log.flush()
    before = (project / "raters" / "anna" / "log.jsonl").read_bytes()
    second = open_window(project, wait=False)
    with qtbot.waitSignal(second.controller.error, timeout=20_000) as refused:
        pass
    assert "anna" in refused.args[0]
    assert second.controller.project is None
    assert (project / "raters" / "anna" / "log.jsonl").read_bytes().startswith(before)
    other = open_window(project, "berta")
    assert other.controller.rater == "berta"
    assert set(open_project(project).raters()) == {"anna", "berta"}


def test_the_reading_is_of_the_image_in_view(project: Path, open_window: Callable) -> None:
    window = open_window(project)
    assert window.controller.reading == Reading("c0001")
    window.session.viewer.add_image(np.zeros((20, 30), np.uint8), name="of the user")
    assert window.controller.reading is None
    window.session.choose_image(window.controller.layers.image)
    assert window.controller.reading == Reading("c0001")


@pytest.mark.slow
def test_no_layer_of_a_case_that_was_left_is_added_later(
    project: Path, open_window: Callable, settle: Callable, qtbot: QtBot
) -> None:
    window = open_window(project)
    settle(window)
    controller = window.controller
    for reading in [*controller.readings, *controller.readings[::-1]]:  # faster than heatmaps are added
        controller.go_to(reading)
        qtbot.waitUntil(lambda reading=reading: controller.is_shown(reading), timeout=20_000)
        qtbot.waitUntil(lambda: window.session.review.layers.mask is not None, timeout=20_000)
    settle(window)
    qtbot.wait(600)  # earlier layers are removed
    image = controller.layers.image
    assert [layer.metadata["segcam"]["image"] for layer in window.session.viewer.layers if layer is not image] == [
        image.unique_id
    ] * (len(window.names) - 1)
    assert not [name for name in window.names if "[" in name or "closed" in name]
