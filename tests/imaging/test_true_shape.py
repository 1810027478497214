"""What the files say of their pixels' shape is what the network's input follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.geometry import Geometry, lay_out
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.model_card import ModelCard, SizeRule

PAD = SizeRule(rule="pad")


@pytest.mark.parametrize(
    ("rule", "aspect", "content", "size", "offset"),
    [
        (PAD, 4 / 3, (120, 100), (128, 112), (0, 0)),
        (PAD, 0.5, (90, 200), (96, 208), (0, 0)),
        (PAD, 1.009, (90, 100), (96, 112), (0, 0)),  # square, but for what rounding does
        (SizeRule(rule="resize"), 4 / 3, (128, 96), (128, 96), (0, 0)),  # to the nearest multiples of 16
        (SizeRule(rule="resize", height=64, width=64), 4 / 3, (64, 64), (64, 64), (0, 0)),  # stretched in any case
        (SizeRule(rule="letterbox", height=64, width=64), 4 / 3, (64, 53), (64, 64), (0, 5)),
    ],
)
def test_the_input_holds_the_frame_in_its_true_shape(rule, aspect, content, size, offset):
    assert lay_out((90, 100), rule, 16, pixel_aspect=aspect) == Geometry(
        (90, 100), size, content, offset, pixel_aspect=aspect
    )


def test_pixels_are_torchs_interpolation_there_and_back():
    frame = torch.from_numpy(np.random.default_rng(0).random((90, 100), dtype=np.float32))
    card = ModelCard(input_channels=1, size=PAD, normalisation="none")
    x, geometry = prepare(frame.numpy(), card, 16, pixel_aspect=4 / 3)
    expected = F.interpolate(frame[None, None], (120, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(x[..., :120, :100], expected, atol=1e-6, rtol=0)
    back = F.interpolate(x[..., :120, :100], (90, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(geometry.to_frame(x), back, atol=1e-6, rtol=0)


def test_a_map_of_a_stage_lies_where_its_pixels_came_from():
    geometry = lay_out((90, 100), PAD, 16, (slice(30, 90), slice(20, 100)), 4 / 3)
    scale, translate = geometry.placement((5, 5))  # of an input of 80 × 80, stride 16
    assert geometry.input_shape == (80, 80)
    assert scale == (12, 16)
    assert translate == (30 + 5.5, 20 + 7.5)


def test_a_cine_says_the_shape_and_that_it_is_followed():
    cine = ArrayCine(np.zeros((60, 80), np.uint8), spacing_mm=(0.4, 0.3))
    assert cine.pixel_aspect == pytest.approx(4 / 3)
    (note,) = (note for note in cine.notes if "not square" in note)
    assert "as if they were square" not in note
    assert not any(
        "not square" in note for note in ArrayCine(np.zeros((60, 80), np.uint8), spacing_mm=(0.3, 0.301)).notes
    )
