"""The stages of two checkpoints side by side, over the canvas of a real window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.network.network import Network
from napari_segcam.viewer.comparison.cells_of_b import stages_of_b
from napari_segcam.viewer.comparison.stage_grid import StageGrid
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.sessions import session_of


@pytest.mark.slow
def test_each_stage_of_a_has_that_of_b_below(
    make_napari_viewer_proxy: Callable[[], Any],
    frames: np.ndarray,
    network: Network,
    messages: list[str],
    finish: Callable[[ReviewSession], None],
    qtbot: QtBot,
) -> None:
    viewer = make_napari_viewer_proxy()
    session = session_of(viewer)
    viewer.add_image(frames, name="cine")
    session.use(network)
    session.set_scale("frame")
    session.run(RunRequest(stages=("encoder_4", "encoder_5")), "current")
    finish(session)
    controller = controller_of(session, SecondController)
    controller.use(network)  # the same, so that both rows must look the same
    grid = StageGrid()
    grid.enter(session)
    mosaic, second = grid.mosaic, controller.second
    assert mosaic is not None
    assert second is not None
    frame = session.current_frame()
    qtbot.waitUntil(lambda: len(second.results.heatmaps(frame)) == 2, timeout=60_000)
    qtbot.wait(200)
    mosaic.refresh()
    assert mosaic.picture is not None
    cells, rects = mosaic.picture.cells, mosaic.cell_rects()
    assert [cell.title.split(" (")[0] for cell in cells] == [
        "A: encoder_4",
        "A: encoder_5",
        "B: encoder_4",
        "B: encoder_5",
    ]
    for of_a, of_b, above, below in zip(cells[:2], cells[2:], rects[:2], rects[2:], strict=True):
        assert (above.left(), above.width(), above.height()) == (below.left(), below.width(), below.height())
        assert 0 < below.top() - above.bottom() < 10
        assert of_a.heat is not None
        assert of_b.heat is not None
        assert np.array_equal(of_a.heat.pixels, of_b.heat.pixels)
        assert of_b.figure.split(" (")[0] == of_a.figure.split(" (")[0]
    grid.leave()
    controller.remove()
    session.cancel()
    finish(session)
    assert messages == []


def test_stages_of_another_network_are_spread_over_the_cells() -> None:
    assert stages_of_b(("encoder_1", "encoder_2", "encoder_3"), ("encoder_1", "encoder_3")) == (
        "encoder_1",
        "encoder_3",
    )
    assert stages_of_b(("a", "b", "c", "d", "e"), ("encoder_1", "encoder_2", "encoder_3")) == ("a", "c", "e")
    assert stages_of_b((), ("encoder_1",)) == ()
    assert stages_of_b(("encoder_2",), ("encoder_1", "encoder_2")) == ("encoder_1", "encoder_2")  # below A's own
