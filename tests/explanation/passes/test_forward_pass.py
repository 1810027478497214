"""The forward pass: correct gradients under the correct names, and an unchanged module."""

from __future__ import annotations

import copy
import itertools
from typing import Any, TypeVar

import pytest
import torch
from one_pass import Pass, run
from torch import nn

from napari_segcam.network.stages.forward_trace import trace_forward
from napari_segcam.network.stages.stage import Stage, stage_at

SIZE = (4, 6)


AnyModule = TypeVar("AnyModule", bound=nn.Module)


def frozen(module: AnyModule) -> AnyModule:
    return module.double().eval().requires_grad_(False)


def layer(name: str, output: int | None = None) -> Stage:
    return Stage(name if output is None else f"{name}[{output}]", "layer", 1, 1, name, output)


def inputs(channels: int = 1) -> torch.Tensor:
    return torch.randn(1, channels, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def left_half(logits: torch.Tensor) -> torch.Tensor:
    region = torch.zeros_like(logits)
    region[..., : logits.shape[-1] // 2] = 1
    return region


def hooks_on(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def gradient(result: Pass, name: str) -> torch.Tensor:
    values = result.gradients[name]
    assert values is not None
    return values


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Linear(nn.Module):
    """stem: 1 → 2 channels, body: 2 → 3, head: 3 → 2 classes; pixel by pixel, so that gradients are known."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 1)
        self.body = nn.Conv2d(2, 3, 1)
        self.head = nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.stem(x)))


def test_gradients_of_a_linear_network_are_its_weights_in_the_region() -> None:
    network, x = frozen(Linear()), inputs()
    head, body = network.head.weight[:, :, 0, 0], network.body.weight[:, :, 0, 0]

    def class_one_on_the_left(logits: torch.Tensor) -> torch.Tensor:
        region = left_half(logits)
        region[:, 0] = 0
        return region

    result = run(network, x, [layer("stem"), layer("body")], class_one_on_the_left)
    inside = torch.zeros(SIZE, dtype=torch.float64)
    inside[:, :3] = 1
    torch.testing.assert_close(gradient(result, "body"), (head[1].reshape(1, 3, 1, 1) * inside))
    torch.testing.assert_close(gradient(result, "stem"), ((head[1] @ body).reshape(1, 2, 1, 1) * inside))
    torch.testing.assert_close(result.activations["stem"], network.stem(x))
    torch.testing.assert_close(result.logits, network(x))


def test_the_score_is_frozen_where_the_region_comes_from_the_logits() -> None:
    """M is constant: there must be no gradient through a region that depends on the logits."""
    network, x = frozen(Linear()), inputs()
    regions = []

    def soft_mask(logits: torch.Tensor) -> torch.Tensor:
        assert not logits.requires_grad
        regions.append(logits.sigmoid())
        return regions[-1]

    result = run(network, x, [layer("body")], soft_mask)
    weights = network.head.weight[:, :, 0, 0]
    torch.testing.assert_close(gradient(result, "body"), torch.einsum("bchw,ck->bkhw", regions[0], weights))


def test_stages_in_any_order_give_the_same_by_name() -> None:
    network, x = frozen(Linear()), inputs()
    first: Pass | None = None
    for order in itertools.permutations([layer("stem"), layer("body"), layer("head")]):
        result = run(network, x, order, left_half)
        first = first or result
        for name in ("stem", "body", "head"):
            assert torch.equal(result.activations[name], first.activations[name])
            assert torch.equal(gradient(result, name), gradient(first, name))


def test_one_layer_under_two_names_gives_the_same_twice() -> None:
    network, x = frozen(Linear()), inputs()
    alone = run(network, x, [layer("body")], left_half)
    both = run(network, x, [layer("body"), Stage("again", "layer", 1, 3, "body")], left_half)
    for name in ("body", "again"):
        assert torch.equal(both.activations[name], alone.activations["body"])
        assert torch.equal(gradient(both, name), gradient(alone, "body"))


class Shared(nn.Module):
    """Network with one layer that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(2, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shared(self.shared(x).relu()).square()


def test_a_layer_that_runs_twice_counts_with_its_last_run() -> None:
    network, x = frozen(Shared()), inputs(2)
    result = run(network, x, [layer("shared")], left_half)
    last = network.shared(network.shared(x).relu())
    torch.testing.assert_close(result.activations["shared"], last)
    torch.testing.assert_close(gradient(result, "shared"), 2 * last * left_half(last))


class InPlace(nn.Module):
    """An in-place ReLU after a batch norm, as in most encoders."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=inplace)
        self.head = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.norm(self.stem(x))))


@pytest.mark.parametrize("names", [("norm",), ("relu",), ("stem", "norm", "relu")], ids=str)
def test_an_in_place_layer_after_a_tap_changes_nothing(names: tuple[str, ...]) -> None:
    plain, x = frozen(InPlace(inplace=False)), inputs()
    in_place = frozen(InPlace(inplace=True))
    in_place.load_state_dict(plain.state_dict())
    module_survey = trace_forward(in_place, 1)
    stages = [stage_at(module_survey, name, "layer", name) for name in names]
    result, expected = run(in_place, x, stages, left_half), run(plain, x, [layer(name) for name in names], left_half)
    torch.testing.assert_close(result.logits, plain(x))
    for name in names:
        torch.testing.assert_close(result.activations[name], expected.activations[name])
        torch.testing.assert_close(gradient(result, name), gradient(expected, name))
    if "norm" in names:
        assert (result.activations["norm"] < 0).any(), "the batch norm's own values, not those after the ReLU"


class Encoder(nn.Module):
    """Returns several maps, each computed from the previous one, like the transformer encoders of SMP."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = self.first(x).tanh()
        return [x, first, self.second(first).tanh()]


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.skip = nn.Conv2d(2, 1, 1)
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, first, second = self.encoder(x)
        return self.skip(first) * self.head(second)


@pytest.mark.parametrize("outputs", [(1, 2), (2, 1), (1,), (2,)])
def test_one_of_several_outputs_gets_its_own_full_gradient(outputs: tuple[int, ...]) -> None:
    network, x = frozen(Several()), inputs()
    first = network.encoder.first(x).tanh().requires_grad_()
    second = network.encoder.second(first).tanh()
    second.retain_grad()
    logits = network.skip(first) * network.head(second)
    (logits * left_half(logits)).sum().backward()
    by_hand = {1: first, 2: second}

    result = run(network, x, [layer("encoder", index) for index in outputs], left_half)
    for index in outputs:
        torch.testing.assert_close(result.activations[f"encoder[{index}]"], by_hand[index].detach())
        torch.testing.assert_close(gradient(result, f"encoder[{index}]"), by_hand[index].grad)


class Conditioned(nn.Module):
    """Network whose encoder has a second input that is not an image."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ConditionedEncoder()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x, torch.tensor([1]))[1].square()


class ConditionedEncoder(nn.Module):
    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x * (index + 1).reshape(-1, 1, 1, 1)


def test_an_input_of_integers_is_not_changed() -> None:
    x = inputs()
    result = run(frozen(Conditioned()), x, [layer("encoder", 1)], left_half)
    torch.testing.assert_close(gradient(result, "encoder[1]"), 2 * 2 * x * left_half(x))


class Branches(nn.Module):
    """``unused`` runs without effect; ``absent`` never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Conv2d(1, 1, 1)
        self.unused = nn.Conv2d(1, 1, 1)
        self.absent = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.unused(x)
        return self.used(x)


def test_a_stage_the_score_does_not_depend_on_has_no_gradient() -> None:
    network, x = frozen(Branches()), inputs()
    result = run(network, x, [layer("unused"), layer("used"), layer("absent")], left_half)
    assert result.gradients["unused"] is None
    assert gradient(result, "used").any()
    assert "absent" not in result.activations
    assert run(network, x, [layer("unused")], left_half).gradients == {"unused": None}
    assert run(network, x, [layer("absent")], left_half).gradients == {}


# ── what the pass does not change ─────────────────────────────────────────────────────────────────────────────────────


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, *_gradients: torch.Tensor) -> torch.Tensor:
        raise AssertionError("the backward pass went before the earliest stage")


class Guarded(Linear):
    """Fails if anything before ``body`` is differentiated, and records whether it built a graph."""

    stem_made_a_graph = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = NoBackward.apply(self.stem(x))
        self.stem_made_a_graph = before.requires_grad
        return self.head(self.body(before))


def test_nothing_before_the_earliest_stage_is_differentiated() -> None:
    network = frozen(Guarded())
    assert gradient(run(network, inputs(), [layer("head"), layer("body")], left_half), "body").any()
    assert not network.stem_made_a_graph
    with pytest.raises(AssertionError, match="went before"):
        run(network, inputs(), [layer("stem")], left_half)


def test_the_module_is_not_changed() -> None:
    network, x = frozen(Several()), inputs()
    network.skip.train()
    before, x_before = copy.deepcopy(network.state_dict()), x.clone()
    run(network, x, [layer("encoder", 1), layer("encoder.second"), layer("head")], left_half)
    assert hooks_on(network) == 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.skip.training
    assert not network.head.training
    assert torch.equal(x, x_before)
    assert x.grad is None
    assert not x.requires_grad


class PassingOn(nn.Module):
    """Network whose first layer returns its input itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Identity()
        self.head = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.first(x))


def test_an_input_that_is_a_stages_map_gets_no_graph() -> None:
    x = inputs()
    result = run(frozen(PassingOn()), x, [layer("first")], left_half)
    assert gradient(result, "first").any()
    assert not x.requires_grad


def test_the_result_has_no_graph() -> None:
    result = run(frozen(Linear()), inputs(), [layer("stem"), layer("head")], left_half)
    for tensor in (result.logits, *result.activations.values(), *result.gradients.values()):
        assert tensor is not None
        assert not tensor.requires_grad


class Failing(Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.body(self.stem(x))
        raise ValueError("on the way")


def test_a_failing_forward_leaves_no_hook() -> None:
    network = frozen(Failing())
    with pytest.raises(ValueError, match="on the way"):
        run(network, inputs(), [layer("stem"), layer("body")], left_half)
    assert hooks_on(network) == 0


def test_a_missing_layer_leaves_no_hook() -> None:
    network = frozen(Linear())
    with pytest.raises(AttributeError):
        run(network, inputs(), [layer("stem"), layer("missing")], left_half)
    assert hooks_on(network) == 0


def test_it_works_inside_no_grad() -> None:
    with torch.no_grad():
        result = run(frozen(Linear()), inputs(), [layer("stem")], left_half)
    assert gradient(result, "stem").any()


def test_without_stages_there_are_only_logits() -> None:
    network, x = frozen(Linear()), inputs()
    result = run(network, x, [], left_half)
    torch.testing.assert_close(result.logits, network(x))
    assert result.activations == result.gradients == {}


class Caching(Linear):
    """Caches a tensor for an input's size, like position encodings and attention masks."""

    cached: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.cached is None:
            self.cached = torch.ones_like(x) * 2
        return self.head(self.body(self.stem(x)) * self.cached)


def test_tensors_cached_in_a_pass_without_stages_work_in_one_with_stages() -> None:
    network, x = frozen(Caching()), inputs()
    run(network, x, [], left_half)
    assert gradient(run(network, x, [layer("stem")], left_half), "stem").any()
