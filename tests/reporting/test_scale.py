from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_explanations import SHAPE, heatmap, ramp

from napari_segcam.reporting.heat_scale import HeatScale, heatmap_scale, scale_heatmap, shared_scale


def test_by_default_a_map_is_drawn_as_the_reference_libraries_do() -> None:
    one = heatmap(ramp() + 2)
    np.testing.assert_array_equal(scale_heatmap(one), one.on_frame())


@pytest.mark.parametrize(("values", "signed"), [(ramp() + 2, False), (ramp() - 2, True)])
def test_the_own_scale_says_which_values_the_ends_are(values: np.ndarray, signed: bool) -> None:
    one = heatmap(values, signed=signed)
    np.testing.assert_allclose(scale_heatmap(one, heatmap_scale(one)), one.on_frame(), atol=1e-5)
    assert heatmap_scale(one) == (HeatScale(-4, 4) if signed else HeatScale(2, 8))


def test_on_a_shared_scale_twice_the_heat_is_twice_as_bright() -> None:
    faint, strong = heatmap(ramp(highest=2)), heatmap(ramp(highest=4))
    scale = shared_scale([faint, strong])
    assert scale == HeatScale(0, 4)
    np.testing.assert_allclose(2 * scale_heatmap(faint, scale), scale_heatmap(strong, scale), atol=1e-6)


def test_a_shared_scale_begins_at_no_evidence_and_of_signed_maps_goes_both_ways() -> None:
    assert shared_scale([heatmap(ramp() + 2)]) == HeatScale(0, 8)
    assert shared_scale([heatmap(ramp() - 5, signed=True), heatmap(ramp() - 3, signed=True)]) == HeatScale(-5, 5)


def test_outside_of_the_crop_there_is_no_heat_on_any_scale() -> None:
    one = heatmap(ramp() + 1, crop=(10, 70, 20, 100))
    for drawn in (scale_heatmap(one, HeatScale(-5, 5)), scale_heatmap(one)):
        assert drawn.shape == SHAPE
        assert not drawn[:10].any()
        assert not drawn[:, 100:].any()
        assert drawn[10:70, 20:100].any()


def test_maps_of_nothing_have_no_heat() -> None:
    nothing = heatmap(np.zeros((3, 4)))
    assert not scale_heatmap(nothing, shared_scale([nothing])).any()
    assert shared_scale([]) == HeatScale(0, 0)


def test_outliers_do_not_set_the_scale() -> None:
    values = ramp(30, 40) + 2
    values[0, 0] = 1000
    one = replace(heatmap(values), has_outliers=True)
    assert heatmap_scale(one).high == one.peak < 10
    assert shared_scale([one]).high == one.peak
