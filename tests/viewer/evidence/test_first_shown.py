"""The stage shown first takes part in the mask, and never takes the place of one that the user chose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.stage_evidence import StageEvidence
from napari_segcam.network.network import Network
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.evidence.measured_frame import MeasuredFrame
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.review.stage_stepper import show_stage

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_3", "encoder_4", "encoder_5", "decoder_1", "decoder_4")


def visible(session: ReviewSession) -> list[str]:
    return [stage for stage, layer in session.layers().heatmaps.items() if layer.visible]


def explain(session: ReviewSession, network: Network, frames: np.ndarray, finish: Finish) -> None:
    session.viewer.add_image(frames, name="sweep")
    session.use(network)
    session.run(RunRequest("gradcam_elementwise", STAGES), "current")
    finish(session)


def wait_for_influence(qtbot: QtBot, evidence: EvidenceController) -> None:
    qtbot.waitUntil(lambda: evidence.influences() is not None, timeout=60_000)


@pytest.mark.slow
def test_the_deepest_encoder_stage_that_takes_part_is_shown_and_the_reason_said(
    session: ReviewSession,
    evidence: EvidenceController,
    lazy_network: Network,
    frames: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
) -> None:
    explain(session, lazy_network, frames, finish)
    wait_for_influence(qtbot, evidence)
    influences = evidence.influences().stages
    assert influences["encoder_5"].influence.value < 0.01
    assert influences["encoder_4"].takes_part
    assert visible(session) == ["encoder_4"]
    assert "shown first: the deepest encoder stage that takes part" in session.view.of_frame.replace("\n", " ")
    assert any("encoder_4 is shown first" in line for line in evidence.words())
    assert session.layers().heatmaps["encoder_5"].name == "encoder_5 (takes no part)"


@pytest.mark.slow
def test_a_stage_that_the_user_chose_stays(
    session: ReviewSession,
    evidence: EvidenceController,
    lazy_network: Network,
    frames: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
) -> None:
    explain(session, lazy_network, frames, finish)
    show_stage(session, "encoder_3")
    show_stage(session, "encoder_5")
    wait_for_influence(qtbot, evidence)
    assert visible(session) == ["encoder_5"]
    assert "encoder_5: takes no part in this mask" in evidence.words()
    assert any("Look at encoder_4 first" in line for line in evidence.words())
    session.run(RunRequest("gradcam_elementwise", STAGES, region="image"), "current")  # another influence
    finish(session)
    wait_for_influence(qtbot, evidence)
    assert visible(session) == ["encoder_5"]


@pytest.mark.slow
def test_choosing_another_image_is_no_choice_of_a_stage(
    session: ReviewSession,
    evidence: EvidenceController,
    lazy_network: Network,
    frames: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
) -> None:
    explain(session, lazy_network, frames, finish)
    first = session.image
    session.viewer.add_image(frames, name="other")
    session.choose_image(first)
    wait_for_influence(qtbot, evidence)
    assert visible(session) == ["encoder_4"]


@pytest.mark.slow
def test_without_an_encoder_stage_the_earliest_decoder_stage_is_shown(
    session: ReviewSession,
    evidence: EvidenceController,
    lazy_network: Network,
    frames: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
) -> None:
    explain(session, lazy_network, frames, finish)
    wait_for_influence(qtbot, evidence)
    measured, frame = evidence.influences(), MeasuredFrame.of(session.review, session.current_frame())
    lost = {"decoder_1": 0.0, "decoder_4": 0.7}
    evidence.store.put_influences(
        session.review,
        frame,
        {
            name: StageEvidence(stage.stage, Influence(lost.get(name, 0.0), None, region_is_mask=True))
            for name, stage in measured.stages.items()
        },
    )
    session.reviews.changed.emit()
    assert visible(session) == ["decoder_4"]
    assert "no encoder stage takes part in this mask" in session.view.of_frame.replace("\n", " ")
    assert any("decoder_4 is the earliest decoder stage that does" in line for line in evidence.words())
