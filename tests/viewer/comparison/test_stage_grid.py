"""Side by side: the pixels of a cell, and the mosaic over the canvas of a real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.utils import Colormap
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent

from napari_segcam.viewer.comparison.cell_content import MOST_CELLS, select_stages
from napari_segcam.viewer.comparison.stage_grid import StageGrid
from napari_segcam.viewer.comparison.stage_mosaic import StageMosaic
from napari_segcam.viewer.drawing.cell_pixels import Window, colored, window
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

STAGES = {"encoder_2": 4, "encoder_4": 16, "encoder_5": 32, "decoder_2": 8}
RED_TO_BLUE = Colormap([[1, 0, 0, 1], [0, 0, 1, 1]])


@pytest.fixture
def cine(
    make_napari_viewer_proxy: Callable[[], Any], frames: np.ndarray, messages: list[str], qtbot: QtBot
) -> Iterator[tuple[Any, ReviewSession]]:
    """Return a window with a cine whose frame 1 is explained."""
    viewer = make_napari_viewer_proxy()
    session = session_of(viewer)
    viewer.add_image(frames, scale=(1, 0.5, 0.5), name="cine")
    session.go_to(1)
    layers, mask = session.layers(), np.zeros(frames.shape[1:], np.uint8)
    assert layers is not None
    mask[40:60, 20:40] = 1
    heatmaps = {name: heatmap_of(name, stride, frames.shape[1:]) for name, stride in STAGES.items()}
    layers.begin(list(STAGES), lambda stage, frame: heatmaps[stage] if frame == 1 else None)
    layers.enter(1, [SparseMask.from_labels(mask)], frames.shape[1:], 1, heatmaps)
    qtbot.waitUntil(lambda: not layers.heat.is_making, timeout=20_000)
    layers.refresh()
    yield viewer, session
    assert messages == []


def heatmap_of(name: str, stride: int, shape: tuple[int, ...]) -> Any:
    """Return a stand-in for a heatmap with the attributes that a layer reads."""
    values = np.random.default_rng(stride).random((shape[0] // stride, shape[1] // stride)).astype(np.float32)
    stage = SimpleNamespace(name=name, stride=stride, kind=name.split("_")[0])
    offset = (stride - 1) / 2
    return SimpleNamespace(
        stage=stage, values=values, peak=values.max(), scale=(stride, stride), translate=(offset, offset), signed=False
    )


@pytest.fixture
def grid(cine: tuple[Any, ReviewSession]) -> Iterator[StageGrid]:
    grid = StageGrid()
    grid.enter(cine[1])
    yield grid
    grid.leave()


def mosaic_of(grid: StageGrid) -> StageMosaic:
    assert grid.mosaic is not None
    return grid.mosaic


# Pixels


def test_at_full_resolution_an_image_is_sampled_unchanged() -> None:
    values = np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)
    shown = window((5, 7), (1, 1), (5, 7), 1, (2, 3))
    np.testing.assert_allclose(shown.rows, np.arange(5))
    np.testing.assert_allclose(shown.sample(values), values, atol=1e-6)


def test_values_are_interpolated_between_pixels_and_constant_beyond_the_edge() -> None:
    values = np.array([[0, 1], [2, 3]], np.float32)
    shown = Window(np.array([-0.5, 0.5, 1.5]), np.array([0.25, 0.75]))
    np.testing.assert_allclose(shown.sample(values), [[0.25, 0.75], [1.25, 1.75], [2.25, 2.75]])


def test_pixels_are_averaged_and_none_is_skipped_when_the_cell_is_smaller() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    shown = window((64, 64), (1, 1), (16, 16), 1, (31.5, 31.5))
    np.testing.assert_allclose(shown.sample(stripes)[:, 1:-1], 127.5, atol=1)


def test_a_cell_shows_the_whole_frame_in_its_true_proportions() -> None:
    shown = window((100, 100), (1, 2), (80, 80), 1, (49.5, 49.5))  # twice as wide as high
    inside = shown.is_inside((100, 100))
    assert inside.any(axis=1).sum() == 40
    assert inside.any(axis=0).sum() == 80
    closer = window((100, 100), (1, 2), (80, 80), 4, (10, 20))
    assert closer.rows.mean() == pytest.approx(10)
    assert np.diff(closer.rows)[0] == pytest.approx(np.diff(shown.rows)[0] / 4)


def test_a_map_is_sampled_at_its_position_on_the_frame() -> None:
    ramp = np.tile(np.arange(32.0), (32, 1))
    pooled = ramp.reshape(8, 4, 8, 4).mean(axis=(1, 3))  # what a stage of stride 4 sees
    shown = window((32, 32), (1, 1), (48, 48), 2, (15.5, 15.5))
    on_map = shown.on((4, 4), (1.5, 1.5)).sample(pooled)
    np.testing.assert_allclose(on_map, shown.sample(ramp), atol=1e-4)


def test_colors_span_the_limits_and_nothing_is_transparent() -> None:
    colors = colored(np.array([[-1.0, 0, 2, 9, np.nan]]), (0, 2), RED_TO_BLUE)
    np.testing.assert_array_equal(
        colors[0], [[255, 0, 0, 255], [255, 0, 0, 255], [0, 0, 255, 255], [0, 0, 255, 255], [0, 0, 0, 0]]
    )


def test_only_as_many_stages_get_a_cell_as_can_be_read() -> None:
    stages: dict[str, Any] = {f"stage_{index}": index for index in range(30)}
    selected = list(select_stages(stages))
    assert len(selected) == MOST_CELLS
    assert selected[0] == "stage_0"
    assert selected[-1] == "stage_29"
    assert list(select_stages(dict.fromkeys(STAGES))) == list(STAGES)  # type: ignore[arg-type]


# The mosaic


def state(viewer: Any) -> list[tuple[object, ...]]:
    layers = [
        (layer.name, layer.visible, layer.opacity, tuple(layer.contrast_limits or ()))
        for layer in viewer.layers
        if hasattr(layer, "contrast_limits")
    ]
    return [*layers, ("order", *map(id, viewer.layers)), (viewer.canvas.grid.enabled, viewer.scene.camera.zoom)]


def test_it_covers_the_canvas_and_leaves_the_viewer_as_it_was(cine: tuple[Any, ReviewSession], qtbot: QtBot) -> None:
    viewer, session = cine
    before, grid = state(viewer), StageGrid()
    grid.toggle(session)
    mosaic = mosaic_of(grid)
    assert mosaic.isVisibleTo(mosaic.parentWidget())
    assert mosaic.size() == mosaic.parentWidget().size()
    assert "4 stages side by side" in viewer.status
    assert state(viewer) == before
    grid.toggle(session)
    assert grid.mosaic is None
    qtbot.wait(100)
    assert state(viewer) == before


def test_each_stage_has_its_cell_with_the_heat_of_its_layer(grid: StageGrid, cine: tuple[Any, ReviewSession]) -> None:
    mosaic, layers = mosaic_of(grid), cine[1].layers()
    assert layers is not None
    picture = mosaic.picture
    assert picture is not None
    assert [cell.stage for cell in picture.cells] == list(STAGES)
    assert [cell.stage for cell in picture.cells if cell.is_shown] == ["encoder_5"]
    rects = mosaic.cell_rects()
    for index, rect in enumerate(rects):
        assert mosaic.rect().contains(rect)
        assert not any(rect.intersects(other) for other in rects[index + 1 :])
    shown = mosaic.window_shown()
    for cell in picture.cells:
        layer = layers.heatmaps[cell.stage]
        row, column = 1, 1  # a pixel of the map, whose center is looked up in the frame and in the cell
        stride = 96 / layer.data.shape[1]
        pixel = [
            int(np.abs(positions - ((row + 0.5) * stride - 0.5)).argmin()) for positions in (shown.rows, shown.columns)
        ]
        color = colored(np.array([[layer.data[1, row, column]]]), layers.heat.limits(cell.stage), layer.colormap)
        assert cell.heat is not None
        np.testing.assert_allclose(cell.heat.pixels[tuple(pixel)].astype(int), color[0, 0].astype(int), atol=24)


def test_it_follows_the_frame_and_says_what_is_not_computed(
    grid: StageGrid, cine: tuple[Any, ReviewSession], qtbot: QtBot
) -> None:
    mosaic = mosaic_of(grid)
    assert mosaic.picture is not None
    before = mosaic.picture.frame
    cine[1].go_to(2)
    qtbot.waitUntil(lambda: mosaic.picture is not None and mosaic.picture.cells[0].heat is None)
    assert {cell.figure for cell in mosaic.picture.cells} == {"not computed yet"}
    assert (mosaic.picture.frame != before).any()


@pytest.mark.slow
def test_deleted_layers_leave_the_cells(grid: StageGrid, cine: tuple[Any, ReviewSession], qtbot: QtBot) -> None:
    viewer, session = cine
    mosaic, layers = mosaic_of(grid), session.layers()
    assert layers is not None
    viewer.layers.remove(layers.mask)
    viewer.layers.remove(layers.heatmaps["encoder_4"])
    qtbot.waitUntil(lambda: mosaic.picture is not None and len(mosaic.picture.cells) == 3)
    assert mosaic.picture is not None
    assert mosaic.picture.masks == []
    for layer in layers.heatmaps.values():
        viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: grid.mosaic is None)


def test_it_closes_when_the_image_is_removed(grid: StageGrid, cine: tuple[Any, ReviewSession]) -> None:
    viewer, _ = cine
    viewer.layers.remove("cine")
    assert grid.mosaic is None


def test_a_double_click_shows_that_stage_alone(grid: StageGrid, cine: tuple[Any, ReviewSession], qtbot: QtBot) -> None:
    mosaic, layers = mosaic_of(grid), cine[1].layers()
    assert layers is not None
    qtbot.mouseDClick(mosaic, Qt.MouseButton.LeftButton, pos=mosaic.cell_rects()[0].center())
    assert grid.mosaic is None
    assert [stage for stage, layer in layers.heatmaps.items() if layer.visible] == ["encoder_2"]


def test_all_cells_are_zoomed_about_the_pointer_and_dragged_together(grid: StageGrid, qtbot: QtBot) -> None:
    mosaic = mosaic_of(grid)
    full = mosaic.window_shown()
    pointer = mosaic.cell_rects()[2].center() - QPoint(20, 15)
    wheel(mosaic, pointer, 600)
    assert mosaic.zoom == pytest.approx(1.2**5)
    closer, inside = mosaic.window_shown(), pointer - mosaic.cell_rects()[2].topLeft()
    step = np.diff(full.rows)[0]
    assert closer.rows[inside.y()] == pytest.approx(full.rows[inside.y()], abs=step)
    assert closer.columns[inside.x()] == pytest.approx(full.columns[inside.x()], abs=step)
    before = mosaic.center
    qtbot.mousePress(mosaic, Qt.MouseButton.LeftButton, pos=pointer)
    qtbot.mouseMove(mosaic, pos=pointer + QPoint(10, 0))
    qtbot.waitUntil(lambda: mosaic.center != before)
    qtbot.mouseRelease(mosaic, Qt.MouseButton.LeftButton, pos=pointer + QPoint(10, 0))
    assert mosaic.center[1] < before[1]
    wheel(mosaic, pointer, -6000)
    assert mosaic.zoom == 1
    np.testing.assert_allclose(mosaic.window_shown().rows, full.rows)


def wheel(mosaic: StageMosaic, position: QPoint, angle: int) -> None:
    buttons, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    point = QPointF(position)
    mosaic.wheelEvent(
        QWheelEvent(point, point, QPoint(), QPoint(0, angle), buttons, keys, Qt.ScrollPhase.NoScrollPhase, False)
    )


def test_without_heatmaps_it_says_what_to_do(session: ReviewSession) -> None:
    grid = StageGrid()
    grid.toggle(session)
    assert grid.mosaic is None
    assert "run Grad-CAM first" in session.viewer.status
