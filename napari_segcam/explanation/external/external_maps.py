"""Maps of external methods: one stage of one frame, with everything that can go wrong in another package."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch
from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.explanation.external.external_method import SEED, ExternalMethod, version_of
from napari_segcam.explanation.external.marked_network import MarkedNetwork
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.cost import Cost, wait_for
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage

_LARGEST_MATRIX = 600_000_000  # bytes, of all pixels by all pixels; decomposing it takes about a minute


@dataclass(frozen=True, eq=False)
class ExternalMap:
    """Map of an external method.

    Attributes:
        values: the map ``(h, w)``; zeros where there is none.
        score_depends: whether the score depends on the stage.
        failure: why the package gave no map, in words; empty if it did.
        seconds: that the package took.
    """

    values: torch.Tensor
    score_depends: bool = True
    failure: str = ""
    seconds: float = 0.0


def external_map(
    method: ExternalMethod,
    module: nn.Module,
    x: torch.Tensor,
    stage: Stage,
    objective: Objective,
    *,
    one_by_one: bool = False,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExternalMap:
    """Compute the map of a stage.

    An error in the package is returned as a reason, so that other stages go on.

    Args:
        method: from ``find_external``.
        module: frozen and in eval mode; nothing else may run it meanwhile.
        x: the input ``(1, C, H, W)``.
        stage: of the module.
        objective: the explained score.
        one_by_one: whether a pass may have only one image.
        progress: called after each pass with the number of images run and their total.
        cancelled: called before each pass; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if the stage never runs, gives no feature map, or the method does not suit the network.
    """
    done = 0

    def count_run(images: int) -> None:
        nonlocal done
        done += images
        if progress is not None:
            progress(min(done, total), total)

    network = MarkedNetwork(module, x, stage, one_by_one=one_by_one, on_run=count_run, cancelled=cancelled)
    total = method.runs(network.channels)
    empty = x.new_zeros(network.shape[-2:])
    pixels = network.shape[-2] * network.shape[-1]

    def without_map(*, failure: str = "", score_depends: bool = True) -> ExternalMap:
        if progress is not None:
            progress(total, total)
        return ExternalMap(empty, score_depends, failure)

    if method.compares_pixels and 8 * pixels**2 > _LARGEST_MATRIX:
        return without_map(
            failure=f"{method.title} compares every pixel with every other, which for the {network.shape[-2]}×"
            f"{network.shape[-1]} pixels of this stage takes {8 * pixels**2 / 1e9:.2g} GB",
        )
    try:
        import_module(method.module)  # takes seconds the first time, which are not the method's
        start = time.perf_counter()
        with network.marked(), _seeded(x.device), torch.enable_grad():
            values = method.compute(method.class_name, network, x, objective).to(x.device)
    except (SegcamError, Cancelled, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the package's code, on anybody's network
        if method.knows_target and not _depends(network, x, objective):
            return without_map(score_depends=False)
        failure = f"{method.distribution} {version_of(method.distribution)} gives no map here ({error_text(error)})"
        return without_map(failure=failure)
    wait_for(x.device)
    if progress is not None:
        progress(total, total)
    depends = network.has_gradient or method.runs_per_channel or not method.knows_target
    return ExternalMap(values.to(empty.dtype), depends, seconds=time.perf_counter() - start)


def estimate_external(
    method: ExternalMethod, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective
) -> Cost:
    """Estimate the cost of ``external_map`` from one forward and backward pass of the network."""
    network = MarkedNetwork(module, x, stage)
    wait_for(x.device)
    start = time.perf_counter()
    with torch.set_grad_enabled(not method.runs_per_channel):
        score = objective(network(x.clone().requires_grad_(not method.runs_per_channel))).sum()
        if score.requires_grad:
            score.backward()
    wait_for(x.device)
    runs = method.runs(network.channels)
    passes = runs + 1 + 2 * method.second_order  # one prepares the stage
    return Cost(runs, passes * (time.perf_counter() - start))


def _depends(network: MarkedNetwork, x: torch.Tensor, objective: Objective) -> bool:
    """Return whether the score depends on the marked stage."""
    network.has_gradient = False
    with network.marked(), torch.enable_grad():
        score = objective(network(x.clone().requires_grad_())).sum()
        if score.requires_grad:
            score.backward()
    return network.has_gradient


@contextmanager
def _seeded(device: torch.device) -> Iterator[None]:
    """Fix the random numbers of NumPy and torch, and restore their generators afterwards."""
    state = np.random.get_state()  # noqa: NPY002 - packages use the old generator
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            np.random.seed(SEED)  # noqa: NPY002
            torch.manual_seed(SEED)
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
