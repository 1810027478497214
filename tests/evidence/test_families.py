"""Evidence of every kind of network, and influence against a hook that replaces the stage's map."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from networks import with_fitted_norms
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18, segmentation

import napari_segcam as sc
from napari_segcam.evidence.measuring import Evidence, Measure
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.stages.stage import Stage

SIDE = 64
LEVELS = (0.0, 255.0)
FAST: tuple[Measure, ...] = ("influence", "faithfulness", "in_out", "echo", "off_scan")


def card(**fields: object) -> sc.ModelCard:
    return sc.ModelCard(normalization="unit", input_channels=3, **fields)


def frame() -> np.ndarray:
    rng = np.random.default_rng(4)
    values = rng.integers(0, 90, (SIDE, SIDE)).astype(np.uint8)
    values[20:44, 12:40] += 120
    return values


def of_torchvision() -> nn.Module:
    module = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
    return with_fitted_norms(module, SIDE)


def of_monai() -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets")
    return with_fitted_norms(nets.UNet(2, 3, 2, channels=(4, 8, 16), strides=(2, 2), norm="batch"), SIDE)


def of_nnunet() -> nn.Module:
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")
    return unet.PlainConvUNet(
        3, 3, [4, 8, 8], nn.Conv2d, 3, [1, 2, 2], 1, 2, 1, conv_bias=True, norm_op=nn.InstanceNorm2d, nonlin=nn.ReLU
    )


def of_vit() -> nn.Module:
    timm = pytest.importorskip("timm")
    return timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=SIDE, depth=3)


class Own(nn.Module):
    """A network that no library knows: a deep path beside a shallow one."""

    def __init__(self) -> None:
        super().__init__()
        self.shallow = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.deep = nn.Sequential(nn.Conv2d(4, 8, 3, stride=4, padding=1), nn.ReLU())
        self.head = nn.Conv2d(12, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.shallow(x).relu()
        deep = F.interpolate(self.deep(shallow), shallow.shape[-2:])
        return F.interpolate(self.head(torch.cat([shallow, deep], 1)), x.shape[-2:], mode="bilinear")


def of_own() -> nn.Module:
    """Return the network, whose mask covers about a third of the frame."""
    module = Own().eval()
    with torch.no_grad():
        logits = module(torch.from_numpy(frame() / 255).float().expand(1, 3, -1, -1))
        module.head.bias -= logits.quantile(0.67)
    return module


MODULES: dict[str, Callable[[], nn.Module]] = {
    "smp U-Net": lambda: with_fitted_norms(smp.Unet("resnet18", encoder_weights=None, classes=1), SIDE),
    "smp U-Net++, rewritten": lambda: with_fitted_norms(
        smp.UnetPlusPlus("efficientnet-b0", encoder_weights=None, classes=3), SIDE
    ),
    "smp SegFormer": lambda: with_fitted_norms(smp.Segformer("mit_b0", encoder_weights=None, classes=2), SIDE),
    "torchvision LRASPP": of_torchvision,
    "MONAI U-Net": of_monai,
    "nnU-Net": of_nnunet,
    "own": of_own,
    "classifier": lambda: with_fitted_norms(resnet18(weights=None, num_classes=4), SIDE),
    "vision transformer, tokens": of_vit,
}


def hidden(network: sc.Network, x: torch.Tensor, stage: Stage) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of the plain network as it is, and with the stage's map replaced by its spatial mean."""

    def replace(_layer: nn.Module, _inputs: object, output: object) -> object:
        if isinstance(output, tuple | list):
            outputs = list(output)
            outputs[stage.output or 0] = levelled(outputs[stage.output or 0])
            return type(output)(outputs)
        return levelled(output)

    def levelled(output: torch.Tensor) -> torch.Tensor:
        if stage.layout.form == "tokens":
            extra, patches = output[:, : stage.layout.extra], output[:, stage.layout.extra :]
            return torch.cat([extra, patches.mean(1, keepdim=True).expand_as(patches)], 1)
        axes = (1, 2) if stage.layout.form == "channels_last" else (2, 3)
        return output.mean(axes, keepdim=True).expand_as(output).clone()

    with torch.no_grad():
        before = network.module(x)
        handle = network.module.get_submodule(stage.layer).register_forward_hook(replace)
        try:
            return before, network.module(x)
        finally:
            handle.remove()


def mask_of(logits: torch.Tensor, index: int, *, overlap: bool) -> np.ndarray:
    if logits.shape[1] == 1 or overlap:
        return logits[0, index].sigmoid().numpy() >= 0.5
    return logits[0].argmax(0).numpy() == index


def expected_influence(network: sc.Network, explanation: Explanation, x: torch.Tensor, stage: Stage) -> float | None:
    """Return the influence by its definition, from the whole plain network."""
    before, after = hidden(network, x, stage)
    index = explanation.target.class_index or 0
    if not network.segments:
        first, second = float(before.flatten(1)[0, index]), float(after.flatten(1)[0, index])
        return (first - second) / abs(first)
    masks = [mask_of(logits, index, overlap=network.classes_overlap) for logits in (before, after)]
    total = masks[0].sum() + masks[1].sum()
    return 1 - 2 * (masks[0] & masks[1]).sum() / total if total else 0.0


