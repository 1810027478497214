"""The inference form: the same network to the last bits of float64, in activations and in gradients."""

from __future__ import annotations

import copy
import pickle

import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from one_pass import Pass, run
from torch import nn

from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.network.inference import InferenceForm, form, inference_form, mbconv, upsampled_convolution
from napari_segcam.network.inference.batch_norm import fold_batch_norms
from napari_segcam.network.inference.frozen_convolution import FrozenConv2d
from napari_segcam.network.inference.input_gradient import occupied_box, part_gradient
from napari_segcam.network.inference.upsampled_convolution import UpsampledConvolution
from napari_segcam.network.stages.forward_trace import trace_forward
from napari_segcam.network.stages.stage import Stage, find_stages

EXACT = 1e-10

ARCHITECTURES = [
    ("UnetPlusPlus", "efficientnet-b0", {"same padding", "batch norms", "MBConv blocks", "U-Net++ decoder"}),
    ("UnetPlusPlus", "resnet18", {"batch norms", "U-Net++ decoder"}),
    ("Unet", "efficientnet-b0", {"same padding", "batch norms", "MBConv blocks", "U-Net decoder"}),
    ("Unet", "mit_b0", {"batch norms", "U-Net decoder"}),
    ("FPN", "mobilenet_v2", {"batch norms"}),
    ("DeepLabV3Plus", "efficientnet-b0", {"same padding", "batch norms", "MBConv blocks"}),
    ("Linknet", "resnet18", {"batch norms"}),
    ("MAnet", "timm-efficientnet-b0", {"batch norms"}),
]


