"""Evidence rows: each number with its null, or a reason why there is none, in a table that other programs read."""

from __future__ import annotations

import math
from pathlib import Path

import pandas
import pytest
from made_explanations import explanation, heatmap, ramp

from napari_segcam.evidence.in_out import InOut
from napari_segcam.evidence.influence import Influence
from napari_segcam.evidence.measuring import Evidence
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.off_scan import OffScan
from napari_segcam.evidence.stage_evidence import FirstStage, StageEvidence
from napari_segcam.reporting.evidence_rows import EVIDENCE_COLUMNS, evidence_rows, write_evidence

FOUND = explanation(
    {"encoder_5": heatmap(ramp()), "x": heatmap(ramp(6, 8), name="x")},
    method="layercam",
    class_index=1,
    class_names=("background", "=lesion"),
)


def evidence(**of_first_stage: object) -> Evidence:
    """Evidence of two stages: what is given of the first, and nothing of the second."""
    stages = {
        "encoder_5": StageEvidence(FOUND.heatmaps["encoder_5"].stage, **of_first_stage),  # type: ignore[arg-type]
        "x": StageEvidence(FOUND.heatmaps["x"].stage),
    }
    return Evidence(stages, 0.75, FirstStage("encoder_5", "why"), 3, 0)


MEASURED = evidence(
    influence=Influence(0.5, 0.25, region_is_mask=True),
    faithfulness=Measurement(0.8, (0.1, 0.2, 0.9)),
    in_out=InOut(Measurement(3.0, (1.0, 2.0)), Measurement(None, undefined="no heat")),
    echo=0.4,
    sanity=0.3,
    stability=0.9,
    off_scan=OffScan(0.1, 0.2, 0.05),
)


def test_there_is_a_row_for_each_stage_with_all_columns() -> None:
    first, second = evidence_rows(7, FOUND, MEASURED)
    assert set(first) == set(second) == set(EVIDENCE_COLUMNS)
    for row, stage in ((first, "encoder_5"), (second, "x")):
        assert [row[name] for name in ("frame", "class", "method", "stage")] == [7, "=lesion", "layercam", stage]
        assert row["agreement"] == 0.75


def test_each_number_is_beside_its_null() -> None:
    row, _ = evidence_rows(0, FOUND, MEASURED)
    assert (row["influence"], row["influence_on_score"]) == (0.5, 0.25)
    assert (row["faithfulness"], row["faithfulness_p"]) == (0.8, 0.5)
    assert row["faithfulness_null"] == pytest.approx(0.4)
    assert (row["ratio"], row["ratio_null"], row["ratio_p"]) == (3.0, 1.5, pytest.approx(1 / 3))
    assert (row["echo"], row["sanity"], row["stability"]) == (0.4, 0.3, 0.9)
    assert (row["off_scan"], row["off_scan_ring"]) == (0.1, 0.2)
    assert row["statement"].startswith("hiding it costs the mask 50 %")


def test_what_has_no_number_has_a_reason() -> None:
    row, _ = evidence_rows(0, FOUND, MEASURED)
    assert (row["share"], row["share_null"], row["share_p"]) == (None, None, None)
    assert row["undefined"] == "share: no heat"


def test_what_was_not_measured_is_empty_and_has_no_reason() -> None:
    _, row = evidence_rows(0, FOUND, MEASURED)
    measured = {name: row[name] for name in list(EVIDENCE_COLUMNS)[4:] if name not in ("agreement", "shown_first")}
    assert measured == {**dict.fromkeys(measured), "takes_part": "", "undefined": "", "statement": ""}


def test_what_was_to_be_measured_but_has_no_number_has_a_reason() -> None:
    _, row = evidence_rows(0, FOUND, MEASURED, ("influence", "echo", "off_scan"))
    reasons = dict(part.split(": ", 1) for part in row["undefined"].split("; "))
    assert set(reasons) == {"influence", "echo", "off_scan"}
    assert reasons["off_scan"] == "it is not known which part of the frame shows the scan"
    assert {row["shown_first"]} == {"encoder_5"}


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (Influence(0.5, 0.1, region_is_mask=True), "yes"),
        (Influence(0.01, 0.9, region_is_mask=True), "no"),
        (Influence(0.5, None, region_is_mask=False), ""),
        (None, ""),
    ],
)
def test_whether_a_stage_takes_part_is_a_word(measured: Influence | None, words: str) -> None:
    assert evidence_rows(0, FOUND, evidence(influence=measured))[0]["takes_part"] == words


def test_a_number_that_is_not_finite_is_empty_and_named() -> None:
    row, _ = evidence_rows(0, FOUND, evidence(echo=math.nan))
    assert row["echo"] is None
    assert row["undefined"] == "no finite number: echo"


def test_the_table_is_read_by_pandas(tmp_path: Path) -> None:
    rows = [row for frame in (0, 1) for row in evidence_rows(frame, FOUND, MEASURED)]
    write_evidence(tmp_path / "evidence.csv", rows)
    table = pandas.read_csv(tmp_path / "evidence.csv")
    assert list(table.columns) == list(EVIDENCE_COLUMNS)
    assert table["frame"].tolist() == [0, 0, 1, 1]
    assert table["class"].tolist() == ["'=lesion"] * 4, "no spreadsheet computes it"
    assert table["faithfulness"].isna().tolist() == [False, True] * 2
    assert table["ratio"].iloc[2] == 3.0
