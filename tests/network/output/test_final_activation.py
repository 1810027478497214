"""A network that ends in a sigmoid or softmax gives the same probabilities, and exact logits where possible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network

Wrap = Callable[[torch.Tensor], Any]


class Small(nn.Module):
    """Network with positive and negative logits, and any function at its end."""

    def __init__(self, wrap: Wrap = lambda z: z, classes: int = 1) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 6, 3, padding=1))
        self.head = nn.Conv2d(6, classes, 1)
        self.wrap = wrap

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x)) * 40

    def forward(self, x: torch.Tensor) -> Any:
        return self.wrap(self.logits(x))


class Layer(Small):
    """Network whose activation is a layer that is also used as a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.body(x)
        return self.act(self.head(features * self.act(features)) * 40)


class Block(Small):
    """Network that ends in a block with the activation."""

    def __init__(self, activation: nn.Module, classes: int = 1) -> None:
        super().__init__(classes=classes)
        self.head = nn.Sequential(self.head, activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def image() -> torch.Tensor:
    return torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(1))


def read(module: nn.Module, **card: Any) -> Network:
    return Network.from_module(module, ModelCard(normalization="unit", **card), device="cpu", rewrite=False)


def smooth(z: torch.Tensor) -> torch.Tensor:
    return F.interpolate(F.interpolate(z, scale_factor=0.5, mode="area"), scale_factor=2.0, mode="bilinear")


SIGMOIDS: dict[str, tuple[Wrap, bool]] = {  # the last operations, and whether the logits are known exactly
    "function": (torch.sigmoid, True),
    "method": (lambda z: z.sigmoid(), True),
    "in place": (lambda z: z.clone().sigmoid_(), True),
    "functional": (F.sigmoid, True),
    "expit": (torch.special.expit, True),
    "clamped away from 0 and 1": (lambda z: z.sigmoid().clamp(1e-6, 1 - 1e-6), True),
    "enlarged and sampled": (lambda z: F.interpolate(z.sigmoid(), scale_factor=2)[..., ::2, ::2].contiguous(), True),
    "in a tuple": (lambda z: (z.sigmoid(),), True),
    "squeezed": (lambda z: z.sigmoid().squeeze(1), True),
    "resized": (lambda z: smooth(z.sigmoid()), False),
    "resized, bicubic": (lambda z: F.interpolate(z.sigmoid(), scale_factor=2, mode="bicubic")[..., ::2, ::2], False),
    "averaged": (lambda z: torch.stack([z.sigmoid(), (z / 2).sigmoid()]).mean(0), False),
    "summed": (lambda z: (z.sigmoid() + (z - 1).sigmoid()) / 2, False),
    "blurred": (lambda z: F.conv2d(z.sigmoid(), torch.full((1, 1, 3, 3), 1 / 9), padding=1), False),
    "inverted": (lambda z: 1 - z.sigmoid(), False),
    "own formula": (lambda z: 1 / (1 + torch.exp(-z)), False),
    "own function": (lambda z: _OwnSigmoid.apply(z), True),
    "softsign": (lambda z: (1 + z / (1 + z.abs())) / 2, False),
    "hard": (F.hardsigmoid, False),
    "tanh": (lambda z: (z.tanh() + 1) / 2, False),
    "clamped": (lambda z: (z / 40 + 0.5).clamp(0, 1), False),
    "one of two": (lambda z: torch.cat([-z, z], 1).softmax(1)[:, 1:], False),
}


class _OwnSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
        p = z.sigmoid()
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (p,) = ctx.saved_tensors
        return gradient * p * (1 - p)


