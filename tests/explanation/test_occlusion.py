"""Occlusion: the map shows where hiding the input lowers the score, for networks with any layers."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Occlusion
from torch import nn

import napari_segcam as sc
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.perturbation import PERTURBATIONS, perturb
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import INPUT, Stage


class _CornerMean(nn.Module):
    """Network whose logits are all the mean of one corner of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        corner = image[:, :1, :16, 32:48].mean((1, 2, 3), keepdim=True)
        return (self.weight * corner).expand(-1, 1, *image.shape[-2:])


def _map(network: nn.Module, x: torch.Tensor, region: torch.Tensor, stride: int = 16, index: int = 0) -> torch.Tensor:
    stage = Stage("input", "layer", stride, 1, "")
    return perturb(PERTURBATIONS["occlusion"].probe(network, x, stage, Objective(index, region > 0))).values


def test_it_is_the_drop_of_the_score_when_a_window_is_hidden() -> None:
    """Against the definition, written out."""
    network = nn.Conv2d(2, 3, 5, padding=2).eval().requires_grad_(False)
    x = torch.randn(1, 2, 24, 32, generator=torch.Generator().manual_seed(0))
    region = (torch.rand(24, 32, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    expected = torch.zeros(3, 4)
    for row in range(3):
        for column in range(4):
            hidden = x.clone()
            top, left = max(0, 8 * row - 4), max(0, 8 * column - 4)
            hidden[:, :, top : 8 * row + 12, left : 8 * column + 12] = x.mean((2, 3), keepdim=True)
            expected[row, column] = ((network(x) - network(hidden))[:, 2] * region).sum() / region.sum()
    torch.testing.assert_close(_map(network, x, region, stride=8, index=2), expected, rtol=1e-4, atol=1e-6)


def test_it_equals_captum() -> None:
    """Captum begins with a window in the corner; ours extends beyond the image by half a step, so the image is padded.

    Captum gives each pixel the mean of the windows that hide it.
    """
    step, margin = 8, 4
    network = nn.Sequential(nn.Conv2d(2, 3, 5, padding=2), nn.Tanh(), nn.Conv2d(3, 1, 3, padding=1))
    network = network.double().eval().requires_grad_(False)
    x = torch.randn(1, 2, 24, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    region = (torch.rand(24, 32, generator=torch.Generator().manual_seed(1)) > 0.5).double()

    def score(padded: torch.Tensor) -> torch.Tensor:
        return (network(F.pad(padded, [-margin] * 4)) * region).sum((1, 2, 3)) / region.sum()

    expected = Occlusion(score).attribute(
        F.pad(x, [margin] * 4),
        sliding_window_shapes=(2, 2 * step, 2 * step),
        strides=(2, step, step),
        baselines=F.pad(x.mean((2, 3), keepdim=True).expand_as(x), [margin] * 4),
    )[0, 0, margin:-margin, margin:-margin]
    total, count = torch.zeros(24, 32, dtype=torch.float64), torch.zeros(24, 32, dtype=torch.float64)
    for (row, column), value in np.ndenumerate(_map(network, x, region, stride=step).numpy()):
        hidden = np.s_[
            max(0, step * row - margin) : step * (row + 1) + margin,
            max(0, step * column - margin) : step * (column + 1) + margin,
        ]
        total[hidden] += value
        count[hidden] += 1
    torch.testing.assert_close(total / count, expected.double(), rtol=1e-4, atol=1e-6)  # captum returns float32


def test_heat_is_where_the_network_looks() -> None:
    x = torch.zeros(1, 3, 64, 96)
    x[:, :, :16, 32:48] = 1
    values = _map(_CornerMean().requires_grad_(False), x, torch.ones(64, 96))
    assert values.shape == (4, 6)
    assert values.argmax() == 2  # the first row, the third column
    assert (values[2:] == 0).all()


@pytest.mark.parametrize(("size", "shape"), [((64, 64), (4, 4)), ((40, 70), (2, 4)), ((5, 5), (1, 1))])
def test_windows_cover_the_whole_input(size: Any, shape: Any) -> None:
    class Sum(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image - image.mean((2, 3), keepdim=True)

    x = torch.arange(size[0] * size[1]).float().reshape(1, 1, *size)
    region = torch.zeros(*size)
    region[-1, -1] = 1  # the last pixel is hidden by the last window
    values = _map(Sum(), x, region)
    assert values.shape == shape
    assert values[-1, -1] > 0


FRAME = np.random.default_rng(0).integers(0, 255, (64, 96)).astype(np.uint8)


@pytest.mark.parametrize("stages", ["all", "main", ["encoder_last"]])
def test_the_explainer_gives_one_map_of_the_input_for_any_choice_of_stages(stages: Any) -> None:
    network = sc.Network.from_module(nn.Conv2d(3, 1, 3, padding=1), device="cpu")
    result = sc.Explainer(network, "occlusion", stages)(FRAME, sc.Target(region="image"))
    assert list(result.heatmaps) == ["input"]
    heatmap = result.heatmaps["input"]
    assert heatmap.stage == INPUT
    assert heatmap.values.shape == (4, 6)
    assert heatmap.scale == (16, 16)
    assert heatmap.on_frame().shape == (64, 96)


def test_no_stages_give_the_mask_alone() -> None:
    network = sc.Network.from_module(nn.Conv2d(3, 1, 3, padding=1), device="cpu")
    assert sc.Explainer(network, "occlusion", [])(FRAME).heatmaps == {}


def test_an_empty_region_has_its_reason() -> None:
    network = sc.Network.from_module(nn.Conv2d(3, 1, 3, padding=1), device="cpu")
    nowhere = np.zeros(FRAME.shape, bool)
    heatmap = sc.Explainer(network, "occlusion")(FRAME, sc.Target(region=nowhere)).heatmaps["input"]
    assert heatmap.reason is Reason.NOTHING_DRAWN


def test_torchscript_gives_the_map_of_its_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)).eval()
    nn.init.ones_(module[0].weight)
    nn.init.ones_(module[2].weight)  # bright pixels support the class, so hiding them lowers the score
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), buffer)
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    target = sc.Target(region="image")
    script, plain = sc.load_network(tmp_path / "model.pt", "cpu"), sc.Network.from_module(module, device="cpu")
    values = [sc.Explainer(n, "occlusion")(FRAME, target).heatmaps["input"].values for n in (script, plain)]
    assert values[0].max() > 0
    np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-6)
