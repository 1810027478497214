"""The stage table's words: chance, echo, influence."""

from __future__ import annotations

import pytest

from napari_segcam.evidence.in_out import InOut
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.stage_evidence import StageEvidence
from napari_segcam.network.stages.stage import Stage
from napari_segcam.viewer.evidence.stage_rows import chance_text, influence_text

STAGE = Stage("encoder_4", "encoder", 16, 8, "encoder.layer4")
SHARE = Measurement(0.5, (0.25, 0.75, 0.2))


def with_ratio(ratio: Measurement, share: Measurement = SHARE) -> StageEvidence:
    return StageEvidence(STAGE, in_out=InOut(ratio, share))


def test_chance_is_the_mean_of_the_null_with_its_p() -> None:
    text, tip = chance_text(with_ratio(Measurement(7.0, (1.0, 2.0, 9.0))))
    assert text == "4, p 0.5"
    assert "Mean of 3 random places: 4" in tip


def test_a_place_with_all_the_heat_does_not_make_chance_infinite() -> None:
    text, tip = chance_text(with_ratio(Measurement(7.0, (1.0, 2.0, float("inf")))))
    assert text == "2, p 0.5"
    assert "Median" in tip


def test_without_a_ratio_the_share_has_its_chance_and_without_both_a_reason_stands() -> None:
    no_ratio = Measurement(None, undefined="there is no heat outside the region")
    text, tip = chance_text(with_ratio(no_ratio))
    assert text == "p 0.5"
    assert "50 % of the heat is inside" in tip
    nothing = Measurement(None, undefined="the map is empty")
    assert chance_text(with_ratio(nothing, nothing)) == ("–", "the map is empty")
    assert chance_text(None)[0] == ""


@pytest.mark.parametrize(
    ("loss", "text"), [(0.83, "83 %"), (0.049, "none"), (0.05, "5 %"), (-0.2, "−20 %"), (None, "–")]
)
def test_influence_in_words(loss: float | None, text: str) -> None:
    assert influence_text(StageEvidence(STAGE, Influence(None, loss, region_is_mask=False))) == text
