"""Modules of many kinds: with computed weights, wrapped, random, for one image size only, or unsuitable."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

import napari_segcam as sc
from napari_segcam.network.network import Network
from napari_segcam.network.running.module_preparation import copy_module

CARD = sc.ModelCard(normalization="unit")
FRAMES = [np.random.default_rng(seed).integers(0, 200 + 20 * seed, (32, 32)).astype(np.uint8) for seed in range(3)]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


class Small(nn.Module):
    """Network with two levels, a skip connection and one class."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(channels, 6, 3, padding=1)
        self.down = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.out = nn.Conv2d(6, 1, 1)
        with torch.no_grad():
            self.out.weight.mul_(20)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x).relu()
        return self.up(self.down(stem).relu()) + stem

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.features(x))


class Twice(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def changed(change: Callable[[Small], Any]) -> nn.Module:
    module = Small().train()
    change(module)
    module(torch.randn(2, 3, 32, 32))  # spectral norm updates its estimate in training
    return module.eval()


def symmetric(module: Small) -> None:
    parametrize.register_parametrization(module.out, "bias", Twice())
    parametrizations.orthogonal(module.down)


COMPUTED: dict[str, Callable[[Small], Any]] = {
    "weight norm": lambda m: (weight_norm(m.stem), weight_norm(m.up)),
    "weight norm, new": lambda m: (parametrizations.weight_norm(m.stem), parametrizations.weight_norm(m.up)),
    "spectral norm": lambda m: (spectral_norm(m.down), spectral_norm(m.up)),
    "spectral norm, new": lambda m: (parametrizations.spectral_norm(m.down), parametrizations.spectral_norm(m.up)),
    "pruned": lambda m: (
        prune.l1_unstructured(m.down, "weight", 0.3),
        prune.random_unstructured(m.stem, "bias", 2),
    ),
    "pruned twice": lambda m: (
        prune.l1_unstructured(m.down, "weight", 0.3),
        prune.ln_structured(m.down, "weight", 2, n=2, dim=0),
    ),
    "the user's own": symmetric,
}


@pytest.mark.parametrize("kind", list(COMPUTED))
@pytest.mark.parametrize("frozen", [False, True])
def test_computed_weights_become_plain_weights_with_the_same_values(kind: str, frozen: bool) -> None:
    module = changed(COMPUTED[kind]).requires_grad_(not frozen)
    x = torch.randn(1, 3, 32, 32)
    expected, names = module(x).detach(), [name for name, _ in module.named_parameters()]
    network = Network.from_module(module, CARD, device="cpu")
    torch.testing.assert_close(network.module(x), expected)
    assert sorted(network.module.state_dict()) == sorted(Small().state_dict())
    assert all(isinstance(network.module.get_submodule(name).weight, nn.Parameter) for name in ("stem", "down", "up"))
    assert [name for name, _ in module.named_parameters()] == names, "the caller's module does not change"
    torch.testing.assert_close(module(x).detach(), expected)
    assert sc.Explainer(network, stages=["down"])(FRAMES[0]).heatmaps["down"].values.shape == (16, 16)


def compiled_inside(module: nn.Module) -> nn.Module:
    module.up = torch.compile(module.up)  # type: ignore[assignment]
    return module


@pytest.mark.parametrize(
    "wrap",
    [torch.compile, compiled_inside, nn.DataParallel, torch.optim.swa_utils.AveragedModel],
    ids=["compiled", "compiled inside", "parallel", "averaged"],
)
def test_wrappers_are_removed(wrap: Callable[[nn.Module], nn.Module]) -> None:
    wrapped = wrap(Small().eval())
    network = Network.from_module(wrapped, CARD, device="cpu")
    assert network.architecture == "Small"
    assert sorted(network.module.state_dict()) == sorted(Small().state_dict())
    assert "up" in network.trace.layers()


def test_results_that_a_module_keeps_are_copied_too() -> None:
    class KeepsFeatures(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.results = {"last": [self.features(x)]}
            return self.out(self.results["last"][0])

    module = KeepsFeatures()
    module(torch.randn(1, 3, 16, 16))
    copy_of_module = copy_module(module)
    torch.testing.assert_close(copy_of_module.results["last"][0], module.results["last"][0].detach())  # type: ignore[index]
    assert Network.from_module(module, CARD, device="cpu").classes == 1


class HoldsLock(Small):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class TwoInputs(Small):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return super().forward(x + y)


class NeedsMode(Small):
    def forward(self, x: torch.Tensor, *, mode: str) -> torch.Tensor:
        assert mode
        return super().forward(x)


class TakesDictionary(Small):
    def forward(self, batch: Any) -> torch.Tensor:
        return super().forward(batch["image"])


class RaisesKeyError(Small):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("image", len(x))


class Lazy(Small):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.LazyConv2d(1, 1)


class WithoutEval(Small):
    def eval(self) -> Any:
        raise TypeError("no eval")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError


class RaisesUnprintable(Small):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        super().features(x)
        raise UnprintableError


class Exits(Small):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        super().features(x)
        raise SystemExit(3)


class Sparse(Small):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).to_sparse()


def quantized() -> nn.Module:
    return nn.Sequential(torch.ao.nn.quantized.Conv2d(3, 1, 1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (TwoInputs, r"forward takes 2 inputs \(x, y\): only networks that take one image"),
        (NeedsMode, r"forward takes 2 inputs \(x, mode\)"),
        (TakesDictionary, "does not run on images with 3 channels"),
        (RaisesKeyError, "does not run on images with 3 channels .*: KeyError .'image', 1."),
        (HoldsLock, "cannot be copied: .*lock"),
        (Lazy, "no weights yet: out.weight belongs to a lazy layer"),
        (lambda: Small().to("meta"), "stem.weight is on torch's meta device"),
        (quantized, r"quantized \(Conv2d\)"),
        (lambda: nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.Conv3d(2, 1, 1)), "three-dimensional.*2-D network"),
        (lambda: nn.Sequential(nn.Conv3d(3, 2, 3, padding=1)), "three-dimensional.*2-D network"),
        (lambda: nn.Sequential(nn.Conv1d(3, 2, 3)), "one-dimensional.*2-D network"),
        (lambda: None, "a torch.nn.Module, but a NoneType was given"),
        (lambda: {"weight": torch.ones(1)}, "a torch.nn.Module, but a dict was given"),
        (lambda: Small, "a torch.nn.Module, but the class Small was given"),
        (WithoutEval, "cannot be set to eval mode: TypeError no eval"),
        (RaisesUnprintable, "does not run on images with 3 channels .*: UnprintableError"),
        (Exits, "does not run on images with 3 channels .*: SystemExit 3"),
        (Sparse, "neither a segmentation nor class scores"),
    ],
)
def test_a_module_that_cannot_run_is_refused_with_the_reason(make: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(sc.SegcamError, match=words):
        Network.from_module(make(), CARD, device="cpu")


def test_attributes_with_the_names_of_smps_do_no_harm() -> None:
    class Strange(Small):
        def eval(self) -> Any:  # returns nothing
            super().eval()

        @property
        def encoder(self) -> Any:
            raise ValueError("not built yet")

    class Strided(Small):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Identity()
            self.encoder.output_stride = (8, 8)

    for kind in (Strange, Strided):
        assert Network.from_module(kind(), CARD, device="cpu").stride > 0


def test_a_network_of_images_may_have_a_3d_layer() -> None:
    class Stacked(Small):
        def __init__(self) -> None:
            super().__init__()
            self.along = nn.Conv3d(1, 1, (3, 1, 1), padding=(1, 0, 0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(self.along(x[:, None])[:, 0])

    assert Network.from_module(Stacked(), CARD, device="cpu").segments


# ── the channels of the image ───────────────────────────────────────────────────────────────────────────────────────


class DepthwiseFirst(nn.Module):
    """Network whose layers are defined from last to first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out = nn.Conv2d(8, 1, 1)
        self.mixed = nn.Conv2d(channels, 8, 1)
        self.apart = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.mixed(self.apart(x)).relu())


def make_depthwise() -> nn.Module:
    return DepthwiseFirst(3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_the_image_has_the_channels_that_the_network_takes(channels: int) -> None:
    for module in (DepthwiseFirst(channels), Small(channels)):
        assert Network.from_module(module, device="cpu").card.input_channels == channels
    card = sc.ModelCard(input_channels=channels + 1)
    with pytest.raises(sc.SegcamError, match=f"images with {channels + 1} channels"):
        Network.from_module(Small(channels), card, device="cpu")


def test_the_first_layer_may_be_depthwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    torch.save(make_depthwise().state_dict(), tmp_path / "weights.pth")
    network = sc.load_network(tmp_path / "weights.pth", "cpu", factory="test_any_module:make_depthwise")
    assert network.card.input_channels == 3
    torch.jit.save(torch.jit.script(make_depthwise()), tmp_path / "script.pt")
    assert sc.load_network(tmp_path / "script.pt", "cpu").card.input_channels == 3


def test_a_scripted_module_is_used_as_from_a_file() -> None:
    script = torch.jit.script(Small().eval())
    network = Network.from_module(script, CARD, device="cpu")
    assert "TorchScript" in network.no_hooks_reason
    mask = sc.Explainer(network, stages=[])(FRAMES[0]).mask
    expected = sc.Explainer(Network.from_module(Small(), CARD, device="cpu"), stages=[])(FRAMES[0]).mask
    np.testing.assert_array_equal(mask, expected)


def test_complex_weights_do_not_make_the_image_complex() -> None:
    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filter = nn.Parameter(torch.randn(3, 1, 1, dtype=torch.complex64))
            self.small = Small()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.small(torch.fft.ifft2(torch.fft.fft2(x) * self.filter).real)

    network = Network.from_module(Spectral(), CARD, device="cpu")
    assert network.dtype == torch.float32
    assert sc.Explainer(network, stages=["small.down"])(FRAMES[0]).heatmaps["small.down"].values.shape == (16, 16)


# ── one size only ───────────────────────────────────────────────────────────────────────────────────────────────────


class AddsPositions(Small):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1, 3, 48, 80))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + self.positions)


def test_a_program_may_be_exported_for_a_size_that_is_not_square(tmp_path: Path) -> None:
    module = Small().eval()
    torch.export.save(torch.export.export(module, (torch.rand(1, 3, 48, 80),)), tmp_path / "rect.pt2")
    network = sc.load_network(tmp_path / "rect.pt2", "cpu", card=CARD)
    assert (network.card.size.height, network.card.size.width) == (48, 80)
    assert {stage.stride for stage in network.stages} == {1, 2}
    frame = np.random.default_rng(0).integers(0, 255, (48, 80)).astype(np.uint8)
    heatmaps = list(sc.Explainer(network)(frame).heatmaps.values())
    assert {heatmap.values.shape for heatmap in heatmaps} == {(24, 40), (48, 80)}
    explanations = list(sc.Explainer(network, stages=[]).each([frame, 255 - frame, frame]))
    explain = sc.Explainer(Network.from_module(module, CARD, device="cpu"), stages=[])
    for explanation, image in zip(explanations, [frame, 255 - frame, frame], strict=True):
        np.testing.assert_allclose(explanation.probabilities, explain(image).probabilities, atol=1e-5)


def test_a_module_that_takes_only_the_size_of_its_card() -> None:
    card = sc.ModelCard(normalization="unit", size={"rule": "resize", "height": 48, "width": 80})  # type: ignore[arg-type]
    network = Network.from_module(AddsPositions(), card, device="cpu")
    assert {stage.stride for stage in network.stages} == {1, 2}
    assert sc.Explainer(network, stages="all")(FRAMES[0]).mask.shape == (32, 32)


# ── results that are not repeatable ─────────────────────────────────────────────────────────────────────────────────


class BatchNormed(Small):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6, track_running_stats=False)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(super().features(x))


class AlwaysTraining(BatchNormed):
    """Network whose batch norm stays in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6)

    def train(self, mode: bool = True) -> AlwaysTraining:
        super().train(mode)
        self.norm.train(True)
        return self


class Centered(Small):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = super().forward(x)
        return scores - scores.mean(0, keepdim=True) / 2


class Dropping(Small):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(super().features(x), 0.5)


class StaysOn(nn.Dropout2d):
    def train(self, mode: bool = True) -> StaysOn:
        del mode
        return super().train(True)


class MonteCarlo(Small):
    def __init__(self) -> None:
        super().__init__()
        self.drop = StaysOn(0.3)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(super().features(x))


class Skipping(Small):
    """Network with stochastic depth: a block is skipped in half of the runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x).relu()
        factor = (torch.rand(len(x), 1, 1, 1) > 0.5).to(x)
        return self.out(stem + factor * self.up(self.down(stem).relu()))


MIXING = [BatchNormed, AlwaysTraining, Centered]
RANDOM = [Dropping, MonteCarlo, Skipping]


@pytest.mark.parametrize("kind", [*MIXING, *RANDOM])
def test_frames_that_change_each_others_results_run_one_by_one(kind: type[Small]) -> None:
    network = Network.from_module(kind(), CARD, device="cpu")
    assert network.one_frame_at_a_time
    words = "change each other's results" if kind in MIXING else "draws random numbers in each run"
    assert words in " ".join(network.warnings)
    for method in ("gradcam", "ablationcam", "occlusion"):
        explainer = sc.Explainer(network, method, ["down"])
        single = [explainer(frame, sc.Target(region="image")) for frame in FRAMES]
        batched = explainer.each(FRAMES, sc.Target(region="image"), batch=3)
        for expected, explanation in zip(single, batched, strict=True):
            np.testing.assert_array_equal(expected.probabilities, explanation.probabilities)
            for name, heatmap in expected.heatmaps.items():
                np.testing.assert_array_equal(heatmap.values, explanation.heatmaps[name].values)


@pytest.mark.parametrize("kind", MIXING)
def test_perturbed_images_do_not_change_each_others_results(kind: type[Small]) -> None:
    module = kind().eval().requires_grad_(False)
    network = Network.from_module(module, CARD, device="cpu")
    region = np.zeros((32, 32), bool)
    region[3:14, 5:17] = True
    explanation = sc.Explainer(network, "occlusion")(FRAMES[0], sc.Target(region=region))
    x = torch.from_numpy(FRAMES[0] / 255).float().expand(1, 3, -1, -1).contiguous()
    expected = np.zeros((2, 2))
    with torch.no_grad():
        for row, column in np.ndindex(2, 2):
            hidden = x.clone()
            rows, columns = (slice(max(0, 16 * index - 8), 16 * index + 24) for index in (row, column))
            hidden[:, :, rows, columns] = x.mean()
            expected[row, column] = max(0.0, float((module(x) - module(hidden))[0, 0][region].double().mean()))
    np.testing.assert_allclose(explanation.heatmaps["input"].values, expected, atol=0.01 * expected.max())
    assert expected.max() > 0.005


@pytest.mark.parametrize("kind", RANDOM)
def test_random_numbers_of_other_code_do_not_change(kind: type[Small]) -> None:
    explainer = sc.Explainer(Network.from_module(kind(), CARD, device="cpu"), stages=["down"])
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    explainer(FRAMES[0])
    assert torch.equal(torch.rand(3), expected)


def test_randomness_without_a_seed_gives_a_warning() -> None:
    class Noisy(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x + torch.from_numpy(np.random.standard_normal(x.shape)).to(x))  # noqa: NPY002

    network = Network.from_module(Noisy(), CARD, device="cpu")
    assert network.one_frame_at_a_time
    assert "another result for the same image each time" in " ".join(network.warnings)


def test_usual_networks_are_repeatable() -> None:
    for module in (Small(), nn.Sequential(Small(), nn.InstanceNorm2d(1)), nn.Sequential(nn.Dropout(0.5), Small())):
        network = Network.from_module(copy.deepcopy(module), CARD, device="cpu")
        assert not network.one_frame_at_a_time
        assert network.warnings == ()
