"""Try a network: run it on images and compare what reaches its batch norms with the statistics stored in them.

A batch norm stores the mean and variance of each channel that reached it in training. A network that is put together
otherwise gets other ones, already at the first layer that differs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from napari_segcam.network.families.structure.choices import Choices
from napari_segcam.network.families.structure.module import StructureNetwork
from napari_segcam.network.families.structure.trial_images import TrialSetup, trial_images
from napari_segcam.network.families.structure.wiring import Wiring

_FLOOR = 3e-4  # smaller disagreements are rounding
_LARGEST = 4.0  # of one channel, in squared standard deviations
_WORK = 5e9  # multiplications of one trial; larger networks see fewer and smaller images
_MEMORY = 2**27  # values of the maps of one level


@dataclass(frozen=True)
class Trial:
    """What one network gave.

    Attributes:
        runs: whether it ran and its output is a map of the image's size.
        disagreement: geometric mean over the batch norms of the squared distance to the stored statistics, in their
            standard deviations; NaN without statistics.
    """

    runs: bool
    disagreement: float = math.nan


def build_module(wiring: Wiring, choices: Choices, weights: Mapping[str, torch.Tensor]) -> StructureNetwork:
    """Return the network with its weights, in eval mode and frozen."""
    with torch.device("meta"):
        module = StructureNetwork(wiring, choices)
    values = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    for name in module.state_dict():
        if name.endswith("num_batches_tracked"):  # older files have none
            values.setdefault(name, torch.tensor(0))
    module.load_state_dict(values, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def trial_setup(wiring: Wiring) -> TrialSetup:
    """Return how many images of which size the network can be tried with, in seconds and with little memory."""
    least = 2**wiring.levels
    sizes = ((3, 128), (2, 128)) if wiring.levels > 4 else ()
    for count, side in (*sizes, (3, 96), (3, 64), (2, 64)):
        side = max(side, least) // least * least
        if _work(wiring, side) * count <= _WORK and _largest_map(wiring, side) * count <= _MEMORY:
            return TrialSetup(count, side)
    return TrialSetup(2, max(32, least))


def _work(wiring: Wiring, side: int) -> float:
    return sum(pixels * _weights_of(wiring, part) for part, pixels, _ in _runs(wiring, side))


def _largest_map(wiring: Wiring, side: int) -> int:
    return max(pixels * channels for _, pixels, channels in _runs(wiring, side))


def _runs(wiring: Wiring, side: int) -> list[tuple[int, int, int]]:
    """Return the parts that are run, with the pixels and the channels of their maps."""
    level, runs = 0, []
    for step in wiring.steps:
        level += {"pool": 1, "up": -1, "up_part": -1, "up_transposed": -1}.get(step.kind, 0)
        if step.part is not None:
            channels = max((max(form.inputs, form.outputs) for form in wiring.parts[step.part].forms), default=1)
            runs.append((step.part, max(1, side >> level) ** 2, channels))
    return runs


def _weights_of(wiring: Wiring, index: int) -> int:
    part = wiring.parts[index]
    units = (*part.units, part.shortcut) if part.shortcut else part.units
    return sum(math.prod(unit.layer.shape) for unit in units)


@torch.no_grad()
def run_trial(module: StructureNetwork, setup: TrialSetup, stored: Mapping[str, torch.Tensor]) -> Trial:
    """Run a network on trial images.

    Args:
        module: its batch norms normalize by the images themselves; its own statistics are in place again afterwards.
        setup: which images.
        stored: the statistics to compare with, by name; none if there are none.
    """
    images = trial_images(module.wiring.in_channels, setup)
    norms = [
        (name, norm)
        for name, norm in module.named_modules()
        if isinstance(norm, nn.BatchNorm2d) and f"{name}.running_mean" in stored
    ]
    own = [(norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum) for _, norm in norms]
    distances = []
    try:
        for _, norm in norms:
            norm.train()
            norm.momentum = 1.0
            norm.running_mean = torch.zeros(norm.num_features)
            norm.running_var = torch.ones(norm.num_features)
            norm.num_batches_tracked = torch.tensor(0)
        output = module(images)
        for name, norm in norms:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            expected = stored[f"{name}.running_mean"], stored[f"{name}.running_var"]
            distances.append(_distance((norm.running_mean, norm.running_var), expected))
    except (RuntimeError, ValueError):
        return Trial(runs=False)
    finally:
        for (_, norm), values in zip(norms, own, strict=True):
            norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum = values
            norm.eval()
    main = next(iter(output.values())) if isinstance(output, dict) else output
    if main.shape[-2:] != images.shape[-2:] or not bool(torch.isfinite(main).all()):
        return Trial(runs=False)
    disagreement = math.nan
    if distances:
        disagreement = math.exp(sum(math.log(value + _FLOOR) for value in distances) / len(distances)) - _FLOOR
    return Trial(True, disagreement)


def _distance(seen: tuple[torch.Tensor, torch.Tensor], stored: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Return the mean over channels of the squared difference of means and of logarithms of standard deviations."""
    (mean, variance), (stored_mean, stored_variance) = seen, stored
    least = 1e-3 * float(stored_variance.median()) + 1e-12
    variance, stored_variance = variance.clamp_min(least), stored_variance.clamp_min(least)
    shift = (mean - stored_mean).square() / ((variance + stored_variance) / 2)
    spread = (variance / stored_variance).log().mul(0.5).square()
    return float((shift.clamp_max(_LARGEST) + spread.clamp_max(_LARGEST)).mean()) / 2
