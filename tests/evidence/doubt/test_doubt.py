"""Doubt of a frame by every measure, on networks whose weaknesses are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_network import frame, planted
from torch import nn

import napari_segcam as sc
from napari_segcam.evidence.doubt.batch_norms import NO_NORMS, batch_norm_distance
from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.doubt.features import pooled_features
from napari_segcam.evidence.doubt.measures import DOUBT_MEASURES
from napari_segcam.evidence.doubt.strong_views import SHIFTS, VIEWS, StrongView, view_maps
from napari_segcam.explanation.explanation import Explanation

LEVELS = (0.0, 255.0)
CARD = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))


class Bright(nn.Module):
    """The mask is the bright part of the image; with ``column``, only while that column is bright in the middle."""

    def __init__(self, column: int | None = None, variance: float = 1.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.norm.running_var.fill_(variance)
        self.column = column

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = 20 * (x - 0.5) + 0 * self.norm(x)
        if self.column is not None:
            row = x.shape[-2] // 2
            logits = logits + 40 * (x[..., row, self.column, None, None] - 0.9).clamp(max=0)
        return logits


def explained(module: nn.Module, image: np.ndarray, card: sc.ModelCard = CARD) -> tuple[sc.Explainer, Explanation]:
    explainer = sc.Explainer(sc.Network.from_module(module, card, device="cpu"), stages=())
    return explainer, explainer(image, None, LEVELS)


def bar() -> np.ndarray:
    """Return a bright bar off the middle, whose left edge is at column 20."""
    image = np.full((64, 96), 30, np.uint8)
    image[20:50, 20:60] = 250
    return image


@pytest.mark.parametrize("name", [name for name, m in DOUBT_MEASURES.items() if m.needs in ("mask", "network")])
def test_every_measure_gives_a_share_or_a_reason(name: str) -> None:
    explainer = sc.Explainer(planted(), stages=())
    result = sc.doubt(explainer(frame(), None, LEVELS), explainer, frame(), LEVELS, measure=name)
    assert result.measure == name
    if name == "batch_norms":
        assert (result.value, result.reason) == (None, NO_NORMS)
    else:
        assert result.value is not None
        assert 0 <= result.value <= 1
    if name == "views_and_norms":
        assert result.reason == f"by views alone: {NO_NORMS}"


@pytest.mark.parametrize("measure", ["views", "views_and_norms"])
def test_a_mask_that_hangs_on_one_column_is_doubtful(measure: str) -> None:
    variance = float(np.var(bar() / 255))
    explainer, result = explained(Bright(None, variance), bar())
    steady = sc.doubt(result, explainer, bar(), LEVELS, measure=measure).value
    explainer, result = explained(Bright(20, variance), bar())
    assert result.mask.any()
    fragile = sc.doubt(result, explainer, bar(), LEVELS, measure=measure).value
    assert steady < 0.1
    assert fragile > 0.25  # one of the two shifts, and the zoom, take the whole mask away


def test_the_distance_of_a_batch_norm_is_that_of_the_logarithms() -> None:
    image = frame()
    explainer, result = explained(Bright(None, 0.3), image)
    expected = abs(np.log((np.var(image / 255) + 1e-5) / (0.3 + 1e-5)))
    assert batch_norm_distance(explainer.network, result, image, LEVELS) == pytest.approx(expected, rel=1e-4)
    doubt = sc.doubt(result, explainer, image, LEVELS, measure="batch_norms")
    assert doubt.value == pytest.approx(1 - np.exp(-expected / 10), rel=1e-4)
    assert not any(part._forward_pre_hooks for part in explainer.network.module.modules())


def test_the_default_joins_views_and_norms() -> None:
    image = frame()
    explainer, result = explained(Bright(None, 0.3), image)
    norms = sc.doubt(result, explainer, image, LEVELS, measure="batch_norms").value
    views = view_maps(result, explainer, image, LEVELS, SHIFTS)
    joined = sc.doubt(result, explainer, image, LEVELS)
    assert joined.value == pytest.approx(1 - views.expected_dice * (1 - norms))
    assert joined.reason is None


@pytest.mark.parametrize("view", [*VIEWS, StrongView()])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_view_is_put_back_in_place(view: StrongView, channels: tuple[int, ...]) -> None:
    rows, columns = np.indices((60, 100))
    disk = np.hypot(rows - 22, columns - 65) < 14
    image = np.broadcast_to(
        np.where(disk, 200, 20).astype(np.uint8).reshape(60, 100, *(1,) * len(channels)), (60, 100, *channels)
    )
    seen_so = view.of(image, LEVELS)
    assert seen_so.shape == image.shape
    probability = (seen_so if not channels else seen_so[..., 1]) / np.float32(255)
    back, seen = view.back(ClassMap(probability, probability > 0.5**view.gamma))
    wrong = (back.mask != disk) & seen
    assert wrong.sum() <= 0.06 * disk.sum()
    assert seen[15:45, 30:70].all()
    if view.shift:
        assert not seen[:, 0 if view.shift < 0 else -1].any()


def test_gamma_keeps_black_and_white() -> None:
    image = np.array([[-1000.0, 0.0, 1000.0]])
    np.testing.assert_allclose(StrongView(gamma=2.0).of(image, (-1000.0, 1000.0)), [[-1000.0, -500.0, 1000.0]])


def test_views_see_the_crop_alone() -> None:
    image = np.pad(bar(), ((10, 0), (0, 30)))
    network = sc.Network.from_module(Bright(), CARD, device="cpu")
    explainer = sc.Explainer(network, stages=())
    cropped = explainer(image, None, LEVELS, (slice(10, 74), slice(0, 96)))
    alone = explainer(bar(), None, LEVELS)
    for measure in ("views_and_norms", "views", "entropy"):
        within = sc.doubt(cropped, explainer, image, LEVELS, measure=measure).value
        assert within == pytest.approx(sc.doubt(alone, explainer, bar(), LEVELS, measure=measure).value)
    doubtful = sc.doubt_map(cropped)
    assert doubtful.shape == image.shape
    assert not doubtful[:10].any()
    assert not doubtful[:, 96:].any()
    assert doubtful.max() > 0


def test_the_map_of_views_shows_where_they_disagree() -> None:
    explainer, result = explained(Bright(20), bar())
    by_views = sc.doubt_map(result, view_maps(result, explainer, bar(), LEVELS))
    assert by_views.shape == bar().shape
    assert by_views[25:45, 25:55].min() > 0.5  # some views take the whole mask away
    assert by_views[:10].max() < 0.05
    own = sc.doubt_map(result)
    assert own[25:45, 25:55].max() < 0.01  # the network itself is sure of it


def test_pooled_features_are_those_of_the_deepest_stage() -> None:
    explainer = sc.Explainer(planted(), stages=())
    result = explainer(frame(), None, LEVELS)
    features = pooled_features(explainer.network, result, frame(), LEVELS)
    assert features == pytest.approx([(frame()[::2, ::2] / 255).mean()], rel=1e-5)
    references = np.random.default_rng(0).normal(features[0], 0.01, (20, 1))
    near = sc.doubt(result, explainer, frame(), LEVELS, measure="features", references=references).value
    far = sc.doubt(result, explainer, frame(), LEVELS, measure="features", references=references + 1).value
    assert near < 0.8 < far
    assert sc.doubt(result, explainer, frame(), LEVELS, measure="features").reason is not None


def test_other_networks_can_disagree() -> None:
    explainer, result = explained(Bright(), bar())
    alone = sc.doubt(result, explainer, bar(), LEVELS, measure="ensemble")
    assert alone.value is None
    assert "only one network" in alone.reason
    _, other = explained(Bright(0), bar())  # column 0 is dark: it finds nothing
    assert sc.doubt(result, explainer, bar(), LEVELS, measure="ensemble", others=[other]).value == 1.0
    assert sc.doubt(result, explainer, bar(), LEVELS, measure="ensemble", others=[result]).value == 0.0


def test_a_network_that_classifies_has_no_doubt_about_a_mask() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    explainer, result = explained(module, bar(), sc.ModelCard(input_channels=1))
    doubt = sc.doubt(result, explainer, bar(), LEVELS)
    assert doubt.value is None
    assert doubt.reason == result.no_mask
    assert sc.doubt_map(result) is None


def test_unknown_measures_are_refused() -> None:
    explainer, result = explained(Bright(), bar())
    with pytest.raises(sc.SegcamError, match=r"no measure of doubt 'hope'.*views_and_norms"):
        sc.doubt(result, explainer, bar(), LEVELS, measure="hope")
    with pytest.raises(sc.SegcamError, match="needs all frames of a cine"):
        sc.doubt(result, explainer, bar(), LEVELS, measure="jump")
