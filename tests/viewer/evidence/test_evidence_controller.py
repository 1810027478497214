"""Evidence in the viewer, measured by itself, on request, and never stale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

import napari_segcam as sc
from napari_segcam.evidence.echo import echo
from napari_segcam.evidence.in_out import in_out
from napari_segcam.network.network import Network
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession

STAGES = ("encoder_4", "encoder_5", "decoder_4")
METHOD = "gradcam_elementwise"
Finish = Callable[[ReviewSession], None]


@pytest.fixture
def explained(session: ReviewSession, lazy_network: Network, frames: np.ndarray, finish: Finish) -> ReviewSession:
    """A session in which all frames of a cine are explained, with the second in view."""
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(lazy_network)
    session.run(RunRequest(METHOD, STAGES), "all")
    finish(session)
    return session


def wait_for_influence(qtbot: QtBot, evidence: EvidenceController) -> None:
    qtbot.waitUntil(lambda: evidence.influences() is not None, timeout=60_000)


def check(qtbot: QtBot, evidence: EvidenceController) -> None:
    evidence.start_check()
    assert evidence.check is not None
    qtbot.waitUntil(lambda: evidence.check is None, timeout=60_000)


def show_only(session: ReviewSession, stage: str) -> None:
    for name, layer in session.layers().heatmaps.items():
        layer.visible = name == stage


def test_influence_comes_by_itself_and_says_of_which_frame(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot
) -> None:
    wait_for_influence(qtbot, evidence)
    rows = evidence.rows(STAGES)
    assert evidence.influences().frame == 1
    assert rows["encoder_5"].influence == "none"
    assert rows["encoder_4"].influence.endswith(" %")
    assert [stage for stage, row in rows.items() if row.takes_part is False] == ["encoder_5"]
    names = {stage: layer.name for stage, layer in explained.layers().heatmaps.items()}
    assert names["encoder_5"] == "encoder_5 (takes no part)"
    assert "takes no part" not in names["encoder_4"]
    explained.go_to(2)
    rows = evidence.rows(STAGES)
    assert rows["encoder_4"].influence.startswith("(")
    assert "frame 1" in rows["encoder_4"].influence_tip


def test_the_line_is_of_the_frame_and_the_threshold_it_was_measured_for(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot, finish: Finish
) -> None:
    wait_for_influence(qtbot, evidence)
    show_only(explained, "encoder_5")
    assert "encoder_5: takes no part in this mask" in evidence.words()
    explained.go_to(2)
    qtbot.waitUntil(lambda: explained.view.heated == ("encoder_5",), timeout=5_000)
    assert evidence.words()[0].startswith("encoder_5: not checked in this frame; it takes no part in frame 1")
    explained.go_to(1)
    assert "encoder_5: takes no part in this mask" in evidence.words()
    explained.set_threshold(0.7)
    assert "encoder_5: not checked at this mask threshold" in evidence.words()
    explained.set_threshold(0.5)
    assert "encoder_5: takes no part in this mask" in evidence.words()
    explained.run(RunRequest("gradcam", STAGES, region="image"), "current")
    assert not any("takes no part" in line for line in evidence.words())  # another region: nothing is known
    finish(explained)


@pytest.mark.slow
def test_a_check_measures_the_rest_for_the_frame_in_view_and_keeps_it(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot
) -> None:
    wait_for_influence(qtbot, evidence)
    show_only(explained, "encoder_4")
    explained.go_to(0)
    qtbot.waitUntil(lambda: evidence.checkable() == ("encoder_4",), timeout=5_000)
    qtbot.waitUntil(lambda: evidence.estimate_words().startswith("about "), timeout=60_000)
    assert evidence.is_anything_missing()
    check(qtbot, evidence)
    assert not evidence.is_anything_missing()
    found = evidence.evidence("encoder_4")
    explainer = sc.Explainer(explained.network, METHOD, ("encoder_4",))
    cine = explained.review.plan.source.cine
    expected = sc.measure_evidence(explainer(cine[0], None, cine.value_range), explainer, cine[0], cine.value_range)
    assert found.faithfulness == expected.stages["encoder_4"].faithfulness
    assert found.influence == expected.stages["encoder_4"].influence
    assert found.sanity == expected.stages["encoder_4"].sanity
    assert found.stability == expected.stages["encoder_4"].stability
    assert f"encoder_4: {found.statement}" in evidence.words()
    explained.go_to(2)
    assert not any(found.statement in line for line in evidence.words())
    explained.go_to(0)
    assert f"encoder_4: {found.statement}" in evidence.words()
    assert any("hiding it costs" in line for line in explained.view.of_frame.replace("\n", " ").split("encoder_4:"))


@pytest.mark.slow
def test_results_that_are_dropped_take_their_evidence_along(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot, finish: Finish
) -> None:
    wait_for_influence(qtbot, evidence)
    show_only(explained, "encoder_4")
    explained.go_to(0)
    qtbot.waitUntil(lambda: evidence.checkable() == ("encoder_4",), timeout=5_000)
    check(qtbot, evidence)
    assert evidence.evidence("encoder_4").faithfulness is not None
    explained.run(RunRequest(METHOD, STAGES), "current")  # computes the frame again
    finish(explained)
    found = evidence.evidence("encoder_4")
    assert found is None or found.faithfulness is None


def test_a_check_is_stopped_within_a_batch_and_makes_way_for_frames(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot, finish: Finish
) -> None:
    wait_for_influence(qtbot, evidence)
    show_only(explained, "encoder_4")
    evidence.start_check()
    explained.run(RunRequest("hirescam", STAGES), "current")
    finish(explained)  # although a check is running
    evidence.stop_check()
    qtbot.waitUntil(lambda: evidence.check is None, timeout=5_000)
    assert evidence.evidence("encoder_4") is None or evidence.evidence("encoder_4").faithfulness is None


def test_figures_that_need_no_run_come_once_a_frame_rests(
    explained: ReviewSession, evidence: EvidenceController, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: all(row.chance for row in evidence.rows(STAGES).values()), timeout=60_000)
    plan = explained.review.plan
    cine = plan.source.cine
    explanation = sc.Explainer(explained.network, METHOD, STAGES)(cine[1], None, cine.value_range)
    expected = in_out(explanation)
    for stage in STAGES:
        found = evidence.evidence(stage)
        assert found.in_out == expected[stage]
        assert found.echo == pytest.approx(echo(explanation, explanation.heatmaps[stage]))
    explained.go_to(2)
    assert evidence.rows(STAGES)["decoder_4"].chance == ""  # that was of the other frame


def test_another_network_drops_everything(
    explained: ReviewSession, evidence: EvidenceController, network: Network, qtbot: QtBot
) -> None:
    wait_for_influence(qtbot, evidence)
    explained.use(network)
    assert evidence.influences() is None
    assert evidence.words() == []
    assert evidence.rows(("encoder_5",))["encoder_5"].takes_part is None
