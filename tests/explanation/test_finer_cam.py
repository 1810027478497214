"""Finer-CAM: a class against another, by its formula, and as grad-cam and torchcam compute it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.batch.rows import rows_of
from napari_segcam.commands.options import HeatmapOptions, InputOptions, explain_options
from napari_segcam.explanation.targets.target import Score
from napari_segcam.network.model_card import ModelCard
from napari_segcam.reporting.sheets import explained_classes

NAMES = ("background", "cyst", "lesion", "wall")
FRAME = np.random.default_rng(2).integers(0, 255, (32, 64), dtype=np.uint8)


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shallow = nn.Sequential(nn.Conv2d(1, 5, 3, padding=1), nn.Tanh())
        self.deep = nn.Sequential(nn.Conv2d(5, 6, 3, stride=2, padding=1), nn.Tanh())
        self.head = nn.Sequential(nn.Conv2d(6, len(NAMES), 1), nn.UpsamplingBilinear2d(scale_factor=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.shallow(x)))


class Classifier(Segmenter):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).amax((2, 3))


def network_of(module: nn.Module, **card: object) -> sc.Network:
    names = {"input_channels": 1, "normalization": "unit", "class_names": NAMES}
    return sc.Network.from_module(module, ModelCard.model_validate(names | card), "cpu")


def naive(result: object, stage: str, others: list[int], gamma: float, score: Score, *, overlap: bool) -> NDArray:
    """Return the map of a stage, channel by channel, from the gradient of the difference over the region."""
    module = Segmenter().double().eval()
    features: list[torch.Tensor] = []
    getattr(module, stage).register_forward_hook(lambda _layer, _inputs, output: features.append(output))
    logits = module(torch.from_numpy(FRAME / 255.0)[None, None])[0]
    scores = logits if score == "logit" else logits.sigmoid() if overlap else logits.softmax(0)
    region = torch.from_numpy(result.region)  # type: ignore[attr-defined]
    explained = result.target.class_index  # type: ignore[attr-defined]
    difference = sum(
        scores[explained, y, x] - gamma * sum(scores[other, y, x] for other in others) / len(others)
        for y, x in region.nonzero().tolist()
    )
    (gradient,) = torch.autograd.grad(difference, features[0])
    heat = sum(float(gradient[0, k].mean()) * features[0][0, k] for k in range(features[0].shape[1]))
    return heat.detach().clamp(min=0).numpy()  # type: ignore[attr-defined]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("against", "numbers"), [("wall", [3]), (("cyst", 3), [1, 3])])
def test_every_stage_has_the_gradient_of_the_difference(
    against: object, numbers: list[int], score: Score, overlap: bool
) -> None:
    network = network_of(Segmenter(), classes_overlap=overlap)
    region = np.zeros(FRAME.shape, bool)
    region[4:9, 20:31] = True
    target = sc.Target(2, region, score, against, 0.7)  # type: ignore[arg-type]
    result = sc.Explainer(network, "finercam", ["shallow", "deep"])(FRAME, target)
    assert result.target.reference_classes == tuple(numbers)
    for stage in ("shallow", "deep"):
        expected = naive(result, stage, numbers, 0.7, score, overlap=overlap)
        assert expected.any(), stage
        np.testing.assert_allclose(result.heatmaps[stage].values, expected, atol=1e-4 * expected.max())


def test_by_default_the_likeliest_other_class_in_the_region_is_compared() -> None:
    network = network_of(Segmenter())
    masks = sc.Explainer(network, stages=())(FRAME).probabilities
    seen = set()
    for left in range(0, 64, 16):
        region = np.zeros(FRAME.shape, bool)
        region[:, left : left + 16] = True
        result = sc.Explainer(network, "finercam", ["deep"])(FRAME, sc.Target(2, region))
        means = masks[:, region].mean(1)
        means[2] = 0
        assert result.target.reference_classes == (int(means.argmax()),)
        plain = result.provenance["target"]
        assert plain["against_names"] == [NAMES[means.argmax()]]
        assert plain["gamma"] == 0.6
        assert plain["score"] == f"sum of logits, less 0.6 × those of {NAMES[means.argmax()]}, over the region"
        seen.add(int(means.argmax()))
    assert 2 not in seen


def test_a_batch_of_frames_compares_each_with_its_own_class() -> None:
    network = network_of(Segmenter())
    explainer = sc.Explainer(network, "finercam", ["deep"])
    frames = [FRAME, 255 - FRAME, FRAME // 8]
    together = list(explainer.each(frames, sc.Target(1, "image"), batch=3))
    for frame, result in zip(frames, together, strict=True):
        alone = explainer(frame, sc.Target(1, "image"))
        assert result.target.reference_classes == alone.target.reference_classes
        np.testing.assert_allclose(result.heatmaps["deep"].values, alone.heatmaps["deep"].values, atol=1e-5)


@pytest.mark.parametrize("gamma", [0.6, 1.0])
def test_class_scores_are_compared_as_by_grad_cam_and_torchcam(gamma: float) -> None:
    grad_cam, torchcam = pytest.importorskip("pytorch_grad_cam"), pytest.importorskip("torchcam.methods")
    module, network = Classifier().eval(), network_of(Classifier())
    result = sc.Explainer(network, "finercam", ["deep"])(FRAME, sc.Target(2, gamma=gamma))
    ours = result.heatmaps["deep"].values
    (other,) = result.target.reference_classes
    x = torch.from_numpy(FRAME / 255.0).float()[None, None]
    logits = module(x)[0]
    if int((logits - logits[2]).abs().argsort()[1]) == other:  # grad-cam takes the nearest logit
        with grad_cam.FinerCAM(module, [module.deep]) as cam:
            theirs = cam(x, alpha=gamma, comparison_categories=[1], target_idx=2)[0]
        shown = result.heatmaps["deep"].on_frame()
        assert np.corrcoef(shown.ravel(), theirs.ravel())[0, 1] > 0.999
    with torchcam.FinerCAM(module, "deep", gamma=gamma) as cam:
        scores = module(x.requires_grad_())
        (theirs,) = cam(2, scores, [other], normalized=False)
    np.testing.assert_allclose(ours, theirs[0].detach().numpy(), atol=1e-5 * float(theirs.max()))


def test_gamma_zero_is_grad_cam() -> None:
    network = network_of(Segmenter())
    finer = sc.Explainer(network, "finercam", ["deep"])(FRAME, sc.Target(2, "image", gamma=0)).heatmaps["deep"]
    plain = sc.Explainer(network, "gradcam", ["deep"])(FRAME, sc.Target(2, "image", against="wall"))
    np.testing.assert_array_equal(finer.values, plain.heatmaps["deep"].values)
    assert plain.target.against is None, "Grad-CAM does not compare classes"
    assert "against" not in plain.provenance["target"]


def test_what_cannot_be_compared_is_refused_in_words() -> None:
    one_class = sc.Network.from_module(nn.Conv2d(1, 1, 3, padding=1), device="cpu")
    with pytest.raises(sc.SegcamError, match=r"has only one.*choose gradcam"):
        sc.Explainer(one_class, "finercam")
    explainer = sc.Explainer(network_of(Segmenter()), "finercam", ["deep"])
    with pytest.raises(sc.SegcamError, match="lesion cannot be explained against itself"):
        explainer(FRAME, sc.Target(2, "image", against="lesion"))
    with pytest.raises(sc.SegcamError, match="no class bone"):
        explainer(FRAME, sc.Target(2, "image", against="bone"))
    with pytest.raises(sc.SegcamError, match="must be 0 or more"):
        sc.Target(gamma=-1)


def test_an_empty_region_says_so() -> None:
    empty = sc.Target(2, np.zeros(FRAME.shape, bool))
    result = sc.Explainer(network_of(Segmenter()), "finercam", ["deep"])(FRAME, empty)
    assert result.heatmaps["deep"].reason is not None
    assert result.target.reference_classes == ()


def test_the_command_line_names_the_other_class(tmp_path: Path) -> None:
    options = explain_options(
        HeatmapOptions("gradcam,finercam", classes="2", region="image", against="3"), InputOptions()
    )
    network = network_of(Segmenter())
    Image.fromarray(FRAME).save(tmp_path / "frame.png")
    results = list(ExplainPipeline(network, options).explanations(sc.open_cine(tmp_path / "frame.png"), [0]))
    titles = [explained_classes(result.explanation) for result in results]
    assert titles == ["lesion", "lesion against wall"]
    rows = [row for result in results for row in rows_of("frame.png", 0, result.explanation, None, None)]
    assert {(row["method"], row["class"], row["against"]) for row in rows} == {
        ("gradcam", "lesion", ""),
        ("finercam", "lesion", "wall"),
    }
    with pytest.raises(sc.SegcamError, match="add --methods finercam"):
        explain_options(HeatmapOptions(against="3"), InputOptions())
