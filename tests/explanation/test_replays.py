"""Replays from many stages, prepared by one pass: each equals the network with other values at that stage."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
import segmentation_models_pytorch as smp
import torch
from networks import with_fitted_norms
from test_perturbation import Beside, Hiding, Several, Skipping, Windowed, ablated, frozen, image, layer
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.explanation.slow_methods.dependencies import find_dependencies
from napari_segcam.explanation.slow_methods.recording import Recording
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.slow_methods.replays import Replays
from napari_segcam.network.stages.stage import Stage

SIZE = (8, 12)
NO_LIMIT = 2**40


def replaced(module: nn.Module, x: torch.Tensor, stage: Stage, values: torch.Tensor) -> torch.Tensor:
    """Run the whole network with other values at a stage, by a hook of PyTorch."""
    outputs: list[torch.Tensor] = []

    def replace(_layer: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        outputs.append(output)
        return stage.layout.restored(values.clone(), output)

    handle = module.get_submodule(stage.layer).register_forward_hook(replace)
    try:
        with torch.no_grad():
            return module(x.expand(len(values), -1, -1, -1))
    finally:
        handle.remove()


def levelled(activations: torch.Tensor) -> torch.Tensor:
    """Return the map with each channel's mean, and the map turned upside down: two images."""
    return torch.stack([activations.mean((1, 2), keepdim=True).expand_as(activations), activations.flip(1)])


