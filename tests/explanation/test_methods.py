"""Each method against its formula written out in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.methods import METHODS, find_method

Array = NDArray[np.float64]


def naive(method: str, activations: Array, gradients: Array) -> Array:
    """The map ``(h, w)`` before the ReLU, for activations and gradients ``(K, h, w)``."""
    channels, height, width = activations.shape
    heat = np.zeros((height, width))
    for k in range(channels):
        a, g = activations[k], gradients[k]
        if method == "gradcam":
            heat += g.mean() * a
        elif method == "gradcam++":
            weight = 0.0
            for slope in g.ravel():
                if slope != 0:
                    weight += slope**2 / (2 * slope**2 + a.sum() * slope**3 + 1e-6) * max(slope, 0)
            heat += weight * a
        elif method == "layercam":
            heat += np.maximum(g, 0) * a
        elif method == "hirescam":
            heat += g * a
    return heat


@pytest.fixture
def taken() -> tuple[torch.Tensor, torch.Tensor]:
    """Activations and gradients of a batch of two, with signs mixed and some gradients exactly zero."""
    random = torch.Generator().manual_seed(0)
    activations = torch.randn(2, 5, 4, 7, dtype=torch.float64, generator=random)
    gradients = torch.randn(2, 5, 4, 7, dtype=torch.float64, generator=random)
    return activations, torch.where(gradients.abs() < 0.4, 0, gradients)


@pytest.mark.parametrize("name", ["gradcam", "gradcam++", "layercam", "hirescam"])
def test_a_method_is_its_formula(name: str, taken: tuple[torch.Tensor, torch.Tensor]) -> None:
    heat = find_method(name).compute(*taken)
    assert heat.shape == (2, 4, 7)
    for image in range(2):
        expected = naive(name, taken[0][image].numpy(), taken[1][image].numpy())
        np.testing.assert_allclose(heat[image].numpy(), expected, rtol=1e-10, atol=1e-12)


def test_only_gradcam_plus_plus_depends_on_sum_or_mean(taken: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Why the convention, a score summed over the region, is fixed: the others' maps are only scaled by it."""
    activations, gradients = taken
    for name, method in METHODS.items():
        summed, averaged = method.compute(activations, gradients), method.compute(activations, gradients / 100) * 100
        assert torch.allclose(summed, averaged) == (name != "gradcam++"), name


@pytest.mark.parametrize("name", list(METHODS))
def test_no_gradient_gives_no_heat_and_no_nan(name: str) -> None:
    activations = torch.rand(1, 3, 4, 4)
    assert torch.equal(find_method(name).compute(activations, torch.zeros_like(activations)), torch.zeros(1, 4, 4))


def test_an_unknown_method_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(SegcamError, match=r"no method 'grad-cam'. Choose from: gradcam, gradcam\+\+"):
        find_method("grad-cam")