def fitted(module: nn.Module) -> nn.Module:
    """In float64, its batch norms with statistics and weights of their own, so that folding them is really tested."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values, low, high in (
                (part.weight, 0.7, 1.3),
                (part.bias, -0.2, 0.2),
                (part.running_mean, -0.1, 0.1),
                (part.running_var, 0.5, 1.5),
            ):
                nn.init.uniform_(values, low, high, generator=generator)  # type: ignore[arg-type]
    return module.double().eval()


def built(architecture: str, encoder: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    if architecture in ("Unet", "UnetPlusPlus"):
        options.setdefault("decoder_channels", (24, 16, 12, 8, 8))  # fewer than SMP's, to be quick
    return fitted(getattr(smp, architecture)(encoder, encoder_weights=None, classes=2, **options))


def inputs(batch: int = 1, height: int = 64, width: int = 96) -> torch.Tensor:
    noise = torch.randn(batch, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return noise.contiguous(memory_format=torch.channels_last)


def lesion(logits: torch.Tensor) -> torch.Tensor:
    """A region of the second class that leaves most of the image out."""
    region = torch.zeros_like(logits)
    region[:, 1, 10:24, 20:45] = 1
    return region


def everywhere(logits: torch.Tensor) -> torch.Tensor:
    return torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)


def stages_of(module: nn.Module) -> tuple[Stage, ...]:
    return find_stages(module, trace_forward(module, 3))


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= EXACT * expected.abs().max()


def assert_same_pass(actual: Pass, expected: Pass) -> None:
    assert_close(actual.logits, expected.logits)
    assert set(actual.activations) == set(expected.activations)
    for name, activation in expected.activations.items():
        assert_close(actual.activations[name], activation)
        gradient, own_gradient = expected.gradients[name], actual.gradients[name]
        assert (own_gradient is None) == (gradient is None)
        if gradient is not None and own_gradient is not None:
            assert_close(own_gradient, gradient)


# ── whole networks ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("architecture", "encoder", "expected"), ARCHITECTURES)
def test_every_stage_has_the_same_activation_and_gradient(architecture: str, encoder: str, expected: set[str]) -> None:
    plain = built(architecture, encoder).requires_grad_(False)
    found = inference_form(plain)
    assert set(found.applied) == expected | {"frozen convolutions"}
    assert found.largest_difference < EXACT
    stages, own_stages = stages_of(plain), stages_of(found.module)
    assert [(stage.name, stage.layer) for stage in own_stages] == [(stage.name, stage.layer) for stage in stages]
    x = inputs(batch=2)
    for region in (lesion, everywhere):
        assert_same_pass(run(found.module, x, own_stages, region), run(plain, x, stages, region))


def test_the_graph_may_begin_at_any_stage() -> None:
    plain = built("UnetPlusPlus", "efficientnet-b0").requires_grad_(False)
    own = inference_form(plain).module
    for stage in stages_of(plain)[::3]:
        assert_same_pass(run(own, inputs(), [stage], lesion), run(plain, inputs(), [stage], lesion))


def test_one_graph_serves_several_scores() -> None:
    own = inference_form(built("UnetPlusPlus", "efficientnet-b0")).module
    given = forward(own, inputs(), stages_of(own))
    first = given.gradients(lesion(given.logits), retain_graph=True)
    given.gradients(everywhere(given.logits), retain_graph=True)
    again = given.gradients(lesion(given.logits))
    for name, gradient in first.items():
        assert gradient is not None
        assert torch.equal(gradient, again[name])  # type: ignore[arg-type]


@pytest.mark.parametrize("largest", [0, 100_000])
def test_wide_maps_that_are_computed_again_give_the_same_bits(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    own = inference_form(built("UnetPlusPlus", "efficientnet-b0")).module
    kept = run(own, inputs(batch=2), stages_of(own), lesion)
    monkeypatch.setattr(mbconv, "_LARGEST_KEPT", largest)
    again = run(own, inputs(batch=2), stages_of(own), lesion)
    for name, gradient in kept.gradients.items():
        assert gradient is not None
        assert torch.equal(again.gradients[name], gradient)  # type: ignore[arg-type]


def test_a_tap_may_hand_on_a_copy() -> None:
    plain = built("Unet", "efficientnet-b0").requires_grad_(False)
    own = inference_form(plain).module
    copied = [
        Stage(s.name, s.kind, s.stride, s.channels, s.layer, s.output, overwritten=True) for s in stages_of(plain)
    ]
    assert_same_pass(run(own, inputs(), copied, lesion), run(plain, inputs(), stages_of(plain), lesion))


@pytest.mark.parametrize("encoder", ["efficientnet-b0", "resnet18"])
def test_nothing_that_a_tap_holds_is_overwritten(encoder: str) -> None:
    own = inference_form(built("UnetPlusPlus", encoder)).module
    stages = stages_of(own)
    with torch.no_grad():
        expected = {stage.name: _output_of(own, stage) for stage in stages}
    given = run(own, inputs(), stages, lesion)
    for name, output in expected.items():
        assert torch.equal(given.activations[name], output)


def _output_of(module: nn.Module, stage: Stage) -> torch.Tensor:
    outputs: list[torch.Tensor] = []
    handle = module.get_submodule(stage.layer).register_forward_hook(
        lambda _m, _i, output: outputs.append(output.clone())
    )
    module(inputs())
    handle.remove()
    return outputs[-1]


def test_a_dilated_unet_whose_first_block_does_not_enlarge() -> None:
    plain = built("Unet", "resnet18").requires_grad_(False)
    plain.encoder.make_dilated(16)  # type: ignore[operator, union-attr]
    found = inference_form(plain)
    assert "U-Net decoder" in found.applied
    stages = stages_of(plain)
    assert_same_pass(run(found.module, inputs(), stages, lesion), run(plain, inputs(), stages, lesion))


def test_decoders_with_attention_are_left_alone() -> None:
    channels = (32, 16, 16, 16, 16)
    found = inference_form(built("Unet", "resnet18", decoder_attention_type="scse", decoder_channels=channels))
    assert "U-Net decoder" not in found.applied
    assert "batch norms" in found.applied


def test_single_precision_is_as_good_as_the_plain_network() -> None:
    exact = built("UnetPlusPlus", "efficientnet-b0").requires_grad_(False)
    single = copy.deepcopy(exact).float()
    found = inference_form(single)
    assert 0 < found.largest_difference < 1e-4
    x = inputs()
    truth, plain, own = exact(x), single(x.float()), found.module(x.float())
    assert (own - truth).abs().max() <= 2 * (plain - truth).abs().max() + 1e-6 * truth.abs().max()


# ── the owner's module, and what cannot be rewritten ────────────────────────────────────────────────────────────────


def test_the_owner_s_module_is_not_changed() -> None:
    module = built("UnetPlusPlus", "efficientnet-b0").train()
    before = copy.deepcopy(module.state_dict())
    attributes = {name: set(vars(part)) for name, part in module.named_modules()}
    found = inference_form(module)
    assert {name: set(vars(part)) for name, part in module.named_modules()} == attributes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not found.module.training
    assert not any(parameter.requires_grad for parameter in found.module.parameters())
    own = {parameter.data_ptr() for parameter in module.parameters()}
    assert not own & {parameter.data_ptr() for parameter in found.module.parameters()}


class Unknown(nn.Module):
    """Scales its input: there is nothing to rewrite in it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * self.scale


def test_an_unknown_network_passes_through() -> None:
    found = inference_form(Unknown())
    assert found.applied == ()
    assert torch.equal(found.module(inputs()), 2 * inputs()[:, :1])