def check_all(module: nn.Module, x: torch.Tensor, stages: Sequence[Stage], *, tolerance: float = 1e-9) -> Replays:
    replays = Replays(module, x, stages, (x.shape[-2] // 2, x.shape[-1] // 2))
    for stage in stages:
        replay = replays.of(stage)
        values = levelled(replay.activations)
        with torch.no_grad():
            got = replay(values.clone())
        expected = replaced(module, x, stage, values)
        assert (got - expected).abs().max() <= tolerance * expected.abs().max()
    return replays


@pytest.mark.parametrize(
    ("module", "layers"),
    [
        (Skipping(), ("stem", "norm", "deep")),
        (Beside(), ("stem", "branch.0", "branch")),
        (Windowed(), ("stem",)),
        (Hiding(), ("stem",)),
    ],
)
def test_replays_of_all_stages_equal_hooks_on_the_network(module: nn.Module, layers: tuple[str, ...]) -> None:
    check_all(frozen(module), image(), [layer(name) for name in layers])


@pytest.mark.parametrize("seed", range(30))
def test_a_replay_is_never_taken_from_a_check_that_shows_nothing(seed: int) -> None:
    # On a small copy of the image no value passes the threshold, neither as it is nor when it is replaced.
    torch.manual_seed(seed)
    check_all(frozen(Hiding()), image(), [layer("stem")])


@cache
def rewritten(architecture: str) -> sc.Network:
    torch.manual_seed(1)
    module = smp.create_model(architecture, "efficientnet-b0", encoder_weights=None)
    return sc.Network.from_module(with_fitted_norms(module, 64), device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["Unet", "UnetPlusPlus"])
@pytest.mark.parametrize("is_rewritten", [True, False])
def test_replays_of_smp_networks_are_exact_in_both_forms(architecture: str, is_rewritten: bool) -> None:
    network = rewritten(architecture)
    module, stages = network.module_for(network.stages) if is_rewritten else (network.module, network.stages)
    assert (module is network.module) != is_rewritten
    x = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(3))
    replays = check_all(module, x, stages, tolerance=1e-4)
    assert not any(replays.of(stage).runs_whole_network for stage in stages)


def test_a_replay_runs_only_what_depends_on_its_stage() -> None:
    network = frozen(Skipping())
    replays = Replays(network, image(), [layer("stem"), layer("deep")], SIZE)
    deep, stem = replays.of(layer("deep")), replays.of(layer("stem"))
    before = network.stem.runs, network.deep.runs, network.head.runs
    deep(ablated(deep.activations))
    assert (network.stem.runs, network.deep.runs, network.head.runs) == (before[0], before[1], before[2] + 1)
    stem(ablated(stem.activations))
    assert (network.stem.runs, network.deep.runs, network.head.runs) == (before[0], before[1] + 1, before[2] + 2)


def test_all_stages_share_one_pass_over_the_image_once_a_network_is_known() -> None:
    network, stages = frozen(Beside()), [layer("stem"), layer("branch.1")]
    for stage in stages:
        Replays(network, image(), stages, (4, 6)).of(stage)
    before = network.branch[0].runs
    again = Replays(network, image() + 1, stages, (4, 6))
    assert not any(again.of(stage).runs_whole_network for stage in stages)
    assert network.branch[0].runs == before + 1


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, owner: nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        del ctx
        return owner.inner(2 * first) + owner.other(second)

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> tuple[None, torch.Tensor, torch.Tensor]:  # never called
        raise NotImplementedError


class Fused(nn.Module):
    """Two layers run inside a function with a gradient of its own, where there is no graph."""

    def __init__(self) -> None:
        super().__init__()
        self.shallow, self.deep = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.inner, self.other = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.shallow(x)
        deep = self.deep(shallow).tanh()
        return self.head(_Doubled.apply(self, deep, shallow))


def test_layers_inside_a_function_of_its_own_gradient_count_as_dependent() -> None:
    network, stages = frozen(Fused()), [layer("shallow"), layer("deep")]
    assert not check_all(network, image(), stages).of(layer("deep")).runs_whole_network
    alone = Replay(network, image(), layer("deep"))
    assert not alone.runs_whole_network
    values = levelled(alone.activations)
    torch.testing.assert_close(alone(values), replaced(network, image(), layer("deep"), values))


def test_dependencies_are_those_of_the_graph() -> None:
    network = frozen(Fused())
    found = find_dependencies(network, image(), [layer("shallow"), layer("deep")])
    names = [name for name, _ in network.named_modules()]
    stages = {names[number]: depends for number, depends in zip(found.layers, found.stages, strict=True)}
    # Bit 1: shallow, bit 2: deep. What `inner` gets is made where there is no graph, so that it is unknown.
    assert stages == {"": 3, "shallow": 1, "deep": 3, "inner": -1, "other": 1, "head": 3}


def test_outputs_beyond_the_limit_are_not_kept_and_their_layers_run() -> None:
    network, x, stages = frozen(Beside()), image(), [layer("stem"), layer("branch.0")]
    found = find_dependencies(network, x, stages)
    all_kept, none_kept = (Recording(network, x, found, limit) for limit in (NO_LIMIT, 0))
    assert all_kept.recorded(layer("stem"))
    assert none_kept.bytes == 0
    assert not none_kept.recorded(layer("stem"))
    replay = Replays(network, x, stages, SIZE, limit=0).of(layer("stem"))
    values = levelled(replay.activations)
    torch.testing.assert_close(replay(values), replaced(network, x, layer("stem"), values))


class Growing(nn.Module):
    """Runs one more layer on large images, so that small ones tell nothing of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.extra, self.head = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x)
        return self.head(self.extra(stem).tanh() if x.shape[-1] > 6 else stem)


def test_a_network_that_runs_other_layers_on_small_images_is_checked_on_the_image_itself() -> None:
    replays = check_all(frozen(Growing()), image(), [layer("stem"), layer("extra")])
    assert not replays.of(layer("extra")).runs_whole_network


def test_one_of_several_outputs_is_replayed_as_before() -> None:
    network, x = frozen(Several()), image()
    replay = Replays(network, x, [layer("encoder", 1), layer("encoder", 2)], SIZE).of(layer("encoder", 1))
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values), network.skip(values) * network.head(network.encoder.second(values)))


def test_a_stage_that_never_runs_is_refused_in_words() -> None:
    network = frozen(Skipping())
    network.idle = nn.Identity()
    replays = Replays(network, image(), [layer("deep"), layer("idle")], SIZE)
    with pytest.raises(sc.SegcamError, match="layer idle does not run"):
        replays.of(layer("idle"))
    assert torch.equal(replays.of(layer("deep")).logits, network(image()))
    assert F.relu(replays.of(layer("deep")).activations).shape == (6, 4, 6)
