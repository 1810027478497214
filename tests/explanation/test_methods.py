"""Each method against its formula written out in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.methods import METHODS
from napari_segcam.explanation.methods.seg_xres_cam import seg_xres_cam
from napari_segcam.explanation.stage_maps import find_method

Array = NDArray[np.float64]


def naive(method: str, activations: Array, gradients: Array) -> Array:
    """Return the map ``(h, w)`` before the ReLU, for activations and gradients ``(K, h, w)``."""
    channels, height, width = activations.shape
    heat = np.zeros((height, width))
    for k in range(channels):
        a, g = activations[k], gradients[k]
        if method in ("gradcam", "gradcam_signed", "finercam"):
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
        elif method == "gradcam_elementwise":
            heat += np.maximum(g * a, 0)
        elif method == "xgradcam":
            heat += sum(g[p] * a[p] for p in np.ndindex(height, width)) / (a.sum() + 1e-7) * a
        elif method == "seg-xres-cam":
            for y, x in np.ndindex(height, width):
                top, left = y // 2 * 2, x // 2 * 2
                heat[y, x] += g[top : top + 2, left : left + 2].mean() * a[y, x]
        else:
            raise AssertionError(f"no formula for {method}")
    return heat


def naive_component(features: Array) -> tuple[Array, Array]:
    """Return the projection ``(h, w)`` on the first eigenvector ``(K,)`` of the covariance of ``(K, h, w)``."""
    pixels = features.reshape(len(features), -1).T
    centered = pixels - pixels.mean(0)
    direction = np.linalg.eigh(centered.T @ centered)[1][:, -1]
    return (centered @ direction).reshape(features.shape[1:]), direction


@pytest.fixture
def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    """Activations and gradients of a batch of two, with signs mixed and some gradients exactly zero."""
    random = torch.Generator().manual_seed(0)
    activations = torch.randn(2, 5, 4, 7, dtype=torch.float64, generator=random)
    gradients = torch.randn(2, 5, 4, 7, dtype=torch.float64, generator=random)
    return activations, torch.where(gradients.abs() < 0.4, 0, gradients)


EIGEN = {"eigencam", "eigengradcam", "seg-eigen-cam"}


@pytest.mark.parametrize("name", [name for name in METHODS if name not in EIGEN])
def test_a_method_is_its_formula(name: str, tensors: tuple[torch.Tensor, torch.Tensor]) -> None:
    heat = METHODS[name].compute(*tensors)
    assert heat.shape == (2, 4, 7)
    for image in range(2):
        expected = naive(name, tensors[0][image].numpy(), tensors[1][image].numpy())
        np.testing.assert_allclose(heat[image].numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 7), (2, 2)], ids=["more places than channels", "fewer"])
@pytest.mark.parametrize("name", sorted(EIGEN))
def test_an_eigen_method_is_the_first_component_with_its_sign(name: str, size: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(3)
    a, g = (torch.randn(3, 5, *size, dtype=torch.float64, generator=random) for _ in range(2))
    heat = METHODS[name].compute(a, g)
    features = {"eigencam": a, "eigengradcam": g * a, "seg-eigen-cam": g.abs() * a}[name]
    for image in range(3):
        expected, direction = naive_component(features[image].numpy())
        if name == "seg-eigen-cam":
            expected = expected * (1 if expected.max() > -expected.min() else -1)
        else:
            expected = expected * np.sign(direction.sum())
        np.testing.assert_allclose(heat[image].numpy(), expected, rtol=1e-9, atol=1e-9)


def test_the_sign_of_a_component_follows_the_sum_over_channels(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """The map is positive where a stage is active in sum or, with gradients, where it supports the target."""
    for name, features in (
        ("eigencam", tensors[0]),
        ("eigengradcam", tensors[0] * tensors[1]),
    ):
        for turn in (1, -1):
            summed = turn * features.sum(1)
            heat = METHODS[name].compute(turn * tensors[0], tensors[1])
            centered = summed - summed.mean((1, 2), keepdim=True)
            assert ((heat * centered).sum((1, 2)) > 0).all(), name


def test_values_that_are_not_finite_stay_so_and_do_not_affect_other_images(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    activations, gradients = tensors
    broken = activations.clone()
    broken[0, 2, 1, 1] = torch.nan
    for name, method in METHODS.items():
        heat = method.compute(broken, gradients)
        assert not heat[0].isfinite().all(), name
        torch.testing.assert_close(heat[1], method.compute(activations, gradients)[1])


@pytest.mark.parametrize("name", sorted(EIGEN))
def test_an_eigen_method_works_in_half_precision(name: str) -> None:
    activations, gradients = torch.rand(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert METHODS[name].compute(activations, gradients).isfinite().all()


def test_seg_xres_cam_with_small_and_large_windows_is_hirescam_and_gradcam(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    torch.testing.assert_close(seg_xres_cam(*tensors, window=1), METHODS["hirescam"].compute(*tensors))
    torch.testing.assert_close(seg_xres_cam(*tensors, window=7), METHODS["gradcam"].compute(*tensors))
    wide = torch.ones(1, 1, 32, 40, dtype=torch.float64)
    gradients = torch.zeros_like(wide)
    gradients[..., 0, 0] = 25
    heat = seg_xres_cam(wide, gradients)
    assert torch.equal(heat[0] == 1, torch.nn.functional.pad(torch.ones(5, 5, dtype=torch.bool), (0, 35, 0, 27)))


def test_only_gradcam_plus_plus_depends_on_sum_or_mean(
    tensors: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """This is why the score is always summed over the region: the maps of other methods are only scaled."""
    activations, gradients = tensors
    for name, method in METHODS.items():
        if method.needs_gradient:
            summed = method.compute(activations, gradients)
            averaged = method.compute(activations, gradients / 100) * 100
            assert torch.allclose(summed, averaged) == (name != "gradcam++"), name


@pytest.mark.parametrize("name", list(METHODS))
def test_only_methods_that_need_the_gradient_use_it(name: str) -> None:
    """Without a gradient such a method gives no heat, and no NaN; other methods give the usual map."""
    method = METHODS[name]
    activations = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    heat = method.compute(activations, torch.zeros_like(activations))
    if method.needs_gradient:
        assert not heat.any()
    else:
        assert heat.any()
        assert torch.equal(heat, method.compute(activations, torch.empty(0)))


def test_every_file_of_methods_is_found_and_listed_by_year() -> None:
    assert {"gradcam", "gradcam++", "hirescam", "xgradcam", "layercam", "gradcam_elementwise"} <= set(METHODS)
    assert {"eigencam", "eigengradcam", "seg-xres-cam", "gradcam_signed"} <= set(METHODS)
    assert next(iter(METHODS)) == "gradcam", "the first in a list of methods"
    years = [method.year for method in METHODS.values()]
    assert years == sorted(years)
    assert all(method.name == name and method.title and method.paper for name, method in METHODS.items())
    assert [name for name, method in METHODS.items() if method.signed] == ["gradcam_signed"]
    assert [name for name, method in METHODS.items() if not method.needs_gradient] == ["eigencam"]


def test_an_unknown_method_is_refused_with_a_list_of_methods() -> None:
    with pytest.raises(SegcamError, match=r"no method 'grad-cam'. Choose from: gradcam, gradcam_signed"):
        find_method("grad-cam")
