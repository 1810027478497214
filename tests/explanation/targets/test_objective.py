"""The objective, and each method's map of it against the method's formula in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.explanation.attribution import ATTRIBUTIONS
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.perturbation.sampling import predict_scores, spread_sample
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.imaging.preprocessing import prepare

SHAPE = (32, 64)
SCORES: tuple[Literal["logit", "probability"], ...] = ("logit", "probability")
RANDOM = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
FRAME = (80 + 60 * np.sin(COLUMNS / 9) * np.cos(ROWS / 7) + 20 * RANDOM.standard_normal(SHAPE)).clip(0, 255)
FRAME = FRAME.astype(np.uint8)
DRAWN = np.zeros(SHAPE, bool)
DRAWN[5:20, 30:50] = True
Score = Callable[[torch.Tensor], torch.Tensor]


class Tiny(nn.Module):
    """Network that is sure about much of the frame, so that probabilities are near 0 and 1 there."""

    def __init__(self, classes: int, channels: int = 16) -> None:
        super().__init__()
        torch.manual_seed(classes)
        self.encoder = nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.SiLU(), nn.Conv2d(12, channels, 3, 2, 1), nn.SiLU())
        self.head = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, classes, 1))
        self.up = nn.Upsample(scale_factor=4, mode="bilinear")
        with torch.no_grad():
            self.head[2].weight.mul_(20)  # type: ignore[operator, union-attr]
            image = torch.from_numpy(FRAME / 255).float().expand(1, 3, -1, -1)
            self.head[2].bias.sub_(self(image).mean((0, 2, 3)))  # type: ignore[operator, union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.head(self.encoder(x)))


class Scene:
    """A network for the explainer, and the same one in float64."""

    def __init__(self, classes: int, channels: int = 16) -> None:
        module = Tiny(classes, channels).eval()
        self.exact = copy.deepcopy(module).double().requires_grad_(False)
        self.network = sc.Network.from_module(module, sc.ModelCard(normalization="unit"), device="cpu")
        self.classes, self.index = classes, classes - 1

    def target(self, score: str, region: Any = "image") -> sc.Target:
        return sc.Target(self.index, region, score)  # type: ignore[arg-type]

    def explain(self, method: str, target: sc.Target, **control: Any) -> Explanation:
        return sc.Explainer(self.network, method, ["encoder.3"], control=ProgressControl(**control))(FRAME, target)

    def input(self, frame: np.ndarray = FRAME) -> torch.Tensor:
        return prepare(frame, self.network.card, self.network.stride)[0].double()

    def score(self, score: str, region: np.ndarray) -> Score:
        """Return y as a function of logits ``(B, C, H, W)``: ``(B,)``."""
        mask = torch.from_numpy(region)

        def y(logits: torch.Tensor) -> torch.Tensor:
            values = logits
            if score == "probability":
                values = 1 / (1 + (-logits).exp()) if self.classes == 1 else F.softmax(logits, 1)
            return values[:, self.index][:, mask].sum(1)

        return y


def reference(scene: Scene, method: str, y: Score, pixels: int, x: torch.Tensor) -> torch.Tensor:
    exact = scene.exact
    maps = exact.encoder(x)

    def after(values: torch.Tensor) -> torch.Tensor:
        return exact.up(exact.head(values))

    if method == "gradcam":
        return (gradients(lambda a: y(after(a)), maps).mean((2, 3), keepdim=True) * maps).sum(1)[0].relu()
    if method == "ablationcam":
        without = maps * (1 - torch.eye(maps.shape[1], dtype=maps.dtype))[:, :, None, None]
        drop = (y(after(maps)) - y(after(without))) / pixels
        return (drop[:, None, None] * maps[0]).sum(0).relu()
    if method == "scorecam":
        return scorecam(y, exact, maps[0], x).relu()
    if method == "occlusion":
        return occlusion(y, exact, x) / pixels
    if method == "smoothgrad":
        return smoothgrad(exact, y, x)
    if method == "integrated_gradients":
        return path_integral(lambda image: y(exact(image)), x, x.amin((2, 3), keepdim=True).expand_as(x))
    black = exact.encoder(x.amin((2, 3), keepdim=True).expand_as(x))
    return path_integral(lambda a: y(after(a)), maps, black)


def gradients(y: Score, maps: torch.Tensor) -> torch.Tensor:
    maps = maps.detach().requires_grad_()
    return torch.autograd.grad(y(maps).sum(), maps)[0]


def masks_of(maps: torch.Tensor) -> torch.Tensor:
    lowest = maps.amin((1, 2), keepdim=True)
    return (maps - lowest) / (maps.amax((1, 2), keepdim=True) - lowest + 1e-8)


def weighted_map(scores: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    if (scores == scores[0]).all():
        return torch.zeros_like(maps[0])
    standardized = (scores - scores.mean()) / scores.var(unbiased=False).sqrt()
    return (standardized.softmax(0)[:, None, None] * maps).sum(0)


def scorecam(y: Score, exact: nn.Module, maps: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    masks = F.interpolate(masks_of(maps)[:, None], SHAPE, mode="bilinear")
    return weighted_map(y(exact(x * masks)), maps)


def occlusion(y: Score, exact: nn.Module, x: torch.Tensor) -> torch.Tensor:
    losses = torch.zeros(2, 4, dtype=torch.float64)
    for row, column in np.ndindex(2, 4):
        hidden = x.clone()
        top, left = max(0, 16 * row - 8), max(0, 16 * column - 8)
        hidden[:, :, top : 16 * row + 24, left : 16 * column + 24] = x.mean((2, 3), keepdim=True)
        losses[row, column] = y(exact(x)) - y(exact(hidden))
    return losses.relu()


def path_integral(y: Score, end: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    nodes, weights = np.polynomial.legendre.leggauss(32)
    slopes = [w / 2 * gradients(y, start + (n + 1) / 2 * (end - start)) for n, w in zip(nodes, weights, strict=True)]
    return (torch.stack(slopes).sum(0) * (end - start))[0].sum(0)


def smoothgrad(exact: nn.Module, y: Score, x: torch.Tensor) -> torch.Tensor:
    """Return the mean gradient of 24 noisy copies, which a recording score takes from the method itself."""
    copies: list[torch.Tensor] = []

    def record(images: torch.Tensor) -> torch.Tensor:
        copies.extend(images.detach().double().split(1))
        return images.sum((1, 2, 3))

    ATTRIBUTIONS["smoothgrad"].compute(ScoreOfMaps(record, x))  # type: ignore[arg-type]
    assert len(copies) == 24
    return gradients(lambda images: y(exact(images)), torch.cat(copies)).mean(0).abs().amax(0)


class ScoreOfMaps:
    """The parts of a score that SmoothGrad uses."""

    batch = 4

    def __init__(self, y: Score, x: torch.Tensor) -> None:
        self.y, self.at = y, x.float()

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self.y(images)


METHODS = [
    "gradcam",
    "scorecam",
    "ablationcam",
    "occlusion",
    "integrated_gradients",
    "layer_integrated_gradients",
    "smoothgrad",
]


def assert_equals(explanation: Explanation, expected: torch.Tensor) -> None:
    (heatmap,) = explanation.heatmaps.values()
    largest = float(expected.abs().max())
    if not largest:
        assert heatmap.reason is not None
        assert not heatmap.values.any()
        return
    assert heatmap.reason is None
    np.testing.assert_allclose(heatmap.values, expected, rtol=0, atol=1e-4 * largest)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("region", ["image", "drawn"])
def test_each_method_explains_the_score_that_it_says(method: str, score: str, classes: int, region: str) -> None:
    scene = Scene(classes)
    mask = DRAWN if region == "drawn" else np.ones(SHAPE, bool)
    explanation = scene.explain(method, scene.target(score, DRAWN if region == "drawn" else "image"))
    assert_equals(explanation, reference(scene, method, scene.score(score, mask), int(mask.sum()), scene.input()))
    assert explanation.provenance["target"]["score"].startswith(
        "sum of logits" if score == "logit" else "sum of probabilities"
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_mask_is_explained_and_an_empty_one_has_its_reason(method: str) -> None:
    for classes in (1, 2, 3):
        scene = Scene(classes)
        explanation = scene.explain(method, scene.target("probability", "mask"))
        assert_equals(
            explanation,
            reference(
                scene,
                method,
                scene.score("probability", explanation.region),
                int(explanation.region.sum()),
                scene.input(),
            ),
        )
        nowhere = scene.explain(method, scene.target("probability", np.zeros(SHAPE, bool)))
        assert all(heatmap.reason and not heatmap.values.any() for heatmap in nowhere.heatmaps.values())


@pytest.mark.parametrize("method", METHODS)
def test_targets_that_share_a_pass_and_frames_that_share_a_batch_keep_their_own_scores(method: str) -> None:
    scene = Scene(3)
    explainer = sc.Explainer(scene.network, method, ["encoder.3"])
    cases: list[tuple[str, Any]] = [("logit", "image"), ("probability", DRAWN), ("probability", "image")]
    targets = [scene.target(score, region) for score, region in cases]
    frames = [FRAME, FRAME[::-1].copy(), 255 - FRAME]
    by_target = explainer.compare(FRAME, targets)
    by_frame = list(explainer.each(frames, lambda number: targets[number], batch=3))
    for (score, region), for_target, frame, for_frame in zip(cases, by_target, frames, by_frame, strict=True):
        mask = DRAWN if region is DRAWN else np.ones(SHAPE, bool)
        for explanation, image in ((for_target, FRAME), (for_frame, frame)):
            y = scene.score(score, mask)
            assert_equals(explanation, reference(scene, method, y, int(mask.sum()), scene.input(image)))


@pytest.mark.parametrize("score", SCORES)
def test_a_preview_predicts_the_score_that_it_says(score: str) -> None:
    scene = Scene(2, channels=40)
    y, x = scene.score(score, DRAWN), scene.input()
    maps = scene.exact.encoder(x)[0]
    scores = y(scene.exact(x * F.interpolate(masks_of(maps)[:, None], SHAPE, mode="bilinear")))
    measured = torch.zeros(40, dtype=torch.bool)
    measured[spread_sample(masks_of(maps), 22)] = True
    best = predict_scores(masks_of(maps), scores, measured).masked_fill(measured, -torch.inf).argsort(descending=True)
    measured[best[:10]] = True
    expected = weighted_map(predict_scores(masks_of(maps), scores, measured), maps).relu()
    assert_equals(scene.explain("scorecam", scene.target(score, DRAWN), preview=True), expected)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("score", SCORES)
def test_its_gradient_is_the_analytical_derivative(classes: int, score: Literal["logit", "probability"]) -> None:
    logits = torch.randn(2, classes, 4, 5, generator=torch.Generator().manual_seed(0))
    region = torch.rand(4, 5, generator=torch.Generator().manual_seed(1)) > 0.5
    expected = torch.zeros(2, classes, 4, 5)
    expected[:, classes - 1] = 1
    if score == "probability":
        p = logits.sigmoid() if classes == 1 else logits.softmax(1)
        expected = p * (1 - p) if classes == 1 else p[:, -1:] * (expected - p)
    gradient = Objective(classes - 1, region, score).gradient(logits)
    torch.testing.assert_close(gradient, expected * region)


def test_a_drop_far_below_single_precision_is_kept() -> None:
    """65,536 pixels about which the network is sure, and one that drops by a hundred-thousandth."""
    logits = torch.full((1, 1, 256, 256), 12.0)
    less = logits.clone()
    less[..., 7, 9] = 9.0
    objective = Objective(0, torch.ones(256, 256, dtype=torch.bool), "probability")
    drop = float(objective(logits) - objective(less))
    expected = torch.tensor(12.0, dtype=torch.float64).sigmoid() - torch.tensor(9.0, dtype=torch.float64).sigmoid()
    assert drop == pytest.approx(float(expected), rel=1e-6)
