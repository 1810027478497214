"""A frame whose pixels are not square is computed in its true shape, and results are on its own pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

import napari_segcam as sc
from napari_segcam.evidence.sanity import sanity
from napari_segcam.evidence.views import views
from napari_segcam.explanation.frame_replay import FrameReplay
from napari_segcam.network.model_card import SizeRule

RADIUS = 9
TALL = 4 / 3  # times as high as wide
RULES = {"pad": SizeRule(rule="pad"), "letterbox": SizeRule(rule="letterbox", height=144, width=128)}
STAGE = "match"


class Discs(nn.Module):
    """Finds discs of one radius, but not ellipses; the mask is a square around each disc's center."""

    def __init__(self) -> None:
        super().__init__()
        side = 2 * RADIUS + 9
        offsets = torch.arange(side) - side // 2
        distance = (offsets[:, None] ** 2 + offsets[None] ** 2).sqrt()
        disc = (distance <= RADIUS).float()
        ring = ((distance > RADIUS) & (distance <= RADIUS + 4)).float()
        self.match = nn.Conv2d(1, 1, side, padding=side // 2, bias=False)
        self.match.weight.data[0, 0] = disc / disc.sum() - ring / ring.sum()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 40 * (F.max_pool2d(self.match(x), 13, 1, 6) - 0.84)


def explainer_of(rule: SizeRule = RULES["pad"]) -> sc.Explainer:
    card = sc.ModelCard(input_channels=1, normalization="unit", size=rule, class_names=("disc",))
    return sc.Explainer(sc.Network.from_module(Discs(), card, device="cpu"), "gradcam", [STAGE])


def scene(rows: float = 1.0, columns: float = 1.0) -> NDArray[np.uint8]:
    """Return two discs on black, 144 × 120 square pixels, sampled with pixels that are larger by these factors."""
    fine = 8
    y, x = ((np.arange(length * fine) + 0.5) / fine for length in (144, 120))
    picture = np.zeros((144 * fine, 120 * fine), np.float32)
    for middle_y, middle_x in ((40, 30), (100, 84)):
        picture[(y[:, None] - middle_y) ** 2 + (x - middle_x) ** 2 <= RADIUS**2] = 255
    shape = (round(144 / rows), round(120 / columns))
    return F.adaptive_avg_pool2d(torch.from_numpy(picture)[None, None], shape)[0, 0].numpy().round().astype(np.uint8)


def centers(mask: NDArray[np.generic], weights: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the centers of the upper and of the lower half, as shares of the frame."""
    positions = []
    for part in (slice(0, mask.shape[0] // 2), slice(mask.shape[0] // 2, None)):
        heat = np.where(mask[part], weights[part], 0).astype(float)
        y, x = np.indices(heat.shape)
        y = y + part.start + 0.5
        positions.append(
            [(heat * y).sum() / heat.sum() / mask.shape[0], (heat * (x + 0.5)).sum() / heat.sum() / mask.shape[1]]
        )
    return np.array(positions)


def enlarge(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Enlarge a mask with torch's own interpolation."""
    enlarged = F.interpolate(torch.from_numpy(mask).float()[None, None], shape, mode="bilinear", align_corners=False)
    return (enlarged[0, 0] > 0.5).numpy()


SQUEEZED = {"rows": ({"rows": TALL}, TALL), "columns": ({"columns": 1.5}, 1 / 1.5)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("squeezed", SQUEEZED)
def test_a_squeezed_frame_has_the_mask_and_the_heat_of_the_square_one(rule: str, squeezed: str) -> None:
    sides, aspect = SQUEEZED[squeezed]
    frame, square, explainer = scene(**sides), scene(), explainer_of(RULES[rule])
    expected = explainer(square)
    result = explainer(frame, pixel_aspect=aspect)
    assert result.mask.shape == result.region.shape == frame.shape
    assert expected.mask.sum() > 0
    assert (enlarge(result.mask, square.shape) != expected.target_mask).mean() < 0.01
    assert abs(result.mask.mean() / expected.mask.mean() - 1) < 0.25
    heat = [explanation.heatmaps[STAGE].on_frame() for explanation in (result, expected)]
    positions = [centers(values > 0.5, values) for values in heat]
    np.testing.assert_allclose(positions[0], positions[1], atol=0.005)
    np.testing.assert_allclose(positions[1], [[40 / 144, 30 / 120], [100 / 144, 84 / 120]], atol=0.005)
    assert not explainer(frame).mask.any()  # as ellipses they are not found


def test_with_a_crop_the_same_is_found_in_it_and_nothing_around_it() -> None:
    frame, explainer = scene(rows=TALL), explainer_of()
    whole = explainer(frame, pixel_aspect=TALL)
    lower = slice(54, 108), slice(60, 120)
    result = explainer(frame, crop=lower, pixel_aspect=TALL)
    assert result.mask[lower].any()
    np.testing.assert_array_equal(result.mask[lower], whole.mask[lower])
    assert result.mask.sum() == result.mask[lower].sum() < whole.mask.sum()


def test_single_compared_and_batched_frames_have_the_same_layout() -> None:
    frame, explainer = scene(rows=TALL), explainer_of()
    alone = explainer(frame, pixel_aspect=TALL)
    (compared,) = explainer.compare(frame, [sc.Target()], pixel_aspect=TALL)
    (in_turn,) = explainer.each([frame], pixel_aspect=TALL)
    for other in (compared, in_turn):
        np.testing.assert_array_equal(other.mask, alone.mask)
        np.testing.assert_array_equal(other.heatmaps[STAGE].values, alone.heatmaps[STAGE].values)
    assert explainer.estimate(frame, pixel_aspect=TALL).forwards == 1
    provenance = alone.provenance
    assert (provenance["frame_shape"], provenance["pixel_aspect"], provenance["content_shape"]) == (
        [108, 120],
        TALL,
        [144, 120],
    )


def test_evidence_sees_the_frame_as_it_was_explained() -> None:
    frame, explainer = scene(rows=TALL), explainer_of()
    result = explainer(frame, pixel_aspect=TALL)
    frame_views = views(result, explainer, frame)
    assert frame_views.agreement is not None
    assert frame_views.agreement > 0.7  # as ellipses, the views would find nothing
    assert FrameReplay(explainer.network, result, frame).explanation is result
    assert set(sanity(result, explainer, frame, draws=1)) == {STAGE}
    assert set(sc.measure_evidence(result, explainer, frame, draws=19).stages) == {STAGE}


@pytest.mark.parametrize("aspect", [0.0, -1.0, float("nan"), float("inf"), 1e12, 1e6])
def test_an_impossible_aspect_is_refused(aspect: float) -> None:
    with pytest.raises(sc.SegcamError, match="times as high as wide"):
        explainer_of()(scene(), pixel_aspect=aspect)