def check_every_figure_or_reason(evidence: Evidence) -> None:
    for stage in evidence.stages.values():
        assert stage.influence is not None or stage.undefined["influence"]
        assert stage.faithfulness.p is not None or stage.faithfulness.undefined
        assert stage.in_out.ratio.p is not None or stage.in_out.ratio.undefined
        assert stage.echo is not None or stage.undefined["echo"]
        assert stage.off_scan.outside is not None or stage.undefined["off_scan"]


def check_network(network: sc.Network) -> None:
    explainer = sc.Explainer(network, "gradcam", "all")
    explanation = explainer(frame(), None, LEVELS)
    evidence = sc.measure_evidence(explanation, explainer, frame(), LEVELS, measures=FAST, draws=1)
    check_every_figure_or_reason(evidence)
    x, _ = prepare(frame(), network.card, network.stride, LEVELS)
    checked = [stage for stage in network.stages if stage.output is None]
    assert checked
    for stage in checked:
        measured = evidence.stages[stage.name].influence
        assert measured is not None
        assert measured.value == pytest.approx(expected_influence(network, explanation, x, stage), abs=5e-3)
    assert any(evidence.stages[stage.name].influence.value for stage in checked)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_influence_equals_a_hook_that_replaces_the_map(name: str) -> None:
    torch.manual_seed(2)
    network = sc.Network.from_module(MODULES[name](), card(), device="cpu")
    if "rewritten" in name:
        assert network.form.applied
    check_network(network)


@pytest.mark.slow
def test_influence_on_a_class_of_several_that_overlap() -> None:
    torch.manual_seed(2)
    module = with_fitted_norms(smp.Unet("resnet18", encoder_weights=None, classes=3), SIDE)
    network = sc.Network.from_module(module, card(classes_overlap=True), device="cpu")
    assert network.classes_overlap
    check_network(network)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_influence_in_a_network_of_keras(tmp_path: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="the extra [keras] is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend here")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((None, None, 3))
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    deep = layers.Conv2D(6, 3, padding="same", activation="relu", name="deep")(layers.MaxPooling2D()(first))
    merged = layers.Concatenate()([layers.UpSampling2D()(deep), first])
    model = keras.Model(image, layers.Conv2D(1, 1, name="scores")(merged))
    model.save(tmp_path / "network.keras")
    check_network(sc.load_network(tmp_path / "network.keras", device="cpu"))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_of_torchscript_what_needs_no_hooks_is_measured_and_the_rest_says_why() -> None:
    torch.manual_seed(2)
    network = sc.Network.from_module(torch.jit.trace(of_own(), torch.zeros(1, 3, SIDE, SIDE)), card(), device="cpu")
    explainer = sc.Explainer(network, "occlusion")
    explanation = explainer(frame(), None, LEVELS)
    evidence = sc.measure_evidence(explanation, explainer, frame(), LEVELS, draws=1)
    found = evidence.stages["input"]
    assert found.influence is None
    assert "TorchScript" in found.undefined["influence"]
    assert "TorchScript" in found.faithfulness.undefined
    assert found.in_out.ratio.value is not None
    assert found.echo is not None
    assert found.sanity is not None
    assert found.stability is not None
    assert evidence.agreement is not None
    assert evidence.overlay_effect is not None
    alone = sc.Explainer(network, stages=())
    masks_only = sc.measure_evidence(alone(frame(), None, LEVELS), alone, frame(), LEVELS)
    assert masks_only.agreement == pytest.approx(evidence.agreement)
    assert not masks_only.stages


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_without_weights_of_its_own_has_no_sanity() -> None:
    torch.manual_seed(2)
    script = torch.jit.freeze(torch.jit.script(of_own()))
    explainer = sc.Explainer(sc.Network.from_module(script, device="cpu"), "occlusion")
    evidence = sc.measure_evidence(explainer(frame(), None, LEVELS), explainer, frame(), LEVELS, measures=("sanity",))
    assert evidence.stages["input"].sanity is None
    assert "no weights of its own" in evidence.stages["input"].undefined["sanity"]


class Narrow(nn.Module):
    """Stages of one cell, and of one row of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.row, self.cell = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        row = self.row(first.mean(2, keepdim=True))
        cell = self.cell(row.mean(3, keepdim=True))
        return self.head(first + row + cell)


@pytest.mark.parametrize("region", ["mask", "image"])
def test_stages_of_one_cell_or_one_row_give_figures_or_reasons(region: str) -> None:
    torch.manual_seed(2)
    network = sc.Network.from_module(Narrow(), card(), device="cpu")
    layers = [name for name in ("first", "row", "cell") if name in network.trace.layers()]
    explainer = sc.Explainer(network, "gradcam", layers)
    explanation = explainer(frame(), sc.Target(region=region), LEVELS)  # type: ignore[arg-type]
    evidence = sc.measure_evidence(explanation, explainer, frame(), LEVELS, draws=1)
    check_every_figure_or_reason(evidence)
    assert "cell" in evidence.stages
    assert evidence.stages["cell"].influence.value == pytest.approx(0, abs=1e-6)  # its mean is itself
    if region == "image":
        assert not evidence.stages["first"].influence.region_is_mask
        assert evidence.stages["first"].in_out.ratio.undefined
