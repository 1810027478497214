"""Every method, at every stage, against the packages grad-cam, torch-cam and captum, where they have it."""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_grad_cam
import segmentation_models_pytorch as smp
import torch
import torchcam.methods
from captum.attr import LayerGradCam, LayerGradientXActivation
from networks import with_fitted_norms
from one_pass import Pass, run
from packaging.version import Version
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    EigenGradCAM,
    GradCAM,
    GradCAMElementWise,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
    ablation_cam,
)
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import nn
from torch.nn import functional as F

from napari_segcam.explanation.methods import METHODS
from napari_segcam.explanation.perturbation import perturb
from napari_segcam.explanation.perturbation.ablationcam import AblationCam
from napari_segcam.explanation.perturbation.scorecam import ScoreCam
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

SIDE = 64
REFERENCE: dict[str, type[BaseCAM]] = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "layercam": LayerCAM,
    "hirescam": HiResCAM,
    "xgradcam": XGradCAM,
    "gradcam_elementwise": GradCAMElementWise,
}
EIGEN: dict[str, type[BaseCAM]] = {"eigencam": EigenCAM, "eigengradcam": EigenGradCAM}
if Version(importlib.metadata.version("grad-cam")) > Version("1.5.5"):  # the lowest version that is supported lacks it
    EIGEN["seg-eigen-cam"] = pytorch_grad_cam.SegEigenCAM
ARCHITECTURES = {
    "unetplusplus-efficientnet-b5": lambda: smp.UnetPlusPlus("efficientnet-b5", encoder_weights=None),
    "unet-resnet34": lambda: smp.Unet("resnet34", encoder_weights=None),
    "fpn-mobilenet_v2": lambda: smp.FPN("mobilenet_v2", encoder_weights=None),
    "deeplabv3plus-resnet18": lambda: smp.DeepLabV3Plus("resnet18", encoder_weights=None),
    "linknet-resnet18": lambda: smp.Linknet("resnet18", encoder_weights=None),
    "manet-resnet18": lambda: smp.MAnet("resnet18", encoder_weights=None),
    "segformer-mit_b0": lambda: smp.Segformer("mit_b0", encoder_weights=None),
}

