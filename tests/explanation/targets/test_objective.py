"""The objective, and each method's map of it against the method's formula, written out here in float64."""

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
    """Sure of much of the frame, so that probabilities are near 0 and 1 there."""

    def __init__(self, classes: int, channels: int = 16) -> None:
        super().__init__()
        torch.manual_seed(classes)
        self.encoder = nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.SiLU(), nn.Conv2d(12, channels, 3, 2, 1), nn.SiLU())
        self.head = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, classes, 1))
        self.up = nn.Upsample(scale_factor=4, mode="bilinear")
        with torch.no_grad():
            self.head[2].weight.mul_(20)  # type: ignore[operator, union-attr]
            seen = torch.from_numpy(FRAME / 255).float().expand(1, 3, -1, -1)
            self.head[2].bias.sub_(self(seen).mean((0, 2, 3)))  # type: ignore[operator, union-attr]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.head(self.encoder(x)))


class Scene:
    """A network in the explainer's hands, and the same one in float64 beside it."""

    def __init__(self, classes: int, channels: int = 16) -> None:
        module = Tiny(classes, channels).eval()
        self.exact = copy.deepcopy(module).double().requires_grad_(False)
        self.network = sc.Network.from_module(module, sc.ModelCard(normalization="unit"), device="cpu")
        self.classes, self.index = classes, classes - 1

    def target(self, score: str, region: Any = "image") -> sc.Target:
        return sc.Target(self.index, region, score)  # type: ignore[arg-type]

    def explained(self, method: str, target: sc.Target, **control: Any) -> Explanation:
        return sc.Explainer(self.network, method, ["encoder.3"], control=ProgressControl(**control))(FRAME, target)

    def input(self, frame: np.ndarray = FRAME) -> torch.Tensor:
        return prepare(frame, self.network.card, self.network.stride)[0].double()

    def score(self, score: str, region: np.ndarray) -> Score:
        """y of logits ``(B, C, H, W)``: ``(B,)``."""
        where = torch.from_numpy(region)

        def of(logits: torch.Tensor) -> torch.Tensor:
            values = logits
            if score == "probability":
                values = 1 / (1 + (-logits).exp()) if self.classes == 1 else F.softmax(logits, 1)
            return values[:, self.index][:, where].sum(1)

        return of


def reference(scene: Scene, method: str, y: Score, pixels: int, x: torch.Tensor) -> torch.Tensor:
    exact = scene.exact
    maps = exact.encoder(x)

    def after(values: torch.Tensor) -> torch.Tensor:
        return exact.up(exact.head(values))

    if method == "gradcam":
        return (gradients(lambda a: y(after(a)), maps).mean((2, 3), keepdim=True) * maps).sum(1)[0].relu()
    if method == "ablationcam":
        without = maps * (1 - torch.eye(maps.shape[1], dtype=maps.dtype))[:, :, None, None]
        lost = (y(after(maps)) - y(after(without))) / pixels
        return (lost[:, None, None] * maps[0]).sum(0).relu()
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


def gradients(y: Score, at: torch.Tensor) -> torch.Tensor:
    at = at.detach().requires_grad_()
    return torch.autograd.grad(y(at).sum(), at)[0]


def masks_of(maps: torch.Tensor) -> torch.Tensor:
    lowest = maps.amin((1, 2), keepdim=True)
    return (maps - lowest) / (maps.amax((1, 2), keepdim=True) - lowest + 1e-8)