@pytest.mark.parametrize("name", SIGMOIDS)
def test_a_sigmoid_is_not_applied_twice(name: str) -> None:
    wrap, exact = SIGMOIDS[name]
    module = Small(wrap).eval()
    network = read(module)
    with torch.no_grad():
        output = module(image())
        output = output[0] if isinstance(output, tuple) else output
        expected = output if output.ndim == 4 else output[:, None]
        logits = network.module(image())
    torch.testing.assert_close(logits.sigmoid(), expected.clamp(0, 1), atol=2e-6, rtol=1e-4)
    assert 0.02 < (expected > 0.5).float().mean() < 0.95
    assert torch.equal(logits > 0, expected > 0.5) or name in ("hard", "clamped")
    assert network.output.activation == "sigmoid"
    assert any("which is left out" in warning for warning in network.warnings) == exact
    assert any("undone by its inverse" in warning for warning in network.warnings) != exact


def test_logits_too_large_for_a_probability_are_kept() -> None:
    module = Small(lambda z: (10 * z).sigmoid()).eval()
    network = read(module)
    with torch.no_grad():
        logits = 10 * module.logits(image())
        rounding = 4e-6 * float(logits.abs().max())  # of two orders of the same sums
        torch.testing.assert_close(network.module(image()), logits, atol=rounding, rtol=1e-5)
        assert (module(image()) == 1).any()


def test_gradients_pass_through_the_inverse() -> None:
    module = Small(lambda z: smooth(z.sigmoid())).eval()
    network = read(module)
    x = image().requires_grad_()
    (gradient,) = torch.autograd.grad(network.module(x)[:, :, 10:30, 10:30].sum(), x)
    x64 = image().double().requires_grad_()
    p = module.double()(x64)[:, :, 10:30, 10:30]
    (expected,) = torch.autograd.grad((p.log() - (1 - p).log()).sum(), x64)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("make", [Layer, lambda: Block(nn.Sigmoid()), lambda: Block(nn.Hardsigmoid())])
def test_the_activation_may_be_a_layer(make: Callable[[], nn.Module]) -> None:
    module = make().eval()
    network = read(module)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()).sigmoid(), module(image()), atol=2e-6, rtol=1e-4)


def test_an_activation_layer_is_removed_so_that_its_block_gives_logits() -> None:
    network = read(Block(nn.Sigmoid()).eval())
    assert "forward" not in network.module.__dict__, "forward is not replaced"
    with torch.no_grad():
        assert (network.module.head(network.module.body(image())) < 0).any()


SOFTMAXES: dict[str, Wrap] = {
    "function": lambda z: torch.softmax(z, 1),
    "functional": lambda z: F.softmax(z, dim=1),
    "last dimension": lambda z: z.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2),
    "logarithm": lambda z: F.log_softmax(z, 1),
    "logarithm of it": lambda z: (z.softmax(1) + 1e-12).log(),
    "from its logarithm": lambda z: F.log_softmax(z, 1).exp(),
    "resized": lambda z: smooth(z.softmax(1)),
    "own formula": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "a background that is the rest": lambda z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], 1),
    "averaged": lambda z: torch.stack([z.softmax(1), z.flip(3).softmax(1).flip(3)]).mean(0),
}


@pytest.mark.parametrize("name", SOFTMAXES)
def test_a_softmax_is_not_applied_twice(name: str) -> None:
    module = Small(SOFTMAXES[name], classes=3).eval()
    network = read(module)
    with torch.no_grad():
        expected = module(image())
        expected = expected.exp() if name.startswith("logarithm") else expected
        torch.testing.assert_close(network.module(image()).softmax(1), expected, atol=1e-5, rtol=1e-3)
    assert network.output.activation in ("softmax", "log_softmax")


def test_sigmoids_of_several_classes_are_not_taken_for_a_softmax() -> None:
    assert read(Small(torch.sigmoid, classes=3)).output.activation == "sigmoid"
    assert read(Small(lambda z: smooth(z.sigmoid()), classes=3)).output.activation == "sigmoid"


LOGITS: dict[str, Wrap] = {
    "small": lambda z: z / 1e4 + 0.5,
    "rectified": lambda z: z.relu() / 1e4,
    "clamped far away from 0": lambda z: z.clamp(-50, 50),
    "a sum of heads": lambda z: z + z.flip(2),
    "resized": smooth,
    "gated": lambda z: z * z.sigmoid(),
}


