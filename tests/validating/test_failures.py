"""Failures: planted cases of each kind, what they share, and doubt over cases, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from studies import write_run

from napari_segcam.reporting.evidence_summary.risk import risk_coverage, risk_curve
from napari_segcam.reporting.report.document import Bullets, Cards, Paragraph, Subheading, Table
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.reporting.report.sheets import size_of
from napari_segcam.validating.failures.analysis import FailureAnalysis, analyze_failures
from napari_segcam.validating.failures.doubt_curve import doubt_curve, doubt_text
from napari_segcam.validating.failures.kinds import FailureLimits, kind_of
from napari_segcam.validating.failures.shared import ANY_FAILURE
from napari_segcam.validating.failures.sorting import failure_rows, worst_cases
from napari_segcam.validating.figures import frames_of
from napari_segcam.validating.pages.failures_section import failure_point, failures_section, shared_text
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.validate import Validation, validate

GOOD: dict[str, Any] = {
    "dice": 0.9,
    "surface_dice": 0.8,
    "findings_true": 1,
    "findings_found": 1,
    "findings_missed": 0,
    "findings_false": 0,
    "findings_split": 0,
    "findings_merged": 0,
}
MISSED = {**GOOD, "dice": 0.0, "pixels": 0, "findings_found": 0, "findings_missed": 1, "surface_dice": None}
FALSE = {**GOOD, "dice": 0.0, "truth_pixels": 0, "findings_true": 0, "findings_found": 0, "findings_false": 1}
KINDS: dict[str, dict[str, Any]] = {
    "missed": MISSED,
    "missed_beside": {**MISSED, "pixels": 50, "findings_false": 1},
    "false": FALSE,
    "doubled": {**GOOD, "findings_false": 1, "findings_split": 1},
    "merged": {**GOOD, "findings_true": 2, "findings_missed": 1, "findings_merged": 1},
    "partly": {**GOOD, "findings_true": 2, "findings_missed": 1},
    "partly_false": {**GOOD, "findings_false": 1},
    "boundary": {**GOOD, "dice": 0.79},
    "outline": {**GOOD, "surface_dice": 0.49},
    "at_the_limits": {**GOOD, "dice": 0.8, "surface_dice": 0.5},
    "both_empty": {**GOOD, "dice": None, "truth_pixels": 0, "pixels": 0, "findings_true": 0, "findings_found": 0},
    "no_truth": {**GOOD, "truth_pixels": None},
}
EXPECTED = {
    "missed": "missed",
    "missed_beside": "missed",
    "false": "false",
    "doubled": "doubled",
    "merged": "doubled",
    "partly": "partly",
    "partly_false": "partly",
    "boundary": "boundary",
    "outline": "boundary",
    "at_the_limits": "fine",
    "both_empty": "fine",
    "no_truth": None,
}


def analyzed(folder: Path, images: dict[str, Any], **options: Any) -> tuple[FailureAnalysis, Validation, Any]:
    subgroups = options.pop("subgroups", None)
    cases = options.pop("cases", None)
    run = read_run(write_run(folder / "run", images, **options))
    validation = validate(run, cases, subgroups)
    return analyze_failures(run, validation), validation, run


def test_planted_cases_of_each_kind_are_sorted_into_it(tmp_path: Path) -> None:
    analysis, _, _ = analyzed(tmp_path, {name: [row] for name, row in KINDS.items()}, failures={"gone": "no file"})
    assert {one.case: one.kind for one in analysis.cases} == {**EXPECTED, "gone": None}
    undefined = {one.case: one.undefined for one in analysis.cases if one.undefined}
    assert undefined == {"no_truth": "there is no true mask", "gone": "its image could not be explained"}


def test_heat_off_the_scan_is_that_of_the_stage_shown_first(tmp_path: Path) -> None:
    """The run has two stages; only the one shown first counts, and a bad mask comes before it."""
    images = {
        "first": [{**GOOD, "overlay_effect": 0.0, "off_scan": 0.6, "shown_first": "decoder_last"}],
        "none": [{**GOOD, "overlay_effect": 0.0, "off_scan": 0.6, "shown_first": "another"}],
        "less": [{**GOOD, "overlay_effect": 0.0, "off_scan": 0.4, "shown_first": "decoder_last"}],
        "missed": [{**MISSED, "overlay_effect": 0.0, "off_scan": 0.6, "shown_first": "decoder_last"}],
    }
    analysis, _, _ = analyzed(tmp_path, images)
    kinds = {one.case: one.kind for one in analysis.cases}
    assert kinds == {"first": "off scan", "none": "fine", "less": "fine", "missed": "missed"}
    assert analysis.has_off_scan


def test_a_run_without_counts_of_findings_still_tells_missed_ones() -> None:
    row = {"truth_pixels": 10, "pixels": 10, "dice": 0.0}
    assert kind_of(row, None, FailureLimits()) == ("missed", "")
    assert kind_of({**row, "dice": 0.5}, None, FailureLimits()) == ("boundary", "")
    assert kind_of({**row, "dice": 0.5}, None, FailureLimits(dice=0.5)) == ("fine", "")
    assert kind_of({**row, "dice": None}, None, FailureLimits()) == (None, "the run did not measure its Dice")


@pytest.mark.parametrize(
    ("frames", "kind", "counts"),
    [
        ([GOOD, GOOD, MISSED], "fine", "missed: 1; fine: 2"),
        ([GOOD, MISSED], "missed", "missed: 1; fine: 1"),
        ([GOOD, GOOD, FALSE, MISSED, MISSED], "missed", "missed: 2; false: 1; fine: 2"),
        ([FALSE, MISSED], "missed", "missed: 1; false: 1"),
        ([{**GOOD, "truth_pixels": None}, FALSE], "false", "false: 1"),
    ],
)
def test_a_case_is_of_the_kind_of_most_of_its_frames(tmp_path: Path, frames: Any, kind: str, counts: str) -> None:
    analysis, _, _ = analyzed(tmp_path, {"cine.avi": frames})
    [row] = failure_rows(analysis.cases)
    assert (row["kind"], row["frames_by_kind"]) == (kind, counts)


def test_the_image_shown_of_a_case_is_the_one_with_most_frames_of_its_kind(tmp_path: Path) -> None:
    images = {"a.avi": [MISSED, GOOD, GOOD], "b.avi": [MISSED, MISSED, MISSED]}
    analysis, _, _ = analyzed(tmp_path, images, cases=dict.fromkeys(images, "P01"))
    [one] = analysis.cases
    assert (one.case, one.kind, one.image, one.frames) == ("P01", "missed", "b.avi", 6)


def test_each_kind_gives_its_worst_case_in_turn(tmp_path: Path) -> None:
    images = {f"edge_{number}": [{**GOOD, "dice": 0.1 * number}] for number in range(1, 6)}
    images |= {f"missed_{number}": [{**MISSED, "truth_pixels": number}] for number in (10, 30, 20)}
    analysis, _, _ = analyzed(tmp_path, images)
    assert [one.case for one in worst_cases(analysis.cases, 4)] == ["missed_30", "missed_20", "edge_1", "edge_2"]
    assert [one.case for one in worst_cases(analysis.cases, 7)][3:] == [f"edge_{number}" for number in (1, 2, 3, 4)]
    assert len(worst_cases(analysis.cases, 100)) == 8


def test_what_failures_share_stands_beside_all_cases(tmp_path: Path) -> None:
    """3 of 4 missed cases have the linear probe, and 4 of 10 of all; one of these fails in another way."""
    linear = ["P0", "P1", "P2", "P3"]
    missed = ["P0", "P1", "P2", "P9"]
    images = {f"P{number}": [MISSED if f"P{number}" in missed else GOOD] for number in range(10)}
    images["P3"] = [{**GOOD, "dice": 0.3}]
    images["P8"] = [{**GOOD, "truth_pixels": None}]
    probes = [{"case": case, "probe": "linear" if case in linear else "convex"} for case in images if case != "P9"]
    analysis, _, _ = analyzed(tmp_path, images, subgroups=probes)
    shares = {
        (one.kind, one.group): (str(one.failures), str(one.cases))
        for one in analysis.shared
        if one.attribute == "probe"
    }
    assert shares["missed", "linear"] == ("3 of 4", "4 of 9"), "P8 cannot be sorted, so it is in no share"
    assert shares["boundary", "linear"] == ("1 of 1", "4 of 9")
    assert shares[ANY_FAILURE, "linear"] == ("4 of 5", "4 of 9")
    assert shares["missed", "not stated"] == ("1 of 4", "1 of 9")
    assert ("missed", "convex") not in shares
    telling = next(one for one in analysis.shared if (one.kind, one.group) == ("missed", "linear"))
    assert shared_text(telling) == "3 of 4 missed cases are probe: linear; 4 of 9 of all are."


def test_failures_share_doubt_and_graphics_where_the_run_has_them(tmp_path: Path) -> None:
    def row(failed: bool, doubt: float | None, effect: float) -> dict[str, Any]:
        null = {"overlay_effect_null": 0.01, "overlay_effect_p": 0.02}
        return {**(MISSED if failed else GOOD), "doubt": doubt, "overlay_effect": effect, **null}

    images = {
        "P0": [row(True, 0.9, 0.5)],
        "P1": [row(True, None, 0.0)],
        "P2": [row(False, 0.8, 0.0)],
        "P3": [row(False, 0.1, 0.6)],
        "P4": [row(False, 0.2, 0.0)],
    }
    analysis, _, _ = analyzed(tmp_path, images)
    shares = {(one.attribute, one.group): (str(one.failures), str(one.cases)) for one in analysis.shared}
    assert shares["doubt", "highest third"] == ("1 of 1", "2 of 4")
    assert shares["burned-in graphics", "mask hangs on them"] == ("1 of 2", "2 of 5")


def test_the_section_has_a_table_the_worst_and_what_is_not_measured(tmp_path: Path) -> None:
    analysis, validation, run = analyzed(tmp_path, {name: [row] for name, row in KINDS.items()})
    blocks = failures_section(analysis, run, Names(validation.assigned, anonymous=False), linked=True).blocks
    table = next(block for block in blocks if isinstance(block, Table))
    assert [(row[0], row[2]) for row in table.rows] == [
        ("Missed", "2"),
        ("False", "1"),
        ("Doubled", "2"),
        ("Partly found", "2"),
        ("Boundary", "2"),
        ("Heat off the scan", "0"),
        ("Fine", "2"),
    ]
    texts = [block.text for block in blocks if isinstance(block, Paragraph)]
    assert "Not sorted: 1 case: there is no true mask." in texts
    assert any("did not measure: heat off the scan, doubt, the effect of burned-in graphics" in text for text in texts)
    assert any("that takes batch --features and at least 5 cases" in text for text in texts)
    headings = [block.text for block in blocks if isinstance(block, Subheading)]
    assert headings == [f"fibroid: {name}" for name in ("missed", "false", "doubled", "partly found", "boundary")]
    cards = [card for block in blocks if isinstance(block, Cards) for card in block.cards]
    assert [card.name for card in cards[:2]] == ["missed", "missed_beside"]
    assert cards[0].note == "Dice 0.000; 1 of 1 frame"
    assert cards[0].anchor == f"image-{1 + [image.name for image in run.images].index('missed')}"
    point = failure_point(analysis)
    assert point == (
        "Failures",
        "9 of 11 cases failed: 2 missed, 1 false, 2 doubled, 2 partly found, 2 boundary.",
    )


def test_the_worst_are_shown_with_the_picture_of_their_own_image(tmp_path: Path) -> None:
    analysis, validation, run = analyzed(tmp_path, {"bad": [MISSED], "good": [GOOD], "worse": [FALSE]})
    images = []
    for number, image in enumerate(run.images):
        sheet = tmp_path / f"{image.name}.jpg"
        Image.new("RGB", (20 + number, 10)).save(sheet)
        images.append(replace(image, sheet=sheet))
    blocks = failures_section(analysis, replace(run, images=tuple(images)), Names(validation.assigned, True)).blocks
    cards = [card for block in blocks if isinstance(block, Cards) for card in block.cards]
    widths = [size_of(card.sheet)[0] for card in cards if card.sheet]
    places = {image.name: 20 + number for number, image in enumerate(run.images)}
    assert widths == [places["bad"], places["worse"]]
    assert all(card.name.startswith("case ") and not card.anchor for card in cards)


def test_a_run_without_a_truth_has_no_kinds(tmp_path: Path) -> None:
    analysis, validation, run = analyzed(tmp_path, {"a": [{**GOOD, "truth_pixels": None}]})
    blocks = failures_section(analysis, run, Names(validation.assigned, anonymous=False)).blocks
    assert not [block for block in blocks if isinstance(block, Table | Cards | Bullets)]
    assert failure_point(analysis) is None


def test_setting_aside_doubtful_cases_by_hand(tmp_path: Path) -> None:
    """Dice of ten cases falls with doubt from 0.9 to 0.0; without two of them the median of eight is left."""
    images = {
        f"P{number}": [{**GOOD, "dice": 0.9 - 0.1 * number, "overlay_effect": 0.0, "doubt": 0.1 * number}]
        for number in range(10)
    }
    images["P_"] = [{**GOOD, "overlay_effect": 0.0, "doubt": None}]
    _, validation, run = analyzed(tmp_path, images)
    curve = doubt_curve(frames_of(run, validation.assigned))
    assert curve is not None
    assert curve.risks[0] == pytest.approx(0.1)
    assert curve.risks[1] == pytest.approx((0.1 + 0.2) / 2)
    assert curve.risks[-1] == pytest.approx(0.55) == pytest.approx(curve.area.random)
    assert curve.risks == pytest.approx(curve.perfect), "the order of doubt is the best there is"
    words = doubt_text(curve)
    assert words.startswith(
        "Without the 2 most doubtful of 10 cases (20.0 %) the median Dice is 0.550 instead of 0.450."
    )
    assert "1 case without a doubt or a Dice" in words


def test_cases_of_equal_doubt_share_their_risk_and_are_kept_together(tmp_path: Path) -> None:
    images = {
        f"P{number}": [{**GOOD, "dice": dice, "overlay_effect": 0.0, "doubt": doubt}]
        for number, (dice, doubt) in enumerate([(0.9, 0.1), (0.4, 0.5), (0.8, 0.5), (0.6, 0.5), (0.2, 0.5)])
    }
    _, validation, run = analyzed(tmp_path, images)
    curve = doubt_curve(frames_of(run, validation.assigned))
    assert curve is not None
    assert curve.risks[1] == pytest.approx((0.1 + 0.5) / 2), "0.5 is the mean risk of the four"
    assert "No case can be set aside" in doubt_text(curve)


def test_without_doubt_there_is_no_curve(tmp_path: Path) -> None:
    _, validation, run = analyzed(tmp_path, {"P0": [GOOD], "P1": [GOOD]})
    assert doubt_curve(frames_of(run, validation.assigned)) is None


def test_the_area_is_the_mean_of_the_curve() -> None:
    doubts, risks = [0.3, 0.1, 0.2], [0.6, 0.0, 0.3]
    area = risk_coverage(doubts, risks)
    assert area is not None
    assert risk_curve(doubts, risks) == pytest.approx([0.0, 0.15, 0.3])
    assert area.area == pytest.approx(0.15)