def weighed(scores: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    if (scores == scores[0]).all():
        return torch.zeros_like(maps[0])
    standardized = (scores - scores.mean()) / scores.var(unbiased=False).sqrt()
    return (standardized.softmax(0)[:, None, None] * maps).sum(0)


def scorecam(y: Score, exact: nn.Module, maps: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    seen = F.interpolate(masks_of(maps)[:, None], SHAPE, mode="bilinear")
    return weighed(y(exact(x * seen)), maps)


def occlusion(y: Score, exact: nn.Module, x: torch.Tensor) -> torch.Tensor:
    losses = torch.zeros(2, 4, dtype=torch.float64)
    for row, column in np.ndindex(2, 4):
        hidden = x.clone()
        top, left = max(0, 16 * row - 8), max(0, 16 * column - 8)
        hidden[:, :, top : 16 * row + 24, left : 16 * column + 24] = x.mean((2, 3), keepdim=True)
        losses[row, column] = y(exact(x)) - y(exact(hidden))
    return losses.relu()


def path_integral(y: Score, at: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    places, weights = np.polynomial.legendre.leggauss(32)
    slopes = [w / 2 * gradients(y, start + (p + 1) / 2 * (at - start)) for p, w in zip(places, weights, strict=True)]
    return (torch.stack(slopes).sum(0) * (at - start))[0].sum(0)


def smoothgrad(exact: nn.Module, y: Score, x: torch.Tensor) -> torch.Tensor:
    """The mean gradient of 24 noisy copies: the method's own, which it shows a score that only looks on."""
    copies: list[torch.Tensor] = []

    def looking_on(images: torch.Tensor) -> torch.Tensor:
        copies.extend(images.detach().double().split(1))
        return images.sum((1, 2, 3))

    ATTRIBUTIONS["smoothgrad"].compute(ScoreOfMaps(looking_on, x))  # type: ignore[arg-type]
    assert len(copies) == 24
    return gradients(lambda images: y(exact(images)), torch.cat(copies)).mean(0).abs().amax(0)


class ScoreOfMaps:
    """As much of a score as SmoothGrad asks for."""

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


def same(explanation: Explanation, expected: torch.Tensor) -> None:
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
    where = DRAWN if region == "drawn" else np.ones(SHAPE, bool)
    explanation = scene.explained(method, scene.target(score, DRAWN if region == "drawn" else "image"))
    same(explanation, reference(scene, method, scene.score(score, where), int(where.sum()), scene.input()))
    assert explanation.provenance["target"]["score"].startswith(
        "sum of logits" if score == "logit" else "sum of probabilities"
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_mask_is_explained_and_an_empty_one_is_said(method: str) -> None:
    for classes in (1, 2, 3):
        scene = Scene(classes)
        explanation = scene.explained(method, scene.target("probability", "mask"))
        same(
            explanation,
            reference(
                scene,
                method,
                scene.score("probability", explanation.region),
                int(explanation.region.sum()),
                scene.input(),
            ),
        )
        nowhere = scene.explained(method, scene.target("probability", np.zeros(SHAPE, bool)))
        assert all(heatmap.reason and not heatmap.values.any() for heatmap in nowhere.heatmaps.values())


@pytest.mark.parametrize("method", METHODS)
def test_targets_that_share_a_pass_and_frames_that_share_a_batch_keep_their_own_scores(method: str) -> None:
    scene = Scene(3)
    explainer = sc.Explainer(scene.network, method, ["encoder.3"])
    places: list[tuple[str, Any]] = [("logit", "image"), ("probability", DRAWN), ("probability", "image")]
    targets = [scene.target(score, region) for score, region in places]
    frames = [FRAME, FRAME[::-1].copy(), 255 - FRAME]
    by_target = explainer.compare(FRAME, targets)
    by_frame = list(explainer.each(frames, lambda number: targets[number], batch=3))
    for (score, region), target_of_one, frame, of_frame in zip(places, by_target, frames, by_frame, strict=True):
        where = DRAWN if region is DRAWN else np.ones(SHAPE, bool)
        for found, seen in ((target_of_one, FRAME), (of_frame, frame)):
            y = scene.score(score, where)
            same(found, reference(scene, method, y, int(where.sum()), scene.input(seen)))


@pytest.mark.parametrize("score", SCORES)
def test_a_preview_predicts_the_score_that_it_says(score: str) -> None:
    scene = Scene(2, channels=40)
    y, x = scene.score(score, DRAWN), scene.input()
    maps = scene.exact.encoder(x)[0]
    scores = y(scene.exact(x * F.interpolate(masks_of(maps)[:, None], SHAPE, mode="bilinear")))
    known = torch.zeros(40, dtype=torch.bool)
    known[spread_sample(masks_of(maps), 22)] = True
    best = predict_scores(masks_of(maps), scores, known).masked_fill(known, -torch.inf).argsort(descending=True)
    known[best[:10]] = True
    expected = weighed(predict_scores(masks_of(maps), scores, known), maps).relu()
    same(scene.explained("scorecam", scene.target(score, DRAWN), preview=True), expected)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("score", SCORES)
def test_its_gradient_is_the_derivative_written_out(classes: int, score: Literal["logit", "probability"]) -> None:
    logits = torch.randn(2, classes, 4, 5, generator=torch.Generator().manual_seed(0))
    region = torch.rand(4, 5, generator=torch.Generator().manual_seed(1)) > 0.5
    own = torch.zeros(2, classes, 4, 5)
    own[:, classes - 1] = 1
    if score == "probability":
        p = logits.sigmoid() if classes == 1 else logits.softmax(1)
        own = p * (1 - p) if classes == 1 else p[:, -1:] * (own - p)
    gradient = Objective(classes - 1, region, score).gradient(logits)
    torch.testing.assert_close(gradient, own * region)


def test_a_loss_far_below_single_precision_is_not_lost() -> None:
    """65,536 pixels of which the network is sure, and one that loses a hundred-thousandth."""
    logits = torch.full((1, 1, 256, 256), 12.0)
    less = logits.clone()
    less[..., 7, 9] = 9.0
    objective = Objective(0, torch.ones(256, 256, dtype=torch.bool), "probability")
    lost = float(objective(logits) - objective(less))
    expected = torch.tensor(12.0, dtype=torch.float64).sigmoid() - torch.tensor(9.0, dtype=torch.float64).sigmoid()
    assert lost == pytest.approx(float(expected), rel=1e-6)