@pytest.mark.parametrize("failure", ["raises", "logits", "gradient", "nan"])
def test_a_rewrite_that_goes_wrong_gives_the_plain_network(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(module: nn.Module, _x: torch.Tensor) -> bool:
        if failure == "raises":
            raise RuntimeError("no such form")
        head = module.segmentation_head
        changed = {
            "logits": lambda _m, _i, output: output * 1.01,
            "nan": lambda _m, _i, output: output * torch.nan,
            "gradient": lambda _m, _i, output: output.detach() + 0.5 * (output - output.detach()),
        }
        head.register_forward_hook(changed[failure])  # type: ignore[operator, union-attr]
        return True

    monkeypatch.setitem(form._REWRITES, "wrong", wrong)
    plain = built("Linknet", "resnet18")
    found = inference_form(plain)
    assert found.applied == ()
    assert found.largest_difference == 0
    assert torch.equal(found.module(inputs()), plain(inputs()))


def test_a_form_can_be_pickled_and_copied() -> None:
    found = inference_form(built("UnetPlusPlus", "efficientnet-b0"))
    logits = found.module(inputs())
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert isinstance(twin, InferenceForm)
        assert twin.applied == found.applied
        assert torch.equal(twin.module(inputs()), logits)


# ── folding batch norms ─────────────────────────────────────────────────────────────────────────────────────────────


class Branching(nn.Module):
    """The first norm may be folded; the second may not, since the convolution's own output is used as well."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 4, 3, padding=1)
        self.second = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        up = self.up(self.norm(self.down(x)).relu())
        return self.second(up) + up


def test_a_norm_is_folded_only_where_it_alone_reads_the_convolution() -> None:
    module = fitted(Branching()).requires_grad_(False)
    logits = module(inputs())
    assert fold_batch_norms(module, inputs())
    assert isinstance(module.norm, nn.Identity)
    assert isinstance(module.second, nn.BatchNorm2d)
    assert_close(module(inputs()), logits)


class Shared(nn.Module):
    """One convolution and one norm, each used twice: the norm of the second use is another layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.same(self.norm(self.same(x)))


def test_what_runs_twice_is_not_folded() -> None:
    module = fitted(Shared()).requires_grad_(False)
    assert not fold_batch_norms(module, inputs())
    assert isinstance(module.norm, nn.BatchNorm2d)


# ── convolutions ────────────────────────────────────────────────────────────────────────────────────────────────────

SHAPES = [(1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (5, 2, 2, 1), (4, 2, 1, 1), (3, 1, 2, 2), (7, 2, 3, 1)]


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), SHAPES)
@pytest.mark.parametrize("box", [(0, 3, 0, 2), (4, 7, 3, 9), (8, 14, 12, 17), (0, 100, 0, 100)])
def test_the_input_gradient_is_autograd_s(
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


def test_the_box_holds_all_that_is_not_zero() -> None:
    gradient = torch.zeros(2, 3, 10, 12)
    gradient[0, 1, 2, 7], gradient[1, 2, 5, 3] = -1, torch.nan
    assert occupied_box(gradient) == (slice(2, 6), slice(3, 8))
    assert occupied_box(gradient.contiguous(memory_format=torch.channels_last)) == (slice(2, 6), slice(3, 8))
    assert occupied_box(torch.ones(1, 1, 4, 4)) is None
    assert occupied_box(torch.zeros(1, 1, 4, 4)) == (slice(0, 1), slice(0, 1))


def test_a_frozen_convolution_keeps_no_map() -> None:
    layer = FrozenConv2d.like(nn.Conv2d(3, 3, 3, padding=1).requires_grad_(False))
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layer(torch.randn(1, 3, 8, 8, requires_grad=True))
    assert kept == []


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
    of_x, right_one = (torch.autograd.grad(given, x, gradient)[0] for given in (output, expected))
    torch.testing.assert_close(of_x, right_one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("box", [(0, 2, 0, 5), (3, 6, 5, 6), (13, 16, 17, 20), (0, 16, 0, 20)])
def test_the_upsampled_convolution_is_enlarging_concatenating_and_convolving(box: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3 + 2 + 4, 5, 3, padding=1).double().requires_grad_(False)
    layer = UpsampledConvolution(convolution, [2, 4])
    parts = [
        torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
        for channels, size in ((3, (8, 10)), (2, (16, 20)), (4, (16, 20)))
    ]
    expected = F.relu(convolution(torch.cat([F.interpolate(parts[0], scale_factor=2), *parts[1:]], dim=1)))
    output = layer(parts[0], parts[1:])
    assert_close(output, expected)
    gradient = torch.zeros_like(output)
    top, bottom, left, right = box
    gradient[..., top:bottom, left:right] = torch.randn_like(gradient[..., top:bottom, left:right])
    of_parts = torch.autograd.grad(output, parts, gradient)
    for actual, right_one in zip(of_parts, torch.autograd.grad(expected, parts, gradient), strict=True):
        torch.testing.assert_close(actual, right_one, rtol=0, atol=1e-12)


def test_a_skip_that_needs_no_gradient_gets_none_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = UpsampledConvolution(nn.Conv2d(5, 3, 3, padding=1).requires_grad_(False), [2])
    x, skip = torch.randn(1, 3, 4, 4, requires_grad=True), torch.randn(1, 2, 8, 8)
    monkeypatch.setattr(upsampled_convolution, "part_gradient", lambda *_: pytest.fail("of a skip"))
    output = layer(x, [skip])
    (gradient,) = torch.autograd.grad(output, x, torch.ones_like(output))
    assert gradient.shape == x.shape
