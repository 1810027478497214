"""The figures of a report, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from made_run import row

from napari_segcam.reporting.report.attention import reference_key
from napari_segcam.reporting.report.finished_run import ReportedImage
from napari_segcam.reporting.report.measures import Distribution, HeatmapKey, Measure, heatmap_keys, report_cases
from napari_segcam.reporting.report.outliers import find_outliers, modified_z_scores
from napari_segcam.reporting.report.text import drawable, plain, printable

PLACE = HeatmapKey("fibroid", "gradcam", "encoder_5")


def image(*rows: dict[str, object], name: str = "a.png") -> ReportedImage:
    return ReportedImage(name, "t.png", len(rows), rows, None)


def test_a_cine_counts_as_the_median_of_the_frames_that_have_a_value() -> None:
    ratios = (1.0, 2.0, 9.0, None)
    rows = [row("a.png", 0, *PLACE, frame=frame, ratio=one) for frame, one in enumerate(ratios)]
    assert report_cases([image(*rows)])[0].heat[PLACE].ratio == Measure(2.0)


def test_what_is_undefined_has_the_most_frequent_reason_and_no_value() -> None:
    reasons = ("rare", "frequent", "frequent")
    rows = [row("a.png", 0, *PLACE, frame=frame, ratio=None, undefined=one) for frame, one in enumerate(reasons)]
    assert report_cases([image(*rows)])[0].heat[PLACE].ratio == Measure(None, "frequent")


def test_numbers_that_are_not_finite_are_undefined() -> None:
    case = report_cases([image(row("a.png", 0, *PLACE, ratio=math.inf, mean=math.nan))])[0]
    assert case.heat[PLACE].ratio.value is None
    assert case.heat[PLACE].mean.value is None


def test_dice_counts_once_per_frame_however_many_stages() -> None:
    rows = [row("a.png", 0, "fibroid", "gradcam", stage, frame=0, dice=0.2) for stage in ("encoder_1", "encoder_5")]
    rows += [row("a.png", 0, *PLACE, frame=frame, dice=0.8) for frame in (1, 2)]
    assert report_cases([image(*rows)])[0].findings["fibroid"].dice.value == 0.8


def test_a_cine_is_empty_where_most_of_its_frames_are() -> None:
    rows = [row("a.png", 0, *PLACE, frame=frame, empty=one) for frame, one in enumerate(("none", "none", ""))]
    assert report_cases([image(*rows)])[0].heat[PLACE].empty == "none"
    assert report_cases([image(*rows[1:])])[0].heat[PLACE].empty == ""


def test_a_distribution_leaves_the_undefined_out_and_counts_them() -> None:
    found = Distribution.of([*map(Measure, (1.0, 2.0, 3.0, 10.0)), Measure(None, "why"), Measure(None, "why")])
    assert (found.count, found.undefined, found.mean, found.median) == (4, {"why": 2}, 4.0, 2.5)
    assert (found.lower_quartile, found.upper_quartile) == (1.75, 4.75)
    assert found.std == pytest.approx(math.sqrt(50 / 3))


def test_a_distribution_of_nothing_has_no_mean() -> None:
    found = Distribution.of([Measure(None, "why")])
    assert (found.count, found.mean, found.median) == (0, None, None)


def test_places_keep_the_order_of_the_run() -> None:
    stages = ("encoder_5", "encoder_1", "decoder_last")
    rows = [row("a.png", 0, "b", method, stage) for method in ("z", "a") for stage in stages]
    assert heatmap_keys(report_cases([image(*rows)])) == [
        HeatmapKey("b", method, stage) for method in "za" for stage in stages
    ]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (("encoder_1", "encoder_5", "decoder_last"), "encoder_5"),
        (("d4.conv", "d3.conv"), "d4.conv"),
    ],
)
def test_images_are_compared_at_the_deepest_encoder_stage(stages: tuple[str, ...], expected: str) -> None:
    places = [HeatmapKey("fibroid", method, stage) for method in ("gradcam", "layercam") for stage in stages]
    assert reference_key(places, "fibroid") == HeatmapKey("fibroid", "gradcam", expected)


def test_modified_z_scores_are_those_of_the_book() -> None:
    # median 3, deviations 2 1 0 1 7, their median 1
    assert modified_z_scores([1, 2, 3, 4, 10]) == pytest.approx([-1.349, -0.6745, 0, 0.6745, 4.7215])


def test_values_that_are_mostly_the_same_have_no_outlier() -> None:
    assert modified_z_scores([5, 5, 5, 9]) == [0, 0, 0, 0]


def test_the_outlier_is_found_by_its_ratio_and_by_its_low_dice_but_not_by_a_high_one() -> None:
    images = [
        image(row(f"{n}.png", n, *PLACE, ratio=2 + n / 50, truth_ratio=None, dice=0.8 + n / 500), name=f"{n}.png")
        for n in range(12)
    ]
    images.append(image(row("hot.png", 0, *PLACE, ratio=40.0, truth_ratio=None, dice=0.99), name="hot.png"))
    images.append(image(row("low.png", 0, *PLACE, ratio=2.2, truth_ratio=None, dice=0.1), name="low.png"))
    found = find_outliers(report_cases(images), [PLACE])
    assert {(one.case.name, one.figure.split()[0], one.score > 0) for one in found} == {
        ("hot.png", "in/out", True),
        ("low.png", "Dice", False),
    }


def test_few_images_are_not_judged() -> None:
    images = [image(row("a.png", 0, *PLACE, ratio=ratio)) for ratio in (1.0, 1.1, 1.2, 1.3, 99.0)]
    assert find_outliers(report_cases(images), [PLACE]) == []


def test_settings_are_read_as_words() -> None:
    assert plain({"size": {"rule": "pad"}, "names": ["a", "b"], "preview": False, "crop": None}) == (
        "size (rule pad); names a, b; preview no"
    )


def test_what_cannot_be_printed_or_drawn_is_written_out() -> None:
    assert printable("a\x07\u202eb\udcff子") == "a\\x07\\u202eb\\udcff子"
    assert drawable("größer 子") == "größer \\u5b50"
