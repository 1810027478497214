"""Perturbation methods: each against its formula, and a replay that saves work without changing values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.perturbation import PERTURBATIONS, Probe, estimate_perturbation, perturb
from napari_segcam.explanation.perturbation.ablationcam import AblationCam
from napari_segcam.explanation.perturbation.sampling import predict_scores, spread_sample
from napari_segcam.explanation.perturbation.scorecam import ScoreCam, channel_masks
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage

AnyModule = TypeVar("AnyModule", bound=nn.Module)
SIZE = (8, 12)


def frozen(module: AnyModule) -> AnyModule:
    return module.double().eval().requires_grad_(False)


def layer(name: str, output: int | None = None) -> Stage:
    return Stage(name, "layer", 1, 1, name, output)


def image(channels: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(1, channels, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def left_half(logits: torch.Tensor) -> torch.Tensor:
    region = torch.zeros_like(logits)
    region[:, :1, :, : logits.shape[-1] // 2] = 1
    return region


def of_left_half(logits: torch.Tensor) -> Objective:
    return Objective(0, left_half(logits)[0, 0] > 0)


def everywhere(size: tuple[int, int] = SIZE, *, nowhere: bool = False) -> Objective:
    return Objective(0, torch.full(size, not nowhere))


def ablated(activations: torch.Tensor) -> torch.Tensor:
    """Set each channel to zero in turn, one image per channel."""
    factors = 1 - torch.eye(len(activations), dtype=activations.dtype)
    return activations * factors[:, :, None, None]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# ── the replay ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Counted(nn.Conv2d):
    """A convolution that counts its runs."""

    runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return super().forward(x)


class Skipping(nn.Module):
    """Small U-Net with a skip, bare functions, a shared in-place ReLU and a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Counted(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.deep = Counted(4, 6, 3, stride=2, padding=1)
        self.head = Counted(10, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = self.norm(self.stem(x - 0.1))
        skip += 0.3
        skip = self.relu(skip)
        return self.after_the_skip(skip, self.deep(skip))

    def after_the_skip(self, skip: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([F.interpolate(self.relu(deep), SIZE), skip], 1))


def test_a_replay_equals_the_network_with_other_values() -> None:
    network, x = frozen(Skipping()), image()
    replay = Replay(network, x, layer("deep"))
    skip = F.relu(network.norm(network.stem(x - 0.1)) + 0.3)
    torch.testing.assert_close(replay.activations, network.deep(skip)[0])
    torch.testing.assert_close(replay.logits, network(x))
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values.clone()), network.after_the_skip(skip.repeat(6, 1, 1, 1), values))


def test_a_replay_skips_the_stage_and_the_layers_before_it() -> None:
    network = frozen(Skipping())
    replay = Replay(network, image(), layer("deep"))
    assert not replay.runs_whole_network
    before = network.stem.runs, network.deep.runs, network.head.runs
    for _ in range(3):
        replay(ablated(replay.activations))
    assert (network.stem.runs, network.deep.runs, network.head.runs) == (before[0], before[1], before[2] + 3)


def test_a_replay_can_be_repeated_although_layers_work_in_place() -> None:
    replay = Replay(frozen(Skipping()), image(), layer("norm"))
    first = replay(ablated(replay.activations))
    assert torch.equal(replay(ablated(replay.activations)), first)
    assert (replay.activations < 0).any(), "the batch norm's own values, not those after the in-place ReLU"


def test_a_replay_of_another_batch_size_gives_the_same() -> None:
    replay = Replay(frozen(Skipping()), image(), layer("deep"))
    values = ablated(replay.activations)
    one_by_one = torch.cat([replay(value[None].clone()) for value in values])
    torch.testing.assert_close(replay(values), one_by_one)


def test_the_last_run_of_a_layer_that_runs_twice_is_the_stage() -> None:
    network, x = frozen(Skipping()), image()
    replay = Replay(network, x, layer("relu"))
    skip = F.relu(network.norm(network.stem(x - 0.1)) + 0.3)
    torch.testing.assert_close(replay.activations, F.relu(network.deep(skip))[0])
    upsampled = F.interpolate(ablated(replay.activations), SIZE)
    expected = network.head(torch.cat([upsampled, skip.repeat(6, 1, 1, 1)], 1))
    torch.testing.assert_close(replay(ablated(replay.activations)), expected)