@pytest.mark.parametrize("name", LOGITS)
def test_logits_do_not_change(name: str) -> None:
    module = Small(LOGITS[name]).eval()
    network = read(module)
    assert network.output.activation == "none"
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()), module(image()))


def test_an_output_that_is_never_negative_gives_a_warning() -> None:
    warnings = read(Small(lambda z: 100 / (1 + torch.exp(-z)))).warnings
    assert any("never falls below 0 on noise: it runs from 0 to 100" in warning for warning in warnings)


def test_a_rectified_output_gives_a_warning() -> None:
    assert any("ends in relu: its output is read as logits" in warning for warning in read(Small(F.relu)).warnings)


@pytest.mark.parametrize(
    ("wrap", "classes", "words"),
    [
        (lambda z: z.softmax(1), 1, "over a single channel, which is 1 everywhere"),
        (lambda z: F.log_softmax(z, 1), 1, "over a single channel, which is 1 everywhere"),
        (lambda z: z.argmax(1, keepdim=True).float(), 3, "only whole numbers: class indices or gray values"),
        (lambda z: (z.sigmoid() * 255).round(), 1, "only whole numbers: class indices or gray values"),
        (lambda z: z.softmax(1).amax(1, keepdim=True), 3, "the maximum of the classes' scores"),
        (lambda z: tuple(z.softmax(1).max(1)), 3, "the maximum of the classes' scores"),
        (lambda z: tuple(z.max(-3)), 3, "the maximum of the classes' scores"),
        (lambda z: z.sigmoid() * 255, 1, "ends in a sigmoid, but its output is not a probability"),
        (lambda z: z.flatten(2).softmax(2).view_as(z), 2, "over the pixels"),
    ],
)
def test_an_output_that_is_not_a_probability_is_refused(wrap: Wrap, classes: int, words: str) -> None:
    with pytest.raises(SegcamError, match=words):
        read(Small(wrap, classes))


def test_a_logarithm_of_probabilities_is_assumed() -> None:
    ends: list[tuple[Wrap, int, str]] = [
        (lambda z: (z.sigmoid() + 1e-7).log(), 1, "log_sigmoid"),
        (lambda z: z.softmax(1)[:, 1:].clamp_min(1e-6).log(), 3, "log_sigmoid"),
        (lambda z: (z.softmax(1) + 1e-5).log(), 3, "log_softmax"),
    ]
    for wrap, classes, name in ends:
        module = Small(wrap, classes).eval()
        network = read(module)
        assert network.assumed["output_activation"].startswith(f"{name}, since it ends in a logarithm")
        with torch.no_grad():
            logits = network.module(image())
            probabilities = logits.softmax(1) if name == "log_softmax" else logits.sigmoid()
            torch.testing.assert_close(probabilities, module(image()).exp(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("wrap", "classes"),
    [
        (lambda z: torch.cat([z.sigmoid(), (-z).sigmoid()], 1), 1),
        (lambda z: torch.cat([-z, z], 1).sigmoid(), 1),
        (lambda z: F.one_hot(z.argmax(1), 3).permute(0, 3, 1, 2).float(), 3),
    ],
)
def test_channels_that_add_up_to_one_exclude_each_other(wrap: Wrap, classes: int) -> None:
    module = Small(wrap, classes).eval()
    network = read(module)
    assert (network.output.activation, network.classes_overlap, network.has_background) == ("softmax", False, True)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()).softmax(1), module(image()), atol=2e-6, rtol=1e-4)


def test_the_card_comes_before_detection() -> None:
    module = Small(torch.sigmoid).eval()
    network = read(module, output_activation="none")
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()), module(image()))
    scaled = Small(lambda z: (z / 40).clamp(0.01, 0.99)).eval()  # nothing shows that this is a probability
    network = read(scaled, output_activation="sigmoid")
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()).sigmoid(), scaled(image()))
    with pytest.raises(SegcamError, match=r"says output_activation: sigmoid, but the network's output, from -"):
        read(Small(), output_activation="sigmoid")


