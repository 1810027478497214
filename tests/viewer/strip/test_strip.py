"""The cine strip: the mark of each frame, the curves, and moving through the cine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QObject, QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.review.finding_stepper import next_finding, runs, step_finding
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.strip.frame_marks import STYLES, FrameMark, draw_marks, frame_marks, legend
from napari_segcam.viewer.strip.strip_plot import StripContent
from napari_segcam.viewer.strip.strip_widget import StripWidget, curve_heights
from napari_segcam.viewer.workspace import PLUGIN

FRAMES = 20
# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
COLOR_VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.fixture
def cine(session: ReviewSession) -> ReviewSession:
    """Return a session on a cine with findings in frames 3–5, 10 and 15–16; 8 and 9 are missing, 18 has failed."""
    session.viewer.add_image(np.zeros((FRAMES, 24, 32), np.uint8))
    fill(session.record)
    session.go_to(0)
    return session


@pytest.fixture
def strip(cine: ReviewSession, qtbot: QtBot) -> StripWidget:
    widget = StripWidget(cine.viewer)
    qtbot.addWidget(widget)
    widget.resize(900, 120)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def fill(record: CineRecord | None) -> None:
    assert record is not None
    for frame in range(FRAMES):
        if frame in (8, 9):
            continue
        area = 200.0 if frame in (3, 4, 5, 10, 15, 16) else 0.0
        record.enter(frame, {record.AREA: area, record.PROBABILITY: 0.9, record.ratio_of("encoder_5"): 2.0})
        record.set_state(frame, FrameState.DONE)
    record.set_state(18, FrameState.FAILED, "The frame <18> could not be decoded.")


# Marks


def test_every_state_has_its_own_mark(cine: ReviewSession) -> None:
    record = cine.record
    assert record is not None
    record.edited |= {4, 18}
    record.set_state(19, FrameState.COMPUTING)
    marks = frame_marks(record)
    expected = {
        0: FrameMark.NO_FINDING,
        3: FrameMark.FINDING,
        4: FrameMark.CORRECTED,
        8: FrameMark.MISSING,
        18: FrameMark.FAILED,
        19: FrameMark.COMPUTING,
    }
    assert {frame: marks[frame] for frame in expected} == expected


@pytest.mark.parametrize("vision", COLOR_VISION)
def test_marks_differ_in_any_color_vision(vision: str) -> None:
    colors = np.array([STYLES[mark].color for mark in FrameMark]) / 255
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(COLOR_VISION[vision]), 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    for first, second in combinations(FrameMark, 2):
        assert deltaE_ciede2000(lab[first], lab[second]) > 15, f"{first.name} and {second.name}"


def test_the_row_has_one_column_per_frame() -> None:
    marks = np.array([FrameMark.FINDING, FrameMark.MISSING, FrameMark.FAILED], np.uint8)
    row = draw_marks(marks, 30, 8)
    assert row.shape == (8, 30, 4)
    for frame, mark in enumerate((FrameMark.FINDING, FrameMark.MISSING, FrameMark.FAILED)):
        column = row[:, frame * 10 + 4]
        assert tuple(column[-1, :3]) == STYLES[mark].color
        assert np.count_nonzero(column[:, 3]) == max(1, round(8 * STYLES[mark].height)) - len(STYLES[mark].gaps)
    assert not row[:, 9].any()  # a gap between neighbors


def test_a_failed_frame_among_many_is_not_lost() -> None:
    marks = np.full(850, FrameMark.FINDING, np.uint8)
    marks[333] = FrameMark.FAILED
    row = draw_marks(marks, 100, 8)
    failed = np.flatnonzero((row[-1, :, :3] == STYLES[FrameMark.FAILED].color).all(axis=-1))
    assert list(failed) == [333 * 100 // 850]


def test_the_legend_names_every_state() -> None:
    assert all(STYLES[mark].label in legend() for mark in FrameMark)


# Curves


def test_a_ratio_of_one_is_at_half_height_with_double_and_half_at_equal_distances() -> None:
    heights = curve_heights(CineRecord.ratio_of("encoder_5"), np.array([1, 2, 0.5, 8, 0, np.nan]))
    assert heights[0] == 0.5
    assert heights[1] - 0.5 == pytest.approx(0.5 - heights[2])
    assert heights[3] == 1
    assert heights[4] == 0
    assert np.isnan(heights[5])


def test_areas_are_drawn_relative_to_the_largest_and_shares_unchanged() -> None:
    np.testing.assert_allclose(curve_heights(CineRecord.AREA, np.array([0, 50, 200, np.nan])), [0, 0.25, 1, np.nan])
    np.testing.assert_allclose(curve_heights(CineRecord.DICE, np.array([0.2, 0.9])), [0.2, 0.9])


@pytest.mark.parametrize("name", [CineRecord.AREA, CineRecord.ratio_of("encoder_5")])
def test_curves_without_any_value_can_be_drawn(name: str) -> None:
    assert np.isnan(curve_heights(name, np.full(5, np.nan))).all()
    assert not curve_heights(name, np.zeros(5)).any()


def test_the_area_and_the_visible_stage_are_shown_until_the_user_chooses(
    strip: StripWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = strip.session.viewer.add_image(np.zeros((FRAMES, 4, 4)), metadata={"segcam": {}}, visible=False)
    monkeypatch.setattr(type(strip.session.layers()), "heatmaps", {"encoder_5": layer})
    assert strip.curves() == [CineRecord.AREA]
    layer.visible = True
    qtbot.waitUntil(
        lambda: [curve.name for curve in strip.plot.content.curves] == [CineRecord.AREA, "in / out, encoder_5"]
    )
    strip.show_curve(CineRecord.DICE, True)
    strip.show_curve(CineRecord.AREA, False)
    assert [curve.name for curve in strip.plot.content.curves] == ["in / out, encoder_5", CineRecord.DICE]


def test_readouts_follow_the_frame_with_unit(strip: StripWidget) -> None:
    strip.session.go_to(3)
    assert "area <b>200 pixels</b>" in strip.readouts.text()
    strip.session.go_to(8)
    assert "area <b>–</b>" in strip.readouts.text()


def test_a_curve_has_a_gap_at_frames_without_a_value(strip: StripWidget) -> None:
    strip.show_curve(CineRecord.PROBABILITY, True)
    strip.show_curve(CineRecord.AREA, False)
    image = strip.plot.grab().toImage()

    def is_drawn(frame: int) -> bool:
        x = round(strip.plot.x_of(frame))
        return any(image.pixelColor(x, y).lightness() > 70 for y in range(20, image.height()))

    assert is_drawn(6)
    assert not is_drawn(8)
    assert is_drawn(12)


# Moving through the cine


def test_a_click_and_a_drag_bring_the_frame_under_the_pointer_into_view(strip: StripWidget, qtbot: QtBot) -> None:
    plot, session = strip.plot, strip.session

    def at(frame: int) -> QPoint:
        return QPoint(round(plot.x_of(frame)), 60)

    qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at(7))
    assert session.current_frame() == 7
    qtbot.mousePress(plot, Qt.MouseButton.LeftButton, pos=at(7))
    qtbot.mouseMove(plot, pos=at(12))
    qtbot.waitUntil(lambda: session.current_frame() == 12)
    qtbot.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=at(12))
    assert plot.frame_at(-50) == 0
    assert plot.frame_at(5000) == FRAMES - 1


def test_the_frame_in_view_is_marked(strip: StripWidget, qtbot: QtBot) -> None:
    def is_marked(frame: int) -> bool:
        image = strip.plot.grab().toImage()
        return image.pixelColor(round(strip.plot.x_of(frame)), image.height() - 2) == QColor("white")

    strip.session.go_to(13)
    qtbot.waitUntil(lambda: is_marked(13))
    assert not is_marked(4)


def test_the_tooltip_says_why_a_frame_failed(strip: StripWidget) -> None:
    assert "failed: The frame &lt;18&gt; could not be decoded." in strip.plot.tooltip(18)
    assert "no finding" in strip.plot.tooltip(0).split("<br>")[0]


def test_keys_step_from_finding_to_finding(cine: ReviewSession) -> None:
    visited = []
    for _ in range(4):
        step_finding(cine, 1)
        visited.append(cine.current_frame())
    assert visited == [3, 10, 15, 15]
    assert cine.viewer.status == "No finding after this frame; 2 frames are not computed yet."
    cine.go_to(5)
    step_finding(cine, -1)
    assert cine.current_frame() == 3


def test_runs_and_neighbors() -> None:
    findings = np.array([1, 1, 0, 1, 0], bool)
    assert runs(findings) == [slice(0, 2), slice(3, 4)]
    assert next_finding(findings, 0, 1) == 3
    assert next_finding(findings, 3, 1) is None
    assert next_finding(findings, 3, -1) == 0
    assert next_finding(np.zeros(5, bool), 2, 1) is None


# Following the session


def test_an_empty_strip_says_what_to_do(session: ReviewSession, qtbot: QtBot) -> None:
    widget = StripWidget(session.viewer)
    qtbot.addWidget(widget)
    assert "Explain a cine" in widget.plot.content.message
    session.viewer.add_image(np.zeros((5, 24, 32), np.uint8))
    qtbot.waitUntil(lambda: widget.plot.content.record is session.record)
    assert "Explain the cine" in widget.plot.content.message
    assert session.record is not None
    session.record.set_state(2, FrameState.DONE)
    session.record_changed.emit()
    qtbot.waitUntil(lambda: widget.plot.content.message == "")
    session.viewer.layers.clear()
    qtbot.waitUntil(lambda: widget.plot.content.record is None)


def test_another_cine_may_be_longer(strip: StripWidget) -> None:
    session = strip.session
    longer = session.viewer.add_image(np.zeros((3 * FRAMES, 24, 32), np.uint8))
    session.choose_image(longer)
    session.go_to(2 * FRAMES)
    assert "area <b>–</b>" in strip.readouts.text()
    assert strip.plot.frame_at(5000) == 3 * FRAMES - 1


def test_many_changes_are_drawn_at_most_twenty_times_a_second(
    strip: StripWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[StripContent] = []
    qtbot.wait(100)
    monkeypatch.setattr(strip.plot, "show_content", drawn.append)
    started = perf_counter()
    for _ in range(50):
        strip.session.record_changed.emit()
        qtbot.wait(4)
    qtbot.wait(100)
    assert 2 <= len(drawn) <= 20 * (perf_counter() - started) + 1


def test_readouts_of_any_length_are_painted_once_without_a_new_layout(strip: StripWidget, qtbot: QtBot) -> None:
    strip.show()
    qtbot.wait(50)
    events: list[tuple[QObject | None, QEvent.Type]] = []

    class Listener(QObject):
        def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
            if event is not None:
                events.append((watched, event.type()))
            return False

    listener = Listener()
    strip.installEventFilter(listener)
    strip.readouts.installEventFilter(listener)
    for text in ("short", "<b>long</b> " * 30):
        events.clear()
        strip.readouts.set_text(text)
        qtbot.wait(50)
        assert strip.readouts.text() == text
        assert (strip, QEvent.Type.LayoutRequest) not in events
        assert events.count((strip.readouts, QEvent.Type.Paint)) == 1


def test_readouts_are_not_cut_off_in_a_larger_font(strip: StripWidget, qtbot: QtBot) -> None:
    strip.setStyleSheet("QWidget { font-size: 20pt; }")
    strip.readouts.set_text("area <b>1,046 mm²</b>, encoder_5")
    strip.show()
    qtbot.wait(50)
    label = strip.readouts.findChild(QLabel)
    assert label.height() >= label.sizeHint().height()


def test_it_docks_below_the_canvas_and_leaves_nothing_behind(
    make_napari_viewer_proxy: Callable[[], Any],
    qtbot: QtBot,
    messages: list[str],  # noqa: ARG001
) -> None:
    viewer = make_napari_viewer_proxy()
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Cine strip")
    assert dock.area == "bottom"
    assert widget.sizeHint().height() <= 130
    layer = viewer.add_image(np.zeros((5, 24, 32), np.uint8))
    viewer.window.remove_dock_widget(dock)
    qtbot.wait(50)
    layer.visible = False
    qtbot.wait(100)
