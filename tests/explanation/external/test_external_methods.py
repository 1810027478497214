"""Methods of other packages: each as the package itself computes it, and what goes wrong in them said per stage."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from torch import nn

import napari_segcam as sc
from napari_segcam.batch.provenance import versions
from napari_segcam.explanation.external import counterpart, external_methods, find_external, unsuitable_methods
from napari_segcam.explanation.methods import METHODS
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl

pytorch_grad_cam = pytest.importorskip("pytorch_grad_cam")
torchcam = pytest.importorskip("torchcam.methods")
SemanticSegmentationTarget = pytorch_grad_cam.utils.model_targets.SemanticSegmentationTarget
scale_cam_image = pytorch_grad_cam.utils.image.scale_cam_image

FRAME = np.random.default_rng(3).integers(0, 255, (32, 48), dtype=np.uint8)
X = torch.from_numpy(FRAME / 255.0).float()[None, None]
REGION = np.zeros(FRAME.shape, bool)
REGION[5:20, 10:30] = True
TARGET = sc.Target(1, REGION)


class Segmenter(nn.Module):
    """Three classes; the layer after ``shallow`` overwrites its output, and nothing depends on ``idle``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.shallow = nn.Conv2d(1, 4, 3, padding=1)
        self.rectifier = nn.ReLU(inplace=True)
        self.idle = nn.Conv2d(4, 2, 1)
        self.deep = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Softplus())
        self.head = nn.Sequential(nn.Conv2d(6, 3, 1), nn.UpsamplingBilinear2d(scale_factor=2), nn.Softplus())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.rectifier(self.shallow(x))
        self.idle(features)
        return self.head(self.deep(features))


@pytest.fixture
def network() -> sc.Network:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("background", "cyst", "wall"))
    return sc.Network.from_module(Segmenter(), card, "cpu")


def hooks_of(network: sc.Network) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in network.module.modules())


@pytest.mark.parametrize("name", [name for name in external_methods() if name.startswith("grad-cam:")])
def test_methods_of_grad_cam_are_what_the_package_gives_for_the_layer(name: str, network: sc.Network) -> None:
    if name == "grad-cam:finercam":
        pytest.skip("the package has no target for a region")
    ours = sc.Explainer(network, name, ["deep"])(FRAME, TARGET).heatmaps["deep"].values
    method = getattr(pytorch_grad_cam, find_external(name).class_name)
    np.random.seed(0)  # noqa: NPY002
    module = Segmenter().eval()
    cam = method(module, [module.deep])
    expected = cam(X.clone().requires_grad_(), [SemanticSegmentationTarget(1, REGION.astype(np.float32))])[0]
    assert ours.any()
    scaled = scale_cam_image(scale_cam_image(ours[None], FRAME.shape[::-1]))[0]
    np.testing.assert_allclose(scaled, expected, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in external_methods() if name.startswith("torchcam:")])
def test_methods_of_torchcam_are_what_the_package_gives_for_the_layer(name: str, network: sc.Network) -> None:
    ours = sc.Explainer(network, name, ["deep"])(FRAME, TARGET).heatmaps["deep"].values
    module = Segmenter().eval()
    torch.manual_seed(0)
    with getattr(torchcam, find_external(name).class_name)(module, "deep") as cam:
        scores = module(X.clone().requires_grad_())
        torch.manual_seed(0)
        (expected,) = cam(
            scores=scores, targets=SemanticSegmentationTarget(1, REGION.astype(np.float32)), normalized=False
        )
    expected = expected[0].detach().relu().numpy()
    assert ours.any()
    np.testing.assert_allclose(ours, expected, atol=1e-3 * expected.max())


def test_a_stage_that_the_next_layer_overwrites_is_explained_as_it_was(network: sc.Network) -> None:
    theirs = sc.Explainer(network, "grad-cam:gradcam", ["shallow", "deep"])(FRAME, TARGET)
    ours = sc.Explainer(network, "gradcam", ["shallow", "deep"])(FRAME, TARGET)
    for stage, heatmap in ours.heatmaps.items():
        assert heatmap.values.any()
        np.testing.assert_allclose(theirs.heatmaps[stage].values, heatmap.values, atol=1e-5 * heatmap.values.max())


def test_finer_cam_of_grad_cam_compares_with_the_nearest_classes(network: sc.Network) -> None:
    result = sc.Explainer(network, "grad-cam:finercam", ["deep"])(FRAME, TARGET)
    module = Segmenter().double().eval()
    features: list[torch.Tensor] = []
    module.deep.register_forward_hook(lambda _layer, _inputs, output: features.append(output))
    scores = module(torch.from_numpy(FRAME / 255.0)[None, None])[0][:, torch.from_numpy(REGION)].mean(1)
    shares = scores.softmax(0)[[0, 2]]
    difference = (shares * (scores[1] - scores[[0, 2]])).sum() / shares.sum()
    (gradient,) = torch.autograd.grad(difference, features[0])
    expected = (gradient.mean((2, 3), keepdim=True) * features[0]).sum(1)[0].relu().detach().numpy()
    assert expected.any()
    np.testing.assert_allclose(result.heatmaps["deep"].values, expected, atol=1e-4 * expected.max())


