"""The figures that evidence must reach: nulls that are uniform under chance, and planted truths that are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_network import SIDE, frame, planted
from scipy import stats
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.evidence.faithfulness import faithfulness
from napari_segcam.evidence.in_out import in_out
from napari_segcam.evidence.measuring import Measure
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.placements import draw_placements
from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.explanation.frame_replay import FrameReplay

LEVELS = (0.0, 255.0)


def uniform(measurement: Measurement, rng: np.random.Generator) -> float:
    """Return p with its ties broken at random, which makes the discrete p continuous and exactly uniform by chance.

    A figure of rank r among K + 1 values, of which t are equal to it, becomes (r − 1 + U · t) / (K + 1), with U uniform
    between 0 and 1.
    """
    assert measurement.value is not None
    above = sum(draw > measurement.value for draw in measurement.null)
    equal = 1 + sum(draw == measurement.value for draw in measurement.null)
    return (above + rng.random() * equal) / (len(measurement.null) + 1)


@pytest.fixture(scope="module")
def explainer() -> sc.Explainer:
    return sc.Explainer(planted(), method="gradcam_elementwise", stages=("shallow", "idle", "deep"))


@pytest.fixture(scope="module")
def explanation(explainer: sc.Explainer) -> Explanation:
    return explainer(frame(), None, LEVELS)


def with_map(explanation: Explanation, stage: str, values: np.ndarray) -> Heatmap:
    return Heatmap(explanation.heatmaps[stage].stage, values.astype(np.float32), explanation.segmentation.geometry)


@pytest.mark.slow
def test_p_of_faithfulness_is_uniform_for_200_maps_of_noise(explainer: sc.Explainer, explanation: Explanation) -> None:
    rng = np.random.default_rng(7)
    with FrameReplay(explainer.network, explanation, frame(), LEVELS).at("shallow") as replay:
        replay.batch = 32
        ps = []
        for seed in range(200):
            heatmap = with_map(explanation, "shallow", np.random.default_rng(5000 + seed).random((32, 32)))
            ps.append(uniform(faithfulness(replay, heatmap, region_is_mask=True, draws=9, seed=seed), rng))
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_p_of_in_out_is_uniform_for_a_region_at_200_random_places(explanation: Explanation) -> None:
    shape = np.zeros((SIDE, SIDE), bool)
    shape[10:21, 10:17] = True
    shape[10:14, 10:12] = False
    values = np.random.default_rng(0).random((32, 32))
    rng, ps = np.random.default_rng(8), []
    for number, place in enumerate(draw_placements(shape, (slice(0, SIDE), slice(0, SIDE)), 200, seed=5)):
        elsewhere = replace(
            explanation,
            region=place.on_frame((SIDE, SIDE)),
            heatmaps=type(explanation.heatmaps)({"shallow": with_map(explanation, "shallow", values)}, {}),
        )
        ps.append(uniform(in_out(elsewhere, draws=19, seed=1000 + number)["shallow"].ratio, rng))
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_p_of_in_out_is_small_for_a_region_that_the_heat_is_in(explanation: Explanation) -> None:
    """The test above can fail: heat at the region's own place gives small p."""
    region = np.zeros((SIDE, SIDE), bool)
    region[10:21, 10:17] = True
    heat = F.interpolate(torch.from_numpy(region).float()[None, None], (32, 32))[0, 0].numpy() + 0.01
    hot = replace(
        explanation,
        region=region,
        heatmaps=type(explanation.heatmaps)({"shallow": with_map(explanation, "shallow", heat)}, {}),
    )
    assert in_out(hot, draws=199)["shallow"].ratio.p <= 0.02


