"""Gradient attributions: each against captum on the plain network, and against its known properties."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients, NoiseTunnel, Saliency
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam import optional
from napari_segcam.explanation.attribution import ATTRIBUTIONS, Attribution, attribute, estimate_attribution, score_at
from napari_segcam.explanation.attribution.score import PIXELS
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

FRAME = np.random.default_rng(0).integers(0, 255, (32, 64)).astype(np.uint8)
DRAWN = np.zeros(FRAME.shape, bool)
DRAWN[4:20, 10:30] = True
TARGET = sc.Target(1, DRAWN)


class Skipping(nn.Module):
    """Network with a skip around the deep layer, a norm, and an in-place ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.deep = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.unused = nn.Conv2d(6, 1, 1)
        self.head = nn.Conv2d(10, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = self.relu(self.norm(self.stem(x)))
        deep = self.deep(skip)
        self.unused(deep)
        return self.head(torch.cat([F.interpolate(F.silu(deep), scale_factor=2), skip], 1))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network.from_module(Skipping().double(), sc.ModelCard(normalization="unit"), device="cpu")


def by_hand(network: Network) -> tuple[torch.Tensor, torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """Return the input, a black one, and a function for the score."""
    x = prepare(FRAME, network.card, network.stride)[0].double()

    def score(images: torch.Tensor) -> torch.Tensor:
        return (network.module(images)[:, 1] * torch.from_numpy(DRAWN)).sum((1, 2))

    return x, torch.full_like(x, float(x.min())), score


def values_of(explanation: Explanation, stage: str) -> torch.Tensor:
    return torch.from_numpy(explanation.heatmaps[stage].values).double()


def test_integrated_gradients_equal_captum(network: Network) -> None:
    x, black, score = by_hand(network)
    expected = IntegratedGradients(score).attribute(x, black, n_steps=32)[0].sum(0)
    explanation = sc.Explainer(network, "integrated_gradients")(FRAME, TARGET)
    torch.testing.assert_close(values_of(explanation, "input"), expected, rtol=1e-4, atol=1e-6)
    assert explanation.heatmaps["input"].scale == (1, 1)
    assert expected.min() < 0 < expected.max(), "evidence against the target is kept"


@pytest.mark.parametrize("layer", ["stem", "norm", "deep"])
def test_integrated_gradients_of_a_stage_equal_captum(network: Network, layer: str) -> None:
    x, black, score = by_hand(network)
    plain = network.module.get_submodule(layer)
    network.module.relu.inplace = False  # captum's hooks fail with it; it changes no value
    expected = LayerIntegratedGradients(score, plain).attribute(x, black, n_steps=32)[0].sum(0)
    network.module.relu.inplace = True
    explanation = sc.Explainer(network, "layer_integrated_gradients", [layer])(FRAME, TARGET)
    torch.testing.assert_close(values_of(explanation, layer), expected, rtol=1e-4, atol=1e-5)


def test_smoothgrad_equals_captum_and_is_the_same_every_time(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, score = by_hand(network)
    generator, deviation = torch.Generator().manual_seed(0), 0.15 * float(x.max() - x.min())
    noise = iter([deviation * torch.randn(x.shape, generator=generator) for _ in range(24)])
    with monkeypatch.context() as patch:
        patch.setattr(torch, "normal", lambda _mean, _deviations: next(noise))
        mean = NoiseTunnel(Saliency(score)).attribute(x, nt_samples=24, nt_samples_batch_size=1, stdevs=1.0, abs=False)
    state = torch.get_rng_state()
    first, second = (values_of(sc.Explainer(network, "smoothgrad")(FRAME, TARGET), "input") for _ in range(2))
    torch.testing.assert_close(first, mean[0].abs().amax(0), rtol=1e-4, atol=1e-6)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state), "the global random state is unchanged"


def linear() -> Network:
    """Return a network of one class, whose logits are twice the brightness minus one."""
    module = nn.Conv2d(1, 1, 1)
    nn.init.constant_(module.weight, 2.0)
    nn.init.constant_(module.bias, -1.0)
    return Network.from_module(module, sc.ModelCard(input_channels=1, normalization="unit"), device="cpu")


def test_attributions_of_a_linear_network() -> None:
    network, frame = linear(), FRAME.copy()
    frame[0, 0] = 51  # the darkest pixel, which is the baseline, is not 0
    frame = frame.clip(51)
    shares = sc.Explainer(network, "integrated_gradients")(frame, sc.Target(0, DRAWN)).heatmaps["input"]
    np.testing.assert_allclose(shares.values, 2 * (frame - 51.0) / 255 * DRAWN, atol=1e-5)
    gradient = sc.Explainer(network, "smoothgrad")(frame, sc.Target(0, DRAWN)).heatmaps["input"]
    np.testing.assert_allclose(gradient.values, 2.0 * DRAWN, atol=1e-6)


def test_the_shares_add_up_except_for_the_stated_error(network: Network) -> None:
    x, black, score = by_hand(network)
    explanation = sc.Explainer(network, "layer_integrated_gradients", ["stem"])(FRAME, TARGET)
    gain = float(score(x) - score(black))  # the whole network comes after the stem
    error = explanation.provenance["completeness_error"]["stem"]
    assert error == explanation.heatmaps["stem"].completeness_error
    assert error < 0.02
    total = float(explanation.heatmaps["stem"].values.sum(dtype=np.float64))
    assert abs(total - gain) / abs(gain) == pytest.approx(error, abs=1e-6)
    json.dumps(explanation.provenance, allow_nan=False)
    assert sc.Explainer(network, "smoothgrad")(FRAME, TARGET).provenance["completeness_error"] == {}


@pytest.mark.parametrize("stages", ["all", ["deep"]])
@pytest.mark.parametrize("method", ["integrated_gradients", "smoothgrad"])
def test_pixels_have_one_map_for_any_choice_of_stages(network: Network, method: str, stages: str | list[str]) -> None:
    assert list(sc.Explainer(network, method, stages)(FRAME, TARGET).heatmaps) == ["input"]
    assert sc.Explainer(network, method, [])(FRAME, TARGET).heatmaps == {}


@pytest.mark.parametrize("name", list(ATTRIBUTIONS))
def test_an_empty_map_has_its_reason(network: Network, name: str) -> None:
    nowhere = np.zeros(FRAME.shape, bool)
    explainer = sc.Explainer(network, name, ["deep"])
    (heatmap,) = explainer(FRAME, sc.Target(1, nowhere)).heatmaps.values()
    assert heatmap.reason is Reason.NOTHING_DRAWN
    assert not heatmap.values.any()


def test_a_black_frame_has_an_empty_map(network: Network) -> None:
    heatmap = sc.Explainer(network, "integrated_gradients")(np.zeros_like(FRAME), TARGET).heatmaps["input"]
    assert heatmap.reason is Reason.NOTHING_POSITIVE
    assert heatmap.completeness_error is None, "a share of zero"


def test_a_stage_that_the_score_does_not_depend_on(network: Network) -> None:
    explainer = sc.Explainer(network, "layer_integrated_gradients", ["unused"])
    assert explainer(FRAME, TARGET).heatmaps["unused"].reason is Reason.NOT_CONNECTED
    assert explainer.estimate(FRAME).seconds >= 0


def with_progress(name: str) -> tuple[Attribution, list[tuple[int, int]], Callable[..., object]]:
    method = ATTRIBUTIONS[name]
    progress: list[tuple[int, int]] = []
    module = nn.Conv2d(1, 1, 3, padding=1).requires_grad_(False)
    stage = PIXELS if method.stage else Stage("whole", "layer", 1, 1, "0")
    x = torch.randn(1, 1, 8, 8)
    score = score_at(nn.Sequential(module), x, stage, Objective(0, torch.ones(8, 8, dtype=torch.bool)))

    def run(cancelled: Callable[[], bool] | None = None) -> object:
        return attribute(
            method, score, progress=lambda done, total: progress.append((done, total)), cancelled=cancelled
        )

    assert estimate_attribution(method, score).forwards == method.runs
    return method, progress, run


@pytest.mark.parametrize("name", list(ATTRIBUTIONS))
def test_progress_ends_with_the_last_run_and_cancelling_works(name: str) -> None:
    method, progress, run = with_progress(name)
    run()
    assert progress[-1] == (method.runs, method.runs)
    assert [done for done, _ in progress] == sorted({done for done, _ in progress})
    assert len(progress) > 4
    progress.clear()
    with pytest.raises(Cancelled):
        run(lambda: len(progress) == 2)
    assert len(progress) == 2


def test_the_explainer_reports_progress_and_estimates(network: Network) -> None:
    progress: list[tuple[str, int, int]] = []
    control = ProgressControl(progress=lambda *step: progress.append(step), cancelled=lambda: len(progress) == 1)
    explainer = sc.Explainer(network, "smoothgrad", control=control)
    assert explainer.estimate(FRAME).forwards == 1 + 24
    with pytest.raises(Cancelled):
        explainer(FRAME, TARGET)
    assert progress == [("input", 4, 24)]


def test_torchscript_gives_the_pixels_of_its_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)).eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), buffer)
    path = tmp_path / "model.pt"
    path.write_bytes(buffer.getvalue())
    target = sc.Target(region="image")
    script, plain = sc.load_network(path, "cpu"), Network.from_module(module, device="cpu")
    for method in ("integrated_gradients", "smoothgrad"):
        values = [sc.Explainer(net, method)(FRAME, target).heatmaps["input"].values for net in (script, plain)]
        assert np.abs(values[0]).max() > 0
        np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-5)
    with pytest.raises(sc.SegcamError, match="TorchScript"):
        sc.Explainer(script, "layer_integrated_gradients")


def test_a_few_outliers_do_not_make_the_image_dark() -> None:
    explanation = sc.Explainer(linear(), "integrated_gradients")(FRAME, sc.Target(0, "image"))
    heatmap = explanation.heatmaps["input"]
    heatmap.values[3, 5] = 1000 * heatmap.values.max()
    scaled = heatmap.on_frame()
    assert scaled.max() == 1
    assert np.median(scaled) > 0.3
    assert heatmap.peak < heatmap.values.max() / 100
    assert heatmap.raw_on_frame().max() == heatmap.values.max(), "the raw values are kept"


def test_without_captum_they_are_listed_and_choosing_one_says_what_to_install(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    assert find_method("smoothgrad").title == "SmoothGrad"
    with pytest.raises(sc.SegcamError, match=r"SmoothGrad is computed by captum.*pip install captum"):
        sc.Explainer(network, "smoothgrad")
    assert sc.Explainer(network, "gradcam", ["deep"])(FRAME, TARGET).heatmaps, "other methods work"
