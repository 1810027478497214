"""The inference form has the same activations and gradients as the network, to the last digits of float64."""

from __future__ import annotations

import copy
import pickle

import pytest
import segmentation_models_pytorch as smp
import torch
from one_pass import Pass, run
from torch import nn

from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.network.inference import InferenceForm, form, inference_form, mbconv
from napari_segcam.network.inference.batch_norm import fold_batch_norms
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


def with_statistics(module: nn.Module) -> nn.Module:
    """Return the module in float64 with different numbers in each batch norm, so that folding them has an effect."""
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


def build_network(architecture: str, encoder: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    if architecture in ("Unet", "UnetPlusPlus"):
        options.setdefault("decoder_channels", (24, 16, 12, 8, 8))  # fewer than SMP's, to save time
    return with_statistics(getattr(smp, architecture)(encoder, encoder_weights=None, classes=2, **options))


def inputs(batch: int = 1, height: int = 64, width: int = 96) -> torch.Tensor:
    noise = torch.randn(batch, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return noise.contiguous(memory_format=torch.channels_last)


def lesion(logits: torch.Tensor) -> torch.Tensor:
    """Return weights of a small region of the second class."""
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
        gradient, actual_gradient = expected.gradients[name], actual.gradients[name]
        assert (actual_gradient is None) == (gradient is None)
        if gradient is not None and actual_gradient is not None:
            assert_close(actual_gradient, gradient)


# ── whole networks ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "encoder", "expected"), ARCHITECTURES)
def test_every_stage_has_the_same_activation_and_gradient(architecture: str, encoder: str, expected: set[str]) -> None:
    plain = build_network(architecture, encoder).requires_grad_(False)
    rewritten = inference_form(plain)
    assert set(rewritten.applied) == expected | {"frozen convolutions"}
    assert rewritten.largest_difference < EXACT
    stages, rewritten_stages = stages_of(plain), stages_of(rewritten.module)
    assert [(stage.name, stage.layer) for stage in rewritten_stages] == [(stage.name, stage.layer) for stage in stages]
    x = inputs(batch=2)
    for region in (lesion, everywhere):
        assert_same_pass(run(rewritten.module, x, rewritten_stages, region), run(plain, x, stages, region))


@pytest.mark.slow
def test_the_graph_may_begin_at_any_stage() -> None:
    plain = build_network("UnetPlusPlus", "efficientnet-b0").requires_grad_(False)
    rewritten = inference_form(plain).module
    for stage in stages_of(plain)[::3]:
        assert_same_pass(run(rewritten, inputs(), [stage], lesion), run(plain, inputs(), [stage], lesion))


@pytest.mark.slow
def test_one_graph_serves_several_scores() -> None:
    rewritten = inference_form(build_network("UnetPlusPlus", "efficientnet-b0")).module
    result = forward(rewritten, inputs(), stages_of(rewritten))
    first = result.gradients(lesion(result.logits), retain_graph=True)
    result.gradients(everywhere(result.logits), retain_graph=True)
    again = result.gradients(lesion(result.logits))
    for name, gradient in first.items():
        assert gradient is not None
        assert torch.equal(gradient, again[name])  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("largest", [0, 100_000])
def test_wide_maps_that_are_computed_again_are_bit_identical(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten = inference_form(build_network("UnetPlusPlus", "efficientnet-b0")).module
    kept = run(rewritten, inputs(batch=2), stages_of(rewritten), lesion)
    monkeypatch.setattr(mbconv, "_LARGEST_KEPT", largest)
    again = run(rewritten, inputs(batch=2), stages_of(rewritten), lesion)
    for name, gradient in kept.gradients.items():
        assert gradient is not None
        assert torch.equal(again.gradients[name], gradient)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_tap_may_return_a_copy() -> None:
    plain = build_network("Unet", "efficientnet-b0").requires_grad_(False)
    rewritten = inference_form(plain).module
    copied = [
        Stage(s.name, s.kind, s.stride, s.channels, s.layer, s.output, overwritten=True) for s in stages_of(plain)
    ]
    assert_same_pass(run(rewritten, inputs(), copied, lesion), run(plain, inputs(), stages_of(plain), lesion))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["efficientnet-b0", "resnet18"])
def test_tapped_outputs_are_not_overwritten(encoder: str) -> None:
    rewritten = inference_form(build_network("UnetPlusPlus", encoder)).module
    stages = stages_of(rewritten)
    with torch.no_grad():
        expected = {stage.name: _output_of(rewritten, stage) for stage in stages}
    result = run(rewritten, inputs(), stages, lesion)
    for name, output in expected.items():
        assert torch.equal(result.activations[name], output)


def _output_of(module: nn.Module, stage: Stage) -> torch.Tensor:
    outputs: list[torch.Tensor] = []
    handle = module.get_submodule(stage.layer).register_forward_hook(
        lambda _m, _i, output: outputs.append(output.clone())
    )
    module(inputs())
    handle.remove()
    return outputs[-1]


def test_a_dilated_unet_whose_first_block_does_not_enlarge() -> None:
    plain = build_network("Unet", "resnet18").requires_grad_(False)
    plain.encoder.make_dilated(16)  # type: ignore[operator, union-attr]
    rewritten = inference_form(plain)
    assert "U-Net decoder" in rewritten.applied
    stages = stages_of(plain)
    assert_same_pass(run(rewritten.module, inputs(), stages, lesion), run(plain, inputs(), stages, lesion))


def test_decoders_with_attention_are_not_rewritten() -> None:
    channels = (32, 16, 16, 16, 16)
    rewritten = inference_form(
        build_network("Unet", "resnet18", decoder_attention_type="scse", decoder_channels=channels)
    )
    assert "U-Net decoder" not in rewritten.applied
    assert "batch norms" in rewritten.applied


def test_single_precision_is_as_exact_as_in_the_plain_network() -> None:
    exact = build_network("UnetPlusPlus", "efficientnet-b0").requires_grad_(False)
    single = copy.deepcopy(exact).float()
    rewritten = inference_form(single)
    assert 0 < rewritten.largest_difference < 1e-4
    x = inputs()
    truth, plain_logits, logits = exact(x), single(x.float()), rewritten.module(x.float())
    assert (logits - truth).abs().max() <= 2 * (plain_logits - truth).abs().max() + 1e-6 * truth.abs().max()


# ── the user's module, and networks without a rewrite ────────────────────────────────────────────────────────────────


def test_the_users_module_is_not_changed() -> None:
    module = build_network("UnetPlusPlus", "efficientnet-b0").train()
    before = copy.deepcopy(module.state_dict())
    attributes = {name: set(vars(part)) for name, part in module.named_modules()}
    rewritten = inference_form(module)
    assert {name: set(vars(part)) for name, part in module.named_modules()} == attributes
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not rewritten.module.training
    assert not any(parameter.requires_grad for parameter in rewritten.module.parameters())
    addresses = {parameter.data_ptr() for parameter in module.parameters()}
    assert not addresses & {parameter.data_ptr() for parameter in rewritten.module.parameters()}


class Unknown(nn.Module):
    """Scales its input; no rewrite applies to it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * self.scale


def test_an_unknown_network_is_not_rewritten() -> None:
    rewritten = inference_form(Unknown())
    assert rewritten.applied == ()
    assert torch.equal(rewritten.module(inputs()), 2 * inputs()[:, :1])


@pytest.mark.parametrize("failure", ["raises", "logits", "gradient", "nan"])
def test_a_failing_rewrite_leaves_the_plain_network(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_rewrite(module: nn.Module, _x: torch.Tensor) -> bool:
        if failure == "raises":
            raise RuntimeError("no such form")
        head = module.segmentation_head
        hooks = {
            "logits": lambda _m, _i, output: output * 1.01,
            "nan": lambda _m, _i, output: output * torch.nan,
            "gradient": lambda _m, _i, output: output.detach() + 0.5 * (output - output.detach()),
        }
        head.register_forward_hook(hooks[failure])  # type: ignore[operator, union-attr]
        return True

    monkeypatch.setitem(form._REWRITES, "failing", failing_rewrite)
    plain = build_network("Linknet", "resnet18")
    rewritten = inference_form(plain)
    assert rewritten.applied == ()
    assert rewritten.largest_difference == 0
    assert torch.equal(rewritten.module(inputs()), plain(inputs()))


@pytest.mark.slow
def test_an_inference_form_can_be_pickled_and_copied() -> None:
    rewritten = inference_form(build_network("UnetPlusPlus", "efficientnet-b0"))
    logits = rewritten.module(inputs())
    for twin in (copy.deepcopy(rewritten), pickle.loads(pickle.dumps(rewritten))):
        assert isinstance(twin, InferenceForm)
        assert twin.applied == rewritten.applied
        assert torch.equal(twin.module(inputs()), logits)


# ── folding batch norms ─────────────────────────────────────────────────────────────────────────────────────────────


class Branching(nn.Module):
    """The first norm can be folded. The second cannot, since the output of its convolution is used as well."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 4, 3, padding=1)
        self.second = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        up = self.up(self.norm(self.down(x)).relu())
        return self.second(up) + up


def test_a_norm_is_folded_only_if_nothing_else_reads_the_convolution() -> None:
    module = with_statistics(Branching()).requires_grad_(False)
    logits = module(inputs())
    assert fold_batch_norms(module, inputs())
    assert isinstance(module.norm, nn.Identity)
    assert isinstance(module.second, nn.BatchNorm2d)
    assert_close(module(inputs()), logits)


class Shared(nn.Module):
    """A convolution that is used before and after a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(self.norm(self.convolution(x)))


def test_a_layer_that_runs_twice_is_not_folded() -> None:
    module = with_statistics(Shared()).requires_grad_(False)
    assert not fold_batch_norms(module, inputs())
    assert isinstance(module.norm, nn.BatchNorm2d)
