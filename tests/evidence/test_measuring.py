"""Measuring a frame's evidence: other references, reasons, progress of all measures, and cancelling within a pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_network import SIDE, frame, planted

import napari_segcam as sc
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.measuring import MEASURES, measure_evidence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.running.same_explainer import same_explainer
from napari_segcam.evidence.stage_evidence import StageEvidence, first_stage
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.network.stages.stage import Stage

STAGES = ("shallow", "idle", "deep")
LEVELS = (0.0, 255.0)
DEEP = Stage("deep", "encoder", 8, 1, "deep")


@pytest.fixture(scope="module")
def explainer() -> sc.Explainer:
    return sc.Explainer(planted(), method="gradcam_elementwise", stages=STAGES)


@pytest.fixture(scope="module")
def explanation(explainer: sc.Explainer) -> Explanation:
    return explainer(frame(), None, LEVELS)


# Other references


def test_another_frame_replaces_the_map_by_what_the_stage_is_there(
    explainer: sc.Explainer, explanation: Explanation
) -> None:
    other = frame(1)  # other speckle, the same switch: the deep stage stays bright where it matters
    stages = measure_evidence(
        explanation,
        explainer,
        frame(),
        LEVELS,
        measures=("influence",),
        references=("mean", "blur", "other frame"),
        other_frame=other,
    ).stages
    deep = stages["deep"].influence
    assert deep.value == 1.0
    assert deep.others == {"blur": 1.0, "other frame": 0.0}
    assert deep.takes_part is None
    assert deep.is_unclear
    assert stages["deep"].statement.startswith(
        "unclear whether it takes part: hiding it costs the mask 100 %, 100 % or 0 %, by what replaces it"
    )
    assert stages["idle"].influence.others == {"blur": 0.0, "other frame": 0.0}
    assert stages["idle"].takes_part is False


def test_the_map_of_the_other_frame_is_the_networks_own(explainer: sc.Explainer, explanation: Explanation) -> None:
    maps = FrameReplay(explainer.network, explanation, frame(), LEVELS).maps_of(frame(3))
    x = torch.from_numpy(frame(3) / 255).float()[None, None]
    torch.testing.assert_close(maps["deep"], x[0, :, ::2, ::2].reshape(1, 8, 4, 8, 4).mean((2, 4)))
    assert list(maps) == list(STAGES)


def test_references_that_agree_are_clear_and_a_stage_that_is_unclear_is_not_shown_first() -> None:
    agreeing = Influence(0.5, None, True, {"blur": 0.06})
    unclear = Influence(0.03, None, True, {"blur": 0.41})
    assert agreeing.takes_part is True
    assert StageEvidence(DEEP, agreeing).statement == "hiding it costs the mask 50 %"
    assert StageEvidence(DEEP, unclear).statement == (
        "unclear whether it takes part: hiding it costs the mask 3 % or 41 %, by what replaces it"
    )
    assert first_stage([StageEvidence(DEEP, unclear)]).name is None
    of_score = Influence(None, -0.2, False, {"blur": 0.01})
    assert StageEvidence(DEEP, of_score).statement == (
        "unclear whether it takes part: hiding it changes the score by +20 % or -1 %, by what replaces it"
    )


def test_too_few_draws_say_so_instead_of_no_more_than_others() -> None:
    takes_part = Influence(0.83, None, True)
    few, enough = (StageEvidence(DEEP, takes_part, Measurement(0.9, (0.0,) * draws)) for draws in (18, 19))
    assert few.hot_places_matter is None
    assert few.statement == "hiding it costs the mask 83 %; too few draws to tell whether its hot places matter"
    assert enough.hot_places_matter is True


def test_another_frame_is_asked_for_in_words(explainer: sc.Explainer, explanation: Explanation) -> None:
    with pytest.raises(sc.SegcamError, match="another frame of the cine is needed"):
        measure_evidence(explanation, explainer, frame(), LEVELS, references=("other frame",))
    with pytest.raises(sc.SegcamError, match="no reference 'zero'"):
        measure_evidence(explanation, explainer, frame(), LEVELS, references=("zero",))  # type: ignore[arg-type]
    small = measure_evidence(
        explanation,
        explainer,
        frame(),
        LEVELS,
        measures=("influence",),
        references=("other frame",),
        other_frame=frame()[:32],
    )
    assert "32×64 pixels" in small.stages["deep"].undefined["influence"]


# Reasons


def test_every_measure_of_an_empty_map_has_its_reason(explainer: sc.Explainer) -> None:
    dark = np.zeros((SIDE, SIDE), np.uint8)
    evidence = measure_evidence(explainer(dark, None, LEVELS), explainer, dark, LEVELS, draws=4).stages["deep"]
    assert evidence.influence.value == 0.0
    reason = "the network found nothing of this class"
    assert all(reason in evidence.undefined[name] for name in ("echo", "sanity", "stability", "off_scan"))
    assert reason in evidence.faithfulness.undefined
    assert reason in evidence.in_out.ratio.undefined


def test_a_map_with_values_that_are_not_numbers_gives_reasons_and_no_nan(
    explainer: sc.Explainer, explanation: Explanation
) -> None:
    values = np.full((8, 8), np.nan, np.float32)
    heatmap = replace(explanation.heatmaps["deep"], values=values, reason=None)
    broken = replace(explanation, heatmaps=type(explanation.heatmaps)({"deep": heatmap}, {}))
    evidence = measure_evidence(broken, explainer, frame(), LEVELS, draws=4).stages["deep"]
    assert evidence.influence.value == 1.0
    assert "not numbers" in evidence.faithfulness.undefined
    assert evidence.echo is None
    assert evidence.sanity is None
    assert evidence.undefined["echo"]


def test_a_method_of_the_picture_itself_says_why_no_stage_is_replaced() -> None:
    explainer = sc.Explainer(planted(), method="occlusion")
    explanation = explainer(frame(), None, LEVELS)
    steps: list[tuple[int, int]] = []
    evidence = measure_evidence(
        explanation,
        explainer,
        frame(),
        LEVELS,
        measures=[measure for measure in MEASURES if measure != "overlay_effect"],
        draws=4,
        overall=lambda *step: steps.append(step),
    )
    assert steps[-2:] == [(9, 9), (9, 9)]  # 3 shuffled networks, 6 views, and the end
    cost = sc.estimate_evidence(explanation, explainer, frame(), LEVELS, measures=("influence", "sanity"))
    assert cost.forwards == 3
    found = evidence.stages["input"]
    assert found.influence is None
    assert found.undefined["influence"] == "Occlusion explains the picture itself, and no stage of the network"
    assert found.faithfulness.undefined == found.undefined["influence"]
    assert found.in_out.ratio.p is not None
    assert found.echo is not None
    assert evidence.agreement is not None
    assert evidence.shown_first.name is None


# Progress and cancelling


def test_progress_of_all_measures_adds_up(explainer: sc.Explainer, explanation: Explanation) -> None:
    each: list[tuple[str, int, int]] = []
    overall: list[tuple[int, int]] = []
    measure_evidence(
        explanation,
        explainer,
        frame(),
        LEVELS,
        measures=[measure for measure in MEASURES if measure != "overlay_effect"],
        draws=4,
        progress=lambda *step: each.append(step),
        overall=lambda *step: overall.append(step),
    )
    # 3 stages hidden; hot cells of the stages with a map hidden; 3 shuffled networks; 6 views.
    with_map = sum(heatmap.reason is None for heatmap in explanation.heatmaps.values())
    total = 3 + with_map * 15 + 3 + 6
    assert {step[1] for step in overall} == {total}
    done = [step[0] for step in overall]
    assert done == sorted(done)
    assert done[-1] == total
    assert len(overall) == total + 1  # each step, and the end
    assert ("faithfulness of shallow", 15, 15) in each


@pytest.mark.parametrize("measure", ["sanity", "stability"])
def test_sanity_and_stability_stop_within_a_pass(
    explainer: sc.Explainer, explanation: Explanation, measure: str
) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 1

    steps: list[int] = []
    with pytest.raises(Cancelled):
        measure_evidence(
            explanation,
            explainer,
            frame(),
            LEVELS,
            measures=(measure,),  # type: ignore[arg-type]
            progress=lambda _measure, done, _total: steps.append(done),
            cancelled=cancelled,
        )
    assert steps in ([], [1])


def test_the_explainers_own_control_still_cancels(explainer: sc.Explainer, explanation: Explanation) -> None:
    stopped = sc.Explainer(
        explainer.network, "gradcam", STAGES, control=replace(explainer.control, cancelled=lambda: True)
    )
    with pytest.raises(Cancelled):
        same_explainer(stopped, explanation)(frame(), None, LEVELS)


def test_one_replay_serves_several_measurements(explainer: sc.Explainer, explanation: Explanation) -> None:
    replay = FrameReplay(explainer.network, explanation, frame(), LEVELS)
    first, second = (
        measure_evidence(explanation, explainer, frame(), LEVELS, measures=measures, draws=4, replay=replay).stages
        for measures in (("influence",), MEASURES)
    )
    assert [stage.influence for stage in first.values()] == [stage.influence for stage in second.values()]
