"""The figures behind the trust line: each has its null, or a reason why it is undefined."""

from __future__ import annotations

import pytest

from napari_segcam.evidence.in_out import InOut
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.off_scan import OffScan
from napari_segcam.evidence.stage_evidence import StageEvidence
from napari_segcam.network.stages.stage import Stage
from napari_segcam.viewer.evidence.details import details
from napari_segcam.viewer.evidence.trust_words import about

STAGE = Stage("encoder_4", "encoder", 16, 8, "encoder.layer4")


def test_every_figure_stands_beside_its_null_or_a_reason() -> None:
    evidence = StageEvidence(
        STAGE,
        Influence(0.83, 0.5, region_is_mask=True),
        Measurement(0.6, (0.1, 0.3, 0.2)),
        InOut(Measurement(None, undefined="there is no heat outside the region"), Measurement(0.5, (0.25, 0.75))),
        echo=0.31,
        off_scan=OffScan(0.72, 0.3, 0.1),
        undefined={"sanity": "the map is flat"},
    )
    lines = details({"encoder_4": evidence, "encoder_3": evidence}).split("\n")
    for line in (
        "  Influence: 83 % of the mask is lost without the stage",
        "  Loss by hiding the hottest places: 0.6; for moved maps 0.2, p 0.25 (3 draws)",
        "  In / out: undefined, since there is no heat outside the region",
        "  Share of the heat inside: 0.5; at random places 0.5, p 0.67 (2 draws)",
        "  Correlation with the mask's probability: 0.31 (from 0.9 on it repeats the mask)",
        "  Correlation with the map of a network that has learned nothing: undefined, since the map is flat",
        "  Heat off the scan: 72 %",
        "  Heat in the outermost cells: 30 % (they are 10 % of all)",
    ):
        assert line in lines
    assert lines[-1].startswith("2 heatmaps were tested")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "about 1 s"), (7.4, "about 7 s"), (22, "about 20 s"), (200, "about 3 min")]
)
def test_times_are_rounded(seconds: float, words: str) -> None:
    assert about(seconds) == words
