"""The trust panel and the stage table: what they say before, during and after a check."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_segcam.network.network import Network
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.stage_table import INFLUENCE, NAME, StageTable
from napari_segcam.viewer.widgets.trust_panel import TrustPanel

STAGES = ("encoder_4", "encoder_5")


@pytest.mark.slow
def test_the_panel_checks_shows_progress_stops_and_says_the_result(
    session: ReviewSession,
    evidence: EvidenceController,
    lazy_network: Network,
    frames: np.ndarray,
    finish: Callable[[ReviewSession], None],
    qtbot: QtBot,
) -> None:
    panel, table = TrustPanel(session), StageTable()
    qtbot.addWidget(panel)
    qtbot.addWidget(table)
    panel.resize(300, 200)
    panel.show()
    assert not panel.check.isEnabled()
    session.viewer.add_image(frames[0])
    session.use(lazy_network)
    table.offer(lazy_network)
    session.run(RunRequest("gradcam_elementwise", STAGES), "current")
    finish(session)
    qtbot.waitUntil(lambda: "encoder_4: hiding it costs the mask" in panel.words.text(), timeout=60_000)
    assert panel.words.height() >= panel.words.heightForWidth(panel.words.width())  # nothing is cut off
    table.show_rows(evidence.rows(table.names()))
    rows = {table.topLevelItem(row).text(NAME): table.topLevelItem(row) for row in range(table.topLevelItemCount())}
    assert rows["encoder_5"].text(INFLUENCE) == "none"
    assert rows["encoder_5"].foreground(NAME) != rows["encoder_4"].foreground(NAME)
    assert "takes no part" in rows["encoder_5"].toolTip(NAME)

    qtbot.waitUntil(panel.check.isEnabled, timeout=10_000)
    qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.stop.isVisibleTo(panel), timeout=10_000)
    qtbot.mouseClick(panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.check.isVisibleTo(panel), timeout=10_000)
    qtbot.mouseClick(panel.check, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.estimate.text() == "checked", timeout=60_000)
    assert not panel.check.isEnabled()
    assert "its hot places matter" in panel.words.text()
    assert "for moved maps" in panel.words.toolTip()