class OneQuadrant(nn.Module):
    """The mask is what is bright, and the darker a known quadrant of ``deep`` is, the brighter it must be.

    The cells of the quadrant have weights. ``deepest`` takes no part; ``shallow`` is the image.
    """

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self.quadrant = slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8)
        weights = torch.rand(8, 8, generator=torch.Generator().manual_seed(2 * row + column))
        self.register_buffer("weights", weights / weights.sum())
        self.encoder = nn.ModuleDict({"shallow": nn.AvgPool2d(2), "deep": nn.AvgPool2d(4), "deepest": nn.AvgPool2d(2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.encoder["shallow"](x)
        deep = self.encoder["deep"](shallow)
        unused = F.interpolate(self.encoder["deepest"](deep), shallow.shape[-2:])
        dark = 1 - (deep[(..., *self.quadrant)] * self.weights).sum((2, 3), keepdim=True)
        return F.interpolate(20 * (shallow - 0.5) - 24 * dark + 0 * unused, x.shape[-2:])


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [0, 1])
def test_the_planted_quadrant_is_found_for_every_seed(row: int, column: int) -> None:
    module = OneQuadrant(row, column)
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))
    network = sc.Network.from_module(module, card, device="cpu")
    encoder = {name: f"encoder.{name}" for name in ("shallow", "deep", "deepest")}
    explainer = sc.Explainer(network, "gradcam_elementwise", tuple(encoder.values()))
    heat = np.zeros((16, 16), np.float32)
    heat[module.quadrant] = module.weights.numpy()
    for seed in range(10):
        rng = np.random.default_rng(100 * seed + 10 * row + column)
        image = rng.integers(0, 60, (128, 128)).astype(np.uint8)
        image[64 * row : 64 * row + 64, 64 * column : 64 * column + 64] = 255
        other = 64 * (1 - row), 64 * (1 - column)
        image[other[0] : other[0] + 64, other[1] : other[1] + 64] = rng.integers(120, 250, 64)[:, None]
        explanation = explainer(image, None, LEVELS)
        maps = {
            layer: Heatmap(
                replace(network.stage(layer), kind="encoder"),
                heat if name == "deep" else explanation.heatmaps[layer].values,
                explanation.segmentation.geometry,
            )
            for name, layer in encoder.items()
        }
        known = replace(explanation, heatmaps=type(explanation.heatmaps)(maps, {}))
        measures: tuple[Measure, ...] = ("influence", "faithfulness")
        evidence = sc.measure_evidence(known, explainer, image, LEVELS, measures=measures, seed=seed)
        deep, deepest = evidence.stages["encoder.deep"], evidence.stages["encoder.deepest"]
        assert deep.influence.value > 0.9
        assert deepest.influence.value == 0.0
        assert deep.faithfulness.p == 0.05
        assert deep.statement.startswith("hiding it costs the mask ")
        assert "its hot places matter more than others" in deep.statement
        assert deepest.statement == "takes no part in this mask"
        assert evidence.shown_first.name == "encoder.deep"


def test_a_copied_mask_is_an_echo_of_1_and_flagged(explainer: sc.Explainer, explanation: Explanation) -> None:
    copied = with_map(explanation, "shallow", explanation.probabilities[0])
    broken = replace(explanation, heatmaps=type(explanation.heatmaps)({"shallow": copied}, {}))
    stage = sc.measure_evidence(broken, explainer, frame(), LEVELS, measures=("echo",)).stages["shallow"]
    assert round(stage.echo, 2) == 1.0
    assert stage.statement == "repeats the mask"


class OfThePicture(nn.Module):
    """Weights of equal size at every place: any order of them gives the same map, which only the picture makes."""

    def __init__(self) -> None:
        super().__init__()
        self.stage, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        for part in (self.stage, self.head):
            nn.init.constant_(part.weight, 0.25)
            nn.init.zeros_(part.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * (self.head(self.stage(x).relu()) - 1.2)


def test_a_map_that_a_network_with_permuted_weights_gives_too_is_flagged() -> None:
    torch.manual_seed(0)
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))
    explainer = sc.Explainer(sc.Network.from_module(OfThePicture(), card, device="cpu"), "gradcam", ("stage",))
    explanation = explainer(frame(), None, LEVELS)
    assert explanation.region.any()
    stage = sc.measure_evidence(explanation, explainer, frame(), LEVELS, measures=("sanity",)).stages["stage"]
    assert stage.sanity == pytest.approx(1.0)
    assert stage.statement == "much the same in a network that has learned nothing"