def test_an_error_in_the_package_is_the_reason_of_its_stage_alone(
    network: sc.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = pytorch_grad_cam.FEM.get_cam_image

    def fail_when_shallow(self: object, *arguments: np.ndarray) -> np.ndarray:
        if arguments[3].shape[-1] == 48:
            raise ZeroDivisionError("no such axis")
        return compute(self, *arguments)

    monkeypatch.setattr(pytorch_grad_cam.FEM, "get_cam_image", fail_when_shallow)
    result = sc.Explainer(network, "grad-cam:fem", ["shallow", "deep"])(FRAME, TARGET)
    reason = result.heatmaps["shallow"].reason
    assert reason is not None
    assert "grad-cam" in reason.value
    assert "no such axis" in reason.value
    assert result.heatmaps["deep"].reason is None
    assert result.heatmaps["deep"].values.any()
    assert hooks_of(network) == 0


def test_a_stage_without_effect_says_so(network: sc.Network) -> None:
    result = sc.Explainer(network, "grad-cam:shapleycam", ["idle", "deep"])(FRAME, TARGET)
    assert result.heatmaps["idle"].reason is not None
    assert result.heatmaps["idle"].reason.value == "the score does not depend on this stage"
    assert result.heatmaps["deep"].values.any()


def test_random_maps_are_the_same_every_time_and_leave_the_generators_alone(network: sc.Network) -> None:
    explainer = sc.Explainer(network, "grad-cam:randomcam", ["deep"])
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[union-attr]  # noqa: NPY002
    first, second = (explainer(FRAME, TARGET).heatmaps["deep"].values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_cancelling_stops_between_two_runs_and_leaves_no_hooks(network: sc.Network) -> None:
    progress: list[tuple[str, int, int]] = []
    control = ProgressControl(
        progress=lambda *step: progress.append(step), cancelled=lambda: len(progress) >= 3 and progress[-1][1] > 0
    )
    with pytest.raises(Cancelled):
        sc.Explainer(network, "torchcam:iscam", ["deep"], control=control)(FRAME, TARGET)
    stage, done, total = progress[-1]
    assert (stage, total) == ("deep", 60)
    assert 0 < done < total
    assert hooks_of(network) == 0
    assert not network.lock.locked()


def test_a_matrix_of_all_pixels_by_all_pixels_is_refused_with_its_size(network: sc.Network) -> None:
    wide = np.random.default_rng(0).integers(0, 255, (96, 128), dtype=np.uint8)
    result = sc.Explainer(network, "grad-cam:kpcacam", ["shallow", "deep"])(wide, sc.Target(1, "image"))
    reason = result.heatmaps["shallow"].reason
    assert reason is not None
    assert "96×128 pixels of this stage takes 1.2 GB" in reason.value
    assert result.heatmaps["deep"].values.any()


def test_the_provenance_names_package_version_and_seed(network: sc.Network) -> None:
    explainer = sc.Explainer(network, "grad-cam:KPCA_CAM", ["deep"])
    provenance = explainer(FRAME, TARGET).provenance
    assert provenance["method"] == "grad-cam:kpcacam"
    assert provenance["method_package"]["package"] == "grad-cam"
    assert provenance["method_package"]["version"][:1].isdigit()
    assert provenance["method_package"]["class"] == "KPCA_CAM"
    assert provenance["rewrites"] == []


def test_the_estimate_counts_the_runs(network: sc.Network) -> None:
    cost = sc.Explainer(network, "torchcam:sscam", ["shallow", "deep"]).estimate(FRAME)
    assert cost.forwards == 1 + 35 * (4 + 6)
    assert cost.seconds > 0


def test_networks_that_take_one_image_at_a_time_get_one(network: sc.Network) -> None:
    sizes: list[int] = []
    network.module.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    single = replace(network, one_frame_at_a_time=True)
    alone = sc.Explainer(single, "torchcam:iscam", ["deep"])(FRAME, TARGET).heatmaps["deep"].values
    assert set(sizes) == {1}
    together = sc.Explainer(network, "torchcam:iscam", ["deep"])(FRAME, TARGET).heatmaps["deep"].values
    assert max(sizes) > 1
    np.testing.assert_allclose(alone, together, atol=1e-4 * together.max())


def test_the_methods_that_exist_here_are_not_offered_twice() -> None:
    assert "grad-cam:fem" in external_methods()
    assert "grad-cam:gradcam" not in external_methods()
    assert find_external("grad-cam:GradCAMPlusPlus").own_name in METHODS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("grad-cam:fullgrad", "FullGrad of grad-cam cannot explain a stage: it explains all layers together"),
        ("torchcam:cam", "CAM of torchcam cannot explain a stage: it explains the class of a classifier"),
        ("grad-cam:nothing", "has no method 'nothing'. It offers: .*grad-cam:fem"),
        ("captum:ig", "no package of methods 'captum'"),
    ],
)
def test_what_cannot_be_used_says_why(name: str, message: str) -> None:
    with pytest.raises(sc.SegcamError, match=message):
        find_external(name)
    assert "grad-cam:FullGrad" in unsuitable_methods()


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda name: None if name == "pytorch_grad_cam" else sys)
    with pytest.raises(sc.SegcamError, match=r'pip install "napari-segcam\[grad-cam\]"'):
        find_external("grad-cam:fem")
    with pytest.raises(sc.SegcamError, match=r'pip install "napari-segcam\[grad-cam\]"'):
        counterpart("gradcam")


def test_a_batch_notes_the_version_of_the_package() -> None:
    assert versions(["gradcam", "grad-cam:fem"])["grad-cam"] == version("grad-cam")
    assert "grad-cam" not in versions(["gradcam"])