LIGHT = [name for name in ARCHITECTURES if not name.endswith("b5")]
FLOAT32 = ["unetplusplus-efficientnet-b5", "unet-resnet34", "fpn-mobilenet_v2"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    return Network.from_module(with_fitted_norms(ARCHITECTURES[request.param](), SIDE), device="cpu", rewrite=False)


@pytest.fixture(scope="module")
def exact(network: Network) -> nn.Module:
    """The module in float64, with an extra identity layer, a mark, for each of several outputs of one layer."""
    module = copy.deepcopy(network.module).double()
    for stage in network.stages:
        if stage.output is not None:
            mark = nn.Identity()  # returns the tensor itself, so that a hook sees its whole gradient
            module.add_module(marked(stage), mark)
            module.get_submodule(stage.layer).register_forward_hook(pass_output_to(mark, stage.output))
    return module


def pass_output_to(mark: nn.Module, index: int) -> Callable[[nn.Module, object, list[torch.Tensor]], None]:
    def hook(_module: nn.Module, _inputs: object, output: list[torch.Tensor]) -> None:
        mark(output[index])

    return hook


def marked(stage: Stage) -> str:
    """Return the name of a layer whose only output is the stage's."""
    return stage.layer if stage.output is None else f"mark_{stage.name}"


def main_body(network: Network) -> tuple[Stage, ...]:
    stages = tuple(stage for stage in network.stages if stage.kind in ("encoder", "decoder"))
    assert len(stages) >= 9
    return stages


def region_of(logits: torch.Tensor) -> torch.Tensor:
    region = torch.zeros_like(logits)
    region[:, :, 20:44, 12:40] = 1
    return region


def region_sum(output: torch.Tensor) -> torch.Tensor:
    """Target of the reference: y = the sum of the logits over the region."""
    return (output * region_of(output[None])[0]).sum()


def frame(dtype: torch.dtype = torch.float64, side: int = SIDE) -> torch.Tensor:
    return torch.randn(1, 3, side, side, dtype=dtype, generator=torch.Generator().manual_seed(1))


def scaled(raw: np.ndarray) -> np.ndarray:
    """Scale a map ``(h, w)`` like grad-cam: ReLU, min–max, to the input's size, min–max."""
    return scale_cam_image(scale_cam_image(np.maximum(raw, 0)[None], (SIDE, SIDE)))[0]


def raw_maps(result: Pass, stages: Iterable[Stage], methods: Iterable[str]) -> dict[tuple[str, str], np.ndarray]:
    maps = {}
    for stage in stages:
        activations, gradients = result.activations[stage.name], result.gradients[stage.name]
        assert gradients is not None
        for name in methods:
            maps[stage.name, name] = METHODS[name].compute(activations, gradients)[0].numpy()
    return maps


def our_maps(module: nn.Module, stages: tuple[Stage, ...], x: torch.Tensor) -> dict[tuple[str, str], np.ndarray]:
    result = run(module, x, stages, region_of)
    return {key: scaled(raw) for key, raw in raw_maps(result, stages, REFERENCE).items()}


def reference_maps(module: nn.Module, stages: Sequence[Stage], x: torch.Tensor) -> dict[tuple[str, str], np.ndarray]:
    """Run grad-cam once on all stages, in order of execution, by which it pairs maps; its methods share the record."""
    maps = {}
    layers = [module.get_submodule(marked(stage)) for stage in stages]
    with GradCAM(module, layers) as recorded:
        recorded(x.clone().requires_grad_(), [region_sum])
        record = recorded.activations_and_grads
        for stage, layer, a, g in zip(stages, layers, record.activations, record.gradients, strict=True):
            for name, method in REFERENCE.items():
                with method(module, [layer]) as cam:
                    original = cam.activations_and_grads
                    cam.activations_and_grads = SimpleNamespace(activations=[a], gradients=[g])
                    per_layer = cam.compute_cam_per_layer(x, [region_sum], False)
                    maps[stage.name, name] = cam.aggregate_multi_layers(per_layer)[0]
                    cam.activations_and_grads = original
    return maps


@pytest.mark.slow
def test_every_method_and_stage_equals_grad_cam_in_float64(network: Network, exact: nn.Module) -> None:
    stages, x = main_body(network), frame()
    ours = our_maps(exact, stages, x)
    references = reference_maps(exact, stages, x)
    assert set(references) == set(ours)
    for key, reference in references.items():
        assert np.abs(ours[key] - reference).max() <= 1e-8, key


@pytest.mark.parametrize("network", FLOAT32, indirect=True)
def test_every_method_and_stage_correlates_with_grad_cam_in_float32(network: Network) -> None:
    stages, x = main_body(network), frame(torch.float32)
    ours = our_maps(network.module, stages, x)
    for key, reference in reference_maps(network.module, stages, x).items():
        if reference.std() == 0:
            assert ours[key].std() == 0, key
        else:
            assert np.corrcoef(ours[key].ravel(), reference.ravel())[0, 1] >= 0.9999, key


@pytest.mark.parametrize("network", LIGHT, indirect=True)
def test_eigen_methods_equal_grad_cam_up_to_the_sign_of_a_component(network: Network, exact: nn.Module) -> None:
    """For small stages only, as the reference decomposes a matrix of all pixels by all pixels. It returns float32."""
    stages = tuple(stage for stage in main_body(network) if stage.stride >= 16 and stage.channels < 1000)
    result = run(exact, frame(), stages, region_of)
    for (stage, name), raw in raw_maps(result, stages, EIGEN).items():
        with EIGEN[name](exact, []) as cam:
            a, g = result.activations[stage].numpy(), result.gradients[stage].numpy()  # type: ignore[union-attr]
            reference = cam.get_cam_image(None, None, None, a, g, False)[0]
        if name != "seg-eigen-cam" and (reference * raw).sum() < 0:
            reference = -reference
        assert np.abs(scaled(raw) - scaled(reference)).max() <= 1e-6, (stage, name)


@pytest.mark.parametrize("network", LIGHT, indirect=True)
def test_every_method_and_stage_equals_torch_cam_in_float64(network: Network, exact: nn.Module) -> None:
    """All but Grad-CAM++: torch-cam 0.5 divides a copy there, so its weights lack the denominator."""
    stages, x = main_body(network), frame()
    peers = {
        "gradcam": (torchcam.methods.GradCAM, {}),
        "layercam": (torchcam.methods.LayerCAM, {}),
        "xgradcam": (torchcam.methods.XGradCAM, {"eps": 1e-7}),
    }
    ours = raw_maps(run(exact, x, stages, region_of), stages, peers)
    for name, (peer, options) in peers.items():
        with peer(exact, [marked(stage) for stage in stages]) as cam:
            maps = cam(scores=exact(x.clone().requires_grad_()), targets=region_sum, **options)
        for stage, reference in zip(stages, maps, strict=True):
            normalized = cam._normalize(torch.from_numpy(ours[stage.name, name])[None].relu())
            assert (normalized - reference).abs().max() <= 1e-8, (stage.name, name)


@pytest.mark.slow
@pytest.mark.parametrize("network", LIGHT, indirect=True)
def test_every_method_and_stage_equals_captum_in_float64(network: Network, exact: nn.Module) -> None:
    stages, x = main_body(network), frame().requires_grad_()
    layers = [exact.get_submodule(marked(stage)) for stage in stages]

    def score(value: torch.Tensor) -> torch.Tensor:
        logits = exact(value)
        return (logits * region_of(logits)).sum((1, 2, 3))

    names = ("gradcam", "gradcam_signed", "hirescam", "gradcam_elementwise")
    ours = raw_maps(run(exact, x.detach(), stages, region_of), stages, names)
    products = LayerGradientXActivation(score, layers).attribute(x)
    for stage, layer, product in zip(stages, layers, products, strict=True):
        signed = LayerGradCam(score, layer).attribute(x)[0, 0]
        references = {
            "gradcam": signed,
            "gradcam_signed": signed,
            "hirescam": product[0].sum(0),
            "gradcam_elementwise": product[0].relu().sum(0),
        }
        for name, reference in references.items():
            difference = torch.from_numpy(ours[stage.name, name]) - reference
            assert difference.abs().max() <= 1e-8 * reference.abs().max(), (stage.name, name)


# ── perturbation methods ──────────────────────────────────────────────────────────────────────────────────────────────


SMALL = 32


def small_region(logits: torch.Tensor) -> torch.Tensor:
    """Return a region with small weights, so that a softmax of the scores does not select a single channel."""
    return region_of(logits) / 100


class SmallObjective(Objective):
    """Score over the small region."""

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        return super().__call__(logits) / 100


def small_target(output: torch.Tensor) -> torch.Tensor:
    return (output * small_region(output[None])[0]).sum()


@pytest.fixture
def _scores_in_float64(monkeypatch: pytest.MonkeyPatch) -> Iterable[None]:
    """Let the reference collect the scores in float64; it always uses float32."""
    monkeypatch.setattr(ablation_cam, "np", SimpleNamespace(**{**vars(np), "float32": np.float64}))
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def min_max(heat: torch.Tensor) -> np.ndarray:
    return scale_cam_image(scale_cam_image(heat.relu()[None].numpy(), (SMALL, SMALL)))[0]


@pytest.mark.slow
@pytest.mark.usefixtures("_scores_in_float64")
@pytest.mark.parametrize("network", LIGHT, indirect=True)
def test_score_cam_equals_grad_cam_and_torch_cam_in_their_conventions(network: Network, exact: nn.Module) -> None:
    """Both use a softmax of the unscaled scores; grad-cam also aligns the masks by the corners of the pixels."""
    module, x = exact, frame(side=SMALL)
    stage = min(main_body(network), key=lambda stage: stage.channels)

    def by_corners(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        upsampled = F.interpolate(maps[None], size, mode="bilinear", align_corners=True)[0]
        lowest, highest = upsampled.amin((1, 2), keepdim=True), upsampled.amax((1, 2), keepdim=True)
        return ((upsampled - lowest) / (highest - lowest + 1e-8))[:, None]

    objective = SmallObjective(0, small_region(module(x))[0, 0] > 0)
    ours = perturb(ScoreCam(module, x, stage, objective, weighting="softmax", masks=by_corners))
    assert ours.weights.max() < 0.9
    with ScoreCAM(module, [module.get_submodule(marked(stage))]) as cam:
        assert np.abs(min_max(ours.values) - cam(x, [small_target])[0]).max() <= 1e-8

    ours = perturb(ScoreCam(module, x, stage, objective, weighting="softmax"))
    with torchcam.methods.ScoreCAM(module, marked(stage)) as cam, torch.no_grad():
        module(x)
        reference = cam(targets=small_target)[0]
    assert (cam._normalize(ours.values.relu()[None]) - reference).abs().max() <= 1e-8


class AnyArguments(AblationLayer):
    """The reference's layer replaces layers of one argument only; a decoder's blocks have more."""

    def __call__(self, x: torch.Tensor, *_args: object, **_kwargs: object) -> torch.Tensor:
        return super().__call__(x)


@pytest.mark.slow
@pytest.mark.usefixtures("_scores_in_float64")
@pytest.mark.parametrize("network", LIGHT, indirect=True)
def test_ablation_cam_equals_grad_cam_in_its_convention(network: Network, exact: nn.Module) -> None:
    """For a stage whose lowest value is zero: elsewhere grad-cam sets channels to minus ten million, not to zero."""
    module, x, stages = exact, frame(side=SMALL), main_body(network)
    result = run(module, x, stages, small_region)
    rectified = [stage for stage in stages if result.activations[stage.name].min() == 0]
    stage = min(rectified, key=lambda stage: stage.channels)
    objective = SmallObjective(0, small_region(module(x))[0, 0] > 0)
    ours = perturb(AblationCam(module, x, stage, objective, weighting="relative"))
    replaced = copy.deepcopy(module)
    with AblationCAM(replaced, [replaced.get_submodule(stage.layer)], ablation_layer=AnyArguments()) as cam:
        assert np.abs(min_max(ours.values) - cam(x, [small_target])[0]).max() <= 1e-8


# ── errors of the references ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_names_match_maps_where_pairing_by_order_mislabels() -> None:
    """The reference pairs layers and maps by order of execution, so U-Net++ nodes in named order get wrong names."""
    torch.manual_seed(0)
    network = Network.from_module(
        with_fitted_norms(smp.UnetPlusPlus("resnet18", encoder_weights=None), SIDE), device="cpu"
    )
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    blocks = dict(network.module.decoder.blocks.named_children())
    stages = tuple(network.stage(f"decoder_{name}") for name in blocks)

    truth = {stage.name: reference_maps(network.module, [stage], x)[stage.name, "gradcam"] for stage in stages}
    with GradCAM(network.module, list(blocks.values())) as cam:
        cam(x.clone().requires_grad_(), [region_sum])
        by_order = cam.compute_cam_per_layer(x, [region_sum], False)

    def same(name: str, heatmap: np.ndarray) -> bool:
        return np.corrcoef(truth[name].ravel(), heatmap.ravel())[0, 1] > 0.999

    mislabeled = [s.name for s, paired in zip(stages, by_order, strict=True) if not same(s.name, paired[0, 0])]
    assert len(mislabeled) >= 9
    ours = our_maps(network.module, stages, x)
    assert all(same(stage.name, ours[stage.name, "gradcam"]) for stage in stages)