class Chain(nn.Module):
    """Returns several maps, each computed from the previous one by a separate layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Counted(1, 3, 3, padding=1)
        self.second = nn.Sequential(Counted(3, 4, 3, padding=1), nn.Tanh())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = self.first(x).tanh()
        return [x, first, self.second(first)]


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Chain()
        self.skip = nn.Conv2d(3, 1, 1)
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, first, second = self.encoder(x)
        return self.skip(first) * self.head(second)


def test_one_of_several_outputs_is_also_replaced_for_those_computed_from_it() -> None:
    network, x = frozen(Several()), image()
    replay = Replay(network, x, layer("encoder", 1))
    assert not replay.runs_whole_network
    before = network.encoder.first.runs
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values), network.skip(values) * network.head(network.encoder.second(values)))
    assert network.encoder.first.runs == before


def test_replacing_the_last_of_several_outputs_does_not_change_the_others() -> None:
    network, x = frozen(Several()), image()
    replay = Replay(network, x, layer("encoder", 2))
    before = network.encoder.first.runs
    _, first, second = network.encoder(x)
    torch.testing.assert_close(replay.activations, second[0])
    values = ablated(second[0])
    torch.testing.assert_close(replay(values), network.skip(first) * network.head(values))
    assert network.encoder.first.runs == before + 1, "only the run above"


class Beside(nn.Module):
    """A branch that runs after the stage and does not depend on it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 1)
        self.branch = nn.Sequential(Counted(1, 3, 3, padding=1), nn.Tanh())
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stem = self.stem(x)
        return self.head(stem * self.branch(x))


def test_a_replay_skips_layers_that_do_not_depend_on_the_stage() -> None:
    network, x = frozen(Beside()), image()
    replay = Replay(network, x, layer("stem"))
    before = network.branch[0].runs  # type: ignore[union-attr]
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values), network.head(values * network.branch(x)))
    assert network.branch[0].runs == before + 1, "only the run above"  # type: ignore[union-attr]


class Table(nn.Module):
    """Returns a table, not an image, which does not grow with the batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.arange(96.0, dtype=x.dtype).reshape(SIZE)


class Windowed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = Table()
        self.stem = nn.Conv2d(1, 3, 1)
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = self.bias(x)
        return self.head(self.stem(x)) + table.reshape(1, 1, *SIZE)


class Threshold(nn.Module):
    """Depends on its input, but not in the graph."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > 0.1).to(x.dtype)


class Hiding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 1)
        self.cut = Threshold()
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cut(self.stem(x)))


def test_the_whole_network_runs_if_a_replay_would_be_wrong() -> None:
    x = image()
    windowed = frozen(Windowed())
    replay = Replay(windowed, x, layer("stem"))
    assert replay.runs_whole_network
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values), windowed.head(values) + windowed.bias(x))

    hiding = frozen(Hiding())
    replay = Replay(hiding, x, layer("stem"))
    assert replay.runs_whole_network
    values = ablated(replay.activations)
    torch.testing.assert_close(replay(values), hiding.head(hiding.cut(values)))


class Failing(Skipping):
    fails = False

    def after_the_skip(self, skip: torch.Tensor, deep: torch.Tensor) -> torch.Tensor:
        if self.fails:
            raise ValueError("on the way")
        return super().after_the_skip(skip, deep)


def test_the_module_is_restored_after_errors() -> None:
    network, x = frozen(Failing()), image()
    scale = network.norm.forward
    network.norm.forward = lambda value: scale(value) * 2  # set by other code
    replaced_forward = network.norm.forward
    replay = Replay(network, x, layer("deep"))
    replay(ablated(replay.activations))
    network.fails = True
    with pytest.raises(ValueError, match="on the way"):
        replay(ablated(replay.activations))
    with pytest.raises(ValueError, match="on the way"):
        ScoreCam(network, x, layer("deep"), everywhere())
    assert [part for part in network.modules() if "forward" in vars(part)] == [network.norm]
    assert network.norm.forward is replaced_forward
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Identity()
        self.pool = nn.Flatten()
        self.head = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x) + self.pool(x).mean()


@pytest.mark.parametrize("probe", [ScoreCam, AblationCam])
def test_a_layer_without_a_map_is_refused_in_words(probe: Callable[..., Probe]) -> None:
    network, x = frozen(Pooled()), image()
    with pytest.raises(SegcamError, match=r"layer pool gives no feature map, but \(1, 96\)"):
        probe(network, x, layer("pool"), everywhere())
    with pytest.raises(SegcamError, match="layer unused does not run in this network"):
        probe(network, x, layer("unused"), everywhere())


def test_several_images_are_refused() -> None:
    with pytest.raises(ValueError, match="one image, not 2"):
        Replay(frozen(Skipping()), torch.cat([image()] * 2), layer("deep"))


# ── Ablation-CAM ──────────────────────────────────────────────────────────────────────────────────────────────────────


