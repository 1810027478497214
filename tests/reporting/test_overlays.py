"""Overlays: each kind of picture shows the heat, the mask and the frame where they are."""

from __future__ import annotations

import numpy as np
import pytest
from made_explanations import SHAPE, explanation, heatmap, ramp
from test_sheets import holds

from napari_segcam.explanation.emptiness import Reason
from napari_segcam.reporting.figures import color_heat, display, fit_to_tile, outline_pixels, with_heat, with_mask
from napari_segcam.reporting.heat_scale import HeatScale, scale_heatmap
from napari_segcam.reporting.layout import Bar
from napari_segcam.reporting.overlay_style import OverlayStyle
from napari_segcam.reporting.overlays import color_bar, empty_message, overlay

PICTURE = display(np.random.default_rng(1).integers(0, 255, SHAPE, dtype=np.uint8))
MASK = explanation({}).mask
STYLE = OverlayStyle(colormap="viridis", opacity=0.4)
SIGNED_VALUES = ramp() - 2


@pytest.mark.parametrize(("values", "signed"), [(ramp(), False), (SIGNED_VALUES, True)])
def test_the_heat_lies_over_the_frame_in_the_style(values: np.ndarray, signed: bool) -> None:
    one = heatmap(values, signed=signed)
    expected = with_heat(PICTURE, one.on_frame(), "viridis", 0.4, signed=signed)
    np.testing.assert_array_equal(overlay("heat", PICTURE, one, MASK, STYLE), expected)


def test_the_contour_adds_the_outline_in_the_color_of_the_class_and_nothing_else() -> None:
    one = heatmap(ramp())
    heat, contour = (overlay(kind, PICTURE, one, MASK, STYLE, colors=("#ff0080",)) for kind in ("heat", "contour"))
    outline = outline_pixels(MASK > 0)
    np.testing.assert_array_equal(contour[~outline], heat[~outline])
    assert (contour[outline] == (255, 0, 128)).all()


def test_side_by_side_shows_the_frame_the_heat_and_the_mask() -> None:
    one = heatmap(ramp())
    sheet = overlay("side-by-side", PICTURE, one, np.zeros_like(MASK), STYLE)
    assert holds(sheet, fit_to_tile(PICTURE))
    assert holds(sheet, fit_to_tile(color_heat(one.on_frame(), "viridis")))
    with_a_mask = overlay("side-by-side", PICTURE, one, MASK, STYLE)
    assert holds(with_a_mask, fit_to_tile(with_mask(PICTURE, MASK)))
    assert not holds(sheet, fit_to_tile(with_mask(PICTURE, MASK)))


def test_side_by_side_leaves_what_the_network_did_not_see_gray() -> None:
    one = heatmap(ramp(), crop=(20, 68, 32, 96))
    sheet = overlay("side-by-side", PICTURE, one, np.zeros_like(MASK), STYLE)
    heat = np.full_like(PICTURE, 32)
    heat[20:68, 32:96] = color_heat(one.on_frame(), "viridis")[20:68, 32:96]
    assert holds(sheet, fit_to_tile(heat))


def test_on_a_shared_scale_the_same_value_has_the_same_color() -> None:
    """Half of the clip's largest value is drawn in the middle of the colormap, whatever the map's own largest is."""
    faint = heatmap(np.full((3, 4), 3.0))
    drawn = overlay("heat", PICTURE, faint, MASK, OverlayStyle(opacity=1), scale=HeatScale(0, 6))
    np.testing.assert_array_equal(scale_heatmap(faint, HeatScale(0, 6)), np.full(SHAPE, 0.5, np.float32))
    np.testing.assert_array_equal(drawn, color_heat(np.full(SHAPE, 0.5, np.float32)))


@pytest.mark.parametrize("kind", ["heat", "contour"])
def test_an_empty_heatmap_leaves_the_frame_as_it_is(kind: str) -> None:
    empty = heatmap(np.zeros((3, 4)), reason=Reason.NOTHING_POSITIVE)
    drawn = overlay(kind, PICTURE, empty, np.zeros_like(MASK), STYLE)
    np.testing.assert_array_equal(drawn, PICTURE)


def test_an_empty_heatmap_is_named_side_by_side() -> None:
    empty = heatmap(np.zeros((3, 4)), reason=Reason.EMPTY_REGION)
    sheet = overlay("side-by-side", PICTURE, empty, np.zeros_like(MASK), STYLE)
    black_map = fit_to_tile(color_heat(np.zeros(SHAPE, np.float32), "viridis"))
    assert not holds(sheet, black_map), "it is not shown as a map without heat"
    assert empty_message(Reason.EMPTY_REGION) == f"Empty: {Reason.EMPTY_REGION.value}."


def test_the_color_bar_states_the_raw_values_at_its_ends() -> None:
    assert color_bar(STYLE, HeatScale(0, 1270.4), "all frames", signed=False) == Bar(
        "viridis", "0", "1270 (all frames)", signed=False
    )
    assert color_bar(STYLE, HeatScale(-0.25, 0.25), "this map", signed=True) == Bar(
        "viridis", "-0.25", "0.25 (this map)", signed=True
    )