def test_an_activation_detected_from_values_only_is_assumed() -> None:
    assert read(Small(SIGMOIDS["softsign"][0])).assumed["output_activation"].startswith("sigmoid, since its values")
    assert "output_activation" not in read(Small(torch.sigmoid)).assumed


def test_an_assumption_that_fails_later_raises_an_error() -> None:
    """The values are between 0 and 1 in all dry runs, but not for a wider frame."""

    class Later(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            p = SIGMOIDS["softsign"][0](self.logits(x))
            return p * 3 if x.shape[-1] == 96 else p

    network = read(Later())
    frame = (image()[0, 0].numpy() * 255).astype(np.uint8)
    sc.Explainer(network, stages=[])(frame, None, (0, 255))
    with pytest.raises(SegcamError, match="does not come from a sigmoid"):
        sc.Explainer(network, stages=[])(np.tile(frame, (1, 2)), None, (0, 255))


def test_an_output_may_be_overwritten_in_part() -> None:
    def with_empty_corner(z: torch.Tensor) -> torch.Tensor:
        p = z.sigmoid()
        p[..., :8, :8] = 0
        return p

    module = Small(with_empty_corner).eval()
    network = read(module)
    with torch.no_grad():
        torch.testing.assert_close(network.module(image()).sigmoid(), module(image()), atol=2e-6, rtol=1e-4)
    frame = (image()[0, 0].numpy() * 255).astype(np.uint8)
    result = sc.Explainer(network, stages=["body.2"])(frame, None, (0, 255))
    assert result.heatmaps["body.2"].reason is None


def test_a_binary_mask_is_kept() -> None:
    module = Small(lambda z: (z > 0).float()).eval()
    network = read(module)
    with torch.no_grad():
        assert (network.module(image()) > 0).eq(module(image()) > 0.5).float().mean() > 0.999


@pytest.mark.filterwarnings("ignore")
def test_a_resized_sigmoid_in_torchscript_is_undone(tmp_path: Path) -> None:
    module = Small(lambda z: smooth(z.sigmoid())).eval()
    torch.jit.trace(module, torch.rand(1, 3, 64, 64)).save(str(tmp_path / "a.pt"))
    network = sc.load_network(tmp_path / "a.pt", card=ModelCard(normalization="unit"), device="cpu")
    frame = (image()[0, 0].numpy() * 255).astype(np.uint8)
    result = sc.Explainer(network, stages=[])(frame, None, (0, 255))
    x = torch.from_numpy(frame / 255.0).float().expand(1, 3, -1, -1)
    x = F.pad(x, (0, -x.shape[-1] % 32, 0, -x.shape[-2] % 32))
    with torch.no_grad():
        expected = (module(x)[0, 0, : frame.shape[0], : frame.shape[1]] > 0.5).numpy()
    assert np.array_equal(result.mask > 0, expected)


def test_every_method_runs_on_a_network_whose_sigmoid_is_undone() -> None:
    frame = (image()[0, 0].numpy() * 255).astype(np.uint8)
    expected = sc.Explainer(read(Small()), stages=["body.2"])(frame, None, (0, 255))
    for wrap in (torch.sigmoid, lambda z: z.sigmoid()[:, 0]):
        network = read(Small(wrap))
        for method in ("gradcam", "scorecam", "ablationcam", "occlusion", "smoothgrad"):
            result = sc.Explainer(network, method=method, stages=["body.2"])(frame, None, (0, 255))
            assert np.array_equal(result.mask, expected.mask)
            assert all(heatmap.reason is None for heatmap in result.heatmaps.values())
        explanation = sc.Explainer(network, stages=["body.2"])(frame, None, (0, 255))
        np.testing.assert_allclose(explanation.heatmaps["body.2"].values, expected.heatmaps["body.2"].values, rtol=1e-4)