def drops_by_hand(network: Skipping, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the map of ``deep`` ``(K, h, w)``, the score y, and its drop without each channel ``(K,)``."""
    skip = F.relu(network.norm(network.stem(x - 0.1)) + 0.3)
    deep = network.deep(skip)
    score = (network(x) * left_half(network(x))).sum()
    losses = []
    for channel in range(6):
        without = deep.clone()
        without[:, channel] = 0
        logits = network.after_the_skip(skip, without)
        losses.append(score - (logits * left_half(logits)).sum())
    return deep[0], score, torch.stack(losses)


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_ablation_cam_weights_by_the_drop_of_the_regions_mean_logit(batch: int) -> None:
    network, x = frozen(Skipping()), image()
    perturbed = perturb(AblationCam(network, x, layer("deep"), of_left_half(network(x))), batch_size=batch)
    deep, _, losses = drops_by_hand(network, x)
    torch.testing.assert_close(perturbed.weights, losses / (8 * 6))
    torch.testing.assert_close(perturbed.values, (losses[:, None, None] / (8 * 6) * deep).sum(0))


def test_ablation_cam_as_in_the_paper_changes_its_sign_with_the_score() -> None:
    """This is why it is not the default."""
    network, x = frozen(Skipping()), image()
    network.head.bias -= 10
    objective = of_left_half(network(x))
    _, score, losses = drops_by_hand(network, x)
    assert score < 0
    relative = perturb(AblationCam(network, x, layer("deep"), objective, weighting="relative")).weights
    torch.testing.assert_close(relative, losses / score)
    ours = perturb(AblationCam(network, x, layer("deep"), objective)).weights
    assert torch.equal(ours.sign(), losses.sign())
    assert torch.equal(ours.sign(), -relative.sign())


# ── Score-CAM ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def scores_by_hand(network: nn.Module, x: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
    scores = []
    for a in activations:
        mask = F.interpolate(((a - a.min()) / (a.max() - a.min() + 1e-8))[None, None], x.shape[-2:], mode="bilinear")
        logits = network(x * mask)
        scores.append((logits * left_half(logits)).sum())
    return torch.stack(scores)


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_score_cam_weights_by_the_standardized_scores_of_the_masked_input(batch: int) -> None:
    network, x = frozen(Skipping()), image()
    objective = of_left_half(network(x))
    deep, _, _ = drops_by_hand(network, x)
    scores = scores_by_hand(network, x, deep)
    z = (scores - scores.mean()) / scores.var(unbiased=False).sqrt()
    weights = z.exp() / z.exp().sum()
    perturbed = perturb(ScoreCam(network, x, layer("deep"), objective), batch_size=batch)
    torch.testing.assert_close(perturbed.weights, weights)
    torch.testing.assert_close(perturbed.values, (weights[:, None, None] * deep).sum(0))
    plain = perturb(ScoreCam(network, x, layer("deep"), objective, weighting="softmax"))
    torch.testing.assert_close(plain.weights, scores.softmax(0))


def test_score_cam_does_not_depend_on_the_size_of_the_score() -> None:
    """A softmax of sums selects one channel and a softmax of means is flat; the standardized one is neither."""

    def weights(factor: float, weighting: str) -> torch.Tensor:
        torch.manual_seed(0)
        network, x = frozen(Skipping()), image()
        network.head.weight *= factor
        probe = ScoreCam(network, x, layer("deep"), of_left_half(network(x)), weighting=weighting)  # type: ignore[arg-type]
        return perturb(probe).weights

    assert weights(1e5, "softmax").max() > 0.999
    assert weights(1e-3, "softmax").max() < 0.17, "each of the six has a sixth"
    torch.testing.assert_close(weights(1e5, "standardized"), weights(1e-3, "standardized"))
    assert 0.2 < weights(1, "standardized").max() < 0.9


def test_score_cam_is_empty_where_all_scores_are_equal() -> None:
    network, x = frozen(Skipping()), image()
    perturbed = perturb(ScoreCam(network, x, layer("deep"), everywhere(nowhere=True)))
    assert not perturbed.weights.any()
    assert not perturbed.values.any()


def test_masks_are_aligned_by_pixel_centers_and_span_zero_to_one() -> None:
    maps = torch.tensor([[[0.0, 4.0]], [[3.0, 3.0]]])
    masks = channel_masks(maps, (1, 4))
    torch.testing.assert_close(masks[0, 0], torch.tensor([[0.0, 0.25, 0.75, 1.0]]))
    assert not masks[1].any(), "a constant channel shows nothing"
    assert channel_masks(torch.rand(2, 8, 8), (4, 4)).shape == (2, 1, 4, 4)


# ── previews ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Wide(nn.Module):
    """A stage of many channels with smooth maps, followed by nonlinear layers."""

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.stem = Counted(1, channels, 5, stride=4, padding=2)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 1, 5, padding=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.stem(x)
        return self.body(x) + x.mean((2, 3), keepdim=True).square()


def wide_scene() -> tuple[Wide, torch.Tensor]:
    network = frozen(Wide())
    return network, F.interpolate(image(size=(8, 8)), (32, 32), mode="bicubic") + 0.5


def test_a_preview_runs_some_of_the_channels_and_is_close_to_the_full_map() -> None:
    network, x = wide_scene()
    objective = of_left_half(network(x))
    full = perturb(ScoreCam(network, x, layer("stem"), objective))
    probe = ScoreCam(network, x, layer("stem"), objective, preview=True)
    before = network.stem.runs
    progress: list[tuple[int, int]] = []
    preview = perturb(probe, batch_size=1, progress=lambda done, of: progress.append((done, of)))
    assert network.stem.runs - before == probe.runs == 32
    assert progress[-1] == (32, 32)
    assert correlation(preview.values, full.values) > 0.99
    assert correlation(preview.weights, full.weights) > 0.98


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.ravel(), other.ravel()]))[0, 1])


def test_a_preview_of_a_stage_of_few_channels_is_the_full_map() -> None:
    network, x = frozen(Skipping()), image()
    objective = of_left_half(network(x))
    full, preview = (perturb(ScoreCam(network, x, layer("deep"), objective, preview=on)) for on in (False, True))
    assert torch.equal(full.values, preview.values)


def test_a_preview_of_equal_scores_is_empty() -> None:
    network, x = wide_scene()
    probe = ScoreCam(network, x, layer("stem"), everywhere((32, 32), nowhere=True), preview=True)
    assert not perturb(probe).values.any()


def test_a_preview_of_scores_that_are_not_numbers_is_not_a_number() -> None:
    network, x = wide_scene()
    network.body[2].bias += torch.nan  # type: ignore[operator]
    probe = ScoreCam(network, x, layer("stem"), everywhere((32, 32)), preview=True)
    assert perturb(probe).values.isnan().all()


def test_a_spread_sample_has_one_of_each_kind_first() -> None:
    centers = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    masks = torch.cat([centers + 0.1 * number for number in range(5)])
    sample = spread_sample(masks, 4)
    assert {number % 4 for number in sample} == {0, 1, 2, 3}
    assert sorted(spread_sample(masks, 99)) == list(range(20)), "each once, and not more than exist"
    assert sorted(spread_sample(torch.ones(3, 2, 2), 3)) == [0, 1, 2]


def test_prediction_keeps_measured_scores_and_learns_a_smooth_score() -> None:
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    scores = (3 * points[:, 0]).sin() + points[:, 1].square()
    measured = torch.zeros(200, dtype=torch.bool)
    measured[spread_sample(points, 25)] = True
    perturbed = predict_scores(points, torch.where(measured, scores, 99.0), measured)
    assert torch.equal(perturbed[measured], scores[measured])
    assert (perturbed - scores).abs().max() < 0.1 * scores.std()


# ── all methods ───────────────────────────────────────────────────────────────────────────────────────────────────────


def probe_of(name: str) -> Probe:
    network, x = frozen(Skipping()), image()
    return PERTURBATIONS[name].probe(network, x, layer("deep"), of_left_half(network(x)))


BY_CHANNEL = [name for name, method in PERTURBATIONS.items() if method.stage is None]


@pytest.mark.parametrize("name", BY_CHANNEL)
def test_progress_is_reported_and_cancelling_works_between_batches(name: str) -> None:
    progress: list[tuple[int, int]] = []
    perturb(probe_of(name), batch_size=4, progress=lambda done, of: progress.append((done, of)))
    assert progress == [(4, 6), (6, 6)]
    progress.clear()
    with pytest.raises(Cancelled):
        perturb(
            probe_of(name),
            batch_size=2,
            progress=lambda done, of: progress.append((done, of)),
            cancelled=lambda: bool(progress),
        )
    assert progress == [(2, 6)]


@pytest.mark.parametrize("name", BY_CHANNEL)
def test_the_cost_is_one_run_per_channel(name: str) -> None:
    cost = estimate_perturbation(probe_of(name))
    assert cost.forwards == 6
    assert 0 < cost.seconds < 60


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_no_graph_is_built(name: str) -> None:
    perturbed = perturb(probe_of(name))
    assert not perturbed.values.requires_grad
    assert not perturbed.weights.requires_grad


def test_every_perturbation_method_is_listed() -> None:
    assert {"ablationcam", "scorecam"} <= set(PERTURBATIONS)
    assert all(method.title and method.paper and method.year for method in PERTURBATIONS.values())
    assert [name for name, method in PERTURBATIONS.items() if method.has_preview] == ["scorecam"]
