"""Rewritten convolutions compute what the plain ones do, and gradients only where they are needed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_segcam.network.inference import upsampled_convolution
from napari_segcam.network.inference.frozen_convolution import FrozenConv2d
from napari_segcam.network.inference.input_gradient import occupied_box, part_gradient
from napari_segcam.network.inference.upsampled_convolution import UpsampledConvolution

SHAPES = [(1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (5, 2, 2, 1), (4, 2, 1, 1), (3, 1, 2, 2), (7, 2, 3, 1)]


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), SHAPES)
@pytest.mark.parametrize("box", [(0, 3, 0, 2), (4, 7, 3, 9), (8, 14, 12, 17), (0, 100, 0, 100)])
def test_the_input_gradient_equals_that_of_autograd(
    kernel: int, stride: int, padding: int, dilation: int, groups: int, box: tuple[int, int, int, int]
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups).double()
    x = torch.randn(2, 4, 15, 18, dtype=torch.float64, requires_grad=True)
    output = layer(x)
    gradient = torch.zeros_like(output)
    top, bottom, left, right = box
    gradient[..., top:bottom, left:right] = torch.randn_like(gradient[..., top:bottom, left:right])
    (expected,) = torch.autograd.grad(output, x, gradient)
    occupied = occupied_box(gradient)
    part = gradient if occupied is None else gradient[..., *occupied]
    torch.testing.assert_close(part_gradient(part, occupied, layer, 15, 18), expected, rtol=0, atol=1e-12)


def test_the_box_contains_all_values_that_are_not_zero() -> None:
    gradient = torch.zeros(2, 3, 10, 12)
    gradient[0, 1, 2, 7], gradient[1, 2, 5, 3] = -1, torch.nan
    assert occupied_box(gradient) == (slice(2, 6), slice(3, 8))
    assert occupied_box(gradient.contiguous(memory_format=torch.channels_last)) == (slice(2, 6), slice(3, 8))
    assert occupied_box(torch.ones(1, 1, 4, 4)) is None
    assert occupied_box(torch.zeros(1, 1, 4, 4)) == (slice(0, 1), slice(0, 1))


def test_a_frozen_convolution_saves_no_map() -> None:
    layer = FrozenConv2d.like(nn.Conv2d(3, 3, 3, padding=1).requires_grad_(False))
    saved: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        layer(torch.randn(1, 3, 8, 8, requires_grad=True))
    assert saved == []


@pytest.mark.parametrize("box", [(0, 3, 0, 2), (4, 7, 3, 9), (0, 100, 0, 100)])
def test_a_rectifying_convolution_is_a_convolution_and_a_relu(box: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 5, 3, padding=1).double().requires_grad_(False)
    layer = FrozenConv2d.like(plain, rectifies=True)
    x = torch.randn(2, 3, 15, 18, dtype=torch.float64, requires_grad=True)
    expected, output = F.relu(plain(x)), layer(x)
    assert torch.equal(output, expected)
    assert torch.equal(layer(x.detach()), expected)
    gradient = torch.zeros_like(output)
    top, bottom, left, right = box
    gradient[..., top:bottom, left:right] = torch.randn_like(gradient[..., top:bottom, left:right])
    actual, expected_gradient = (torch.autograd.grad(result, x, gradient)[0] for result in (output, expected))
    torch.testing.assert_close(actual, expected_gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("box", [(0, 2, 0, 5), (3, 6, 5, 6), (13, 16, 17, 20), (0, 16, 0, 20)])
def test_an_upsampled_convolution_enlarges_concatenates_and_convolves(box: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3 + 2 + 4, 5, 3, padding=1).double().requires_grad_(False)
    layer = UpsampledConvolution(convolution, [2, 4])
    parts = [
        torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
        for channels, size in ((3, (8, 10)), (2, (16, 20)), (4, (16, 20)))
    ]
    expected = F.relu(convolution(torch.cat([F.interpolate(parts[0], scale_factor=2), *parts[1:]], dim=1)))
    output = layer(parts[0], parts[1:])
    assert output.shape == expected.shape
    assert (output - expected).abs().max() <= 1e-10 * expected.abs().max()
    gradient = torch.zeros_like(output)
    top, bottom, left, right = box
    gradient[..., top:bottom, left:right] = torch.randn_like(gradient[..., top:bottom, left:right])
    actual_gradients = torch.autograd.grad(output, parts, gradient)
    expected_gradients = torch.autograd.grad(expected, parts, gradient)
    for actual, expected_gradient in zip(actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(actual, expected_gradient, rtol=0, atol=1e-12)


def test_no_gradient_is_computed_for_a_skip_that_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = UpsampledConvolution(nn.Conv2d(5, 3, 3, padding=1).requires_grad_(False), [2])
    x, skip = torch.randn(1, 3, 4, 4, requires_grad=True), torch.randn(1, 2, 8, 8)
    monkeypatch.setattr(upsampled_convolution, "part_gradient", lambda *_: pytest.fail("computed for a skip"))
    output = layer(x, [skip])
    (gradient,) = torch.autograd.grad(output, x, torch.ones_like(output))
    assert gradient.shape == x.shape
