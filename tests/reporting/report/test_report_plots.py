"""Plots: each shows the values it is given, as SVG and as PNG, the same every time."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.plots import BLUE, VERMILION, plot_areas, plot_profile, plot_ratios, plot_scores

STAGES = {"encoder_1": [0.5, 1.0, 2.0], "encoder_5": [3.0, 4.0]}


def uses(plot: Plot, color: str) -> int:
    """How many points of a color are drawn."""
    root = ET.fromstring(plot.svg)
    return sum(color.lower() in (node.get("style") or "") for node in root.iter("{http://www.w3.org/2000/svg}use"))


def dark_pixels(plot: Plot) -> int:
    return int((np.asarray(Image.open(io.BytesIO(plot.png)).convert("L")) < 250).sum())


def test_svg_and_png_have_the_size_that_is_stated() -> None:
    plot = plot_ratios({"gradcam": STAGES}, "prediction", BLUE, "alternative", "caption")
    root = ET.fromstring(plot.svg)
    assert float((root.get("width") or "").removesuffix("pt")) == pytest.approx(72 * plot.width, abs=0.1)
    width, height = Image.open(io.BytesIO(plot.png)).size
    assert (width, height) == pytest.approx((160 * plot.width, 160 * plot.height), abs=1)
    assert (plot.alternative, plot.caption) == ("alternative", "caption")


def test_every_positive_ratio_is_a_point_and_a_zero_is_none() -> None:
    counts = [
        uses(plot_ratios({"gradcam": {"a": values}}, "truth", VERMILION, "", ""), VERMILION)
        for values in ([1.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0])
    ]
    assert counts == [1, 3, 3]


def test_signed_ratios_are_all_drawn() -> None:
    plot = plot_ratios({"gradcam_signed": {"a": [-2.0, 0.0, 3.0]}}, "prediction", BLUE, "", "")
    assert uses(plot, BLUE) == 3


def test_more_methods_make_a_higher_plot() -> None:
    one, two = (
        plot_ratios(dict.fromkeys(methods, STAGES), "prediction", BLUE, "", "")
        for methods in (("gradcam",), ("gradcam", "layercam"))
    )
    assert two.height > one.height
    assert uses(two, BLUE) == 2 * uses(one, BLUE)


def test_a_profile_has_a_point_for_each_stage_with_values_and_a_line_for_each_region() -> None:
    panels = {"gradcam": {"of the prediction": {**STAGES, "seg_head": []}, "of the truth": STAGES}}
    plot = plot_profile(panels, [2], "", "")
    assert (uses(plot, BLUE), uses(plot, VERMILION)) == (4, 4), "two stages, their band and the legend"
    without_values = plot_profile({"gradcam": {"of the prediction": {"a": [], "b": []}}}, [], "", "")
    assert uses(without_values, BLUE) == 0


def test_scores_are_points_of_every_class() -> None:
    panels = {"Dice": {"cyst": [0.5, 0.9], "a class with a very long name, too long for its place": [0.1]}, "IoU": {}}
    panels["IoU"] = {name: [value / 2 for value in values] for name, values in panels["Dice"].items()}
    assert uses(plot_scores(panels, "", ""), BLUE) == 6


def test_areas_are_drawn_in_both_panels() -> None:
    pairs = [(10.0, 12.0), (20.0, 19.0), (30.0, 33.0)]
    assert uses(plot_areas(pairs, "mm²", "", ""), BLUE) == 2 * len(pairs)


def test_names_with_dollar_signs_are_no_formulas_and_missing_letters_are_written_out() -> None:
    plot = plot_ratios({"$x_1$ 子": {"a$b$": [1.0]}}, "prediction", BLUE, "", "")
    assert dark_pixels(plot) > 1000


def test_the_same_values_give_the_same_bytes() -> None:
    first, second = (plot_ratios({"gradcam": STAGES}, "prediction", BLUE, "", "") for _ in range(2))
    assert (first.svg, first.png) == (second.svg, second.png)
