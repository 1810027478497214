"""What all perturbation methods share: channel after channel is probed, in batches, until a weight stands for each."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages import Stage


class Cancelled(Exception):  # noqa: N818 - it is no error
    """The user stopped a computation that was under way."""


@dataclass(frozen=True)
class Cost:
    """What probing every channel takes.

    Attributes:
        forwards: runs of the network, or of the part of it that the method runs.
        seconds: all of them together, judged by one of them.
    """

    forwards: int
    seconds: float


@dataclass(frozen=True, eq=False)
class PerturbedMap:
    """What a perturbation method gave.

    Attributes:
        values: Σ_k w_k A_k ``(h, w)`` before the final ReLU.
        weights: ``(K,)``, one per channel of the stage.
        preview: whether the scores were taken at half the resolution.
    """

    values: torch.Tensor
    weights: torch.Tensor
    preview: bool


class Probe(ABC):
    """One stage of one input, ready to be probed.

    While it is used the module must run nowhere else, as for every other pass.

    Attributes:
        activations: the stage's map A ``(K, h, w)``.
        preview: whether scores are taken at half the resolution.
    """

    activations: torch.Tensor
    preview: bool = False

    @abstractmethod
    def scores(self, channels: range) -> torch.Tensor:
        """The score with each of these channels perturbed, in one batch; as many as there are channels."""

    @abstractmethod
    def weights(self, scores: torch.Tensor) -> torch.Tensor:
        """What the scores ``(K,)`` say of the channels: their weights ``(K,)``."""


@dataclass(frozen=True)
class Perturbation:
    """A perturbation method under the name the field gives it.

    Attributes:
        name: how users ask for it, ``"scorecam"``.
        title: how people write it, ``"Score-CAM"``.
        paper: authors and where it appeared.
        year: when.
        probe: called with the module, ``x`` ``(1, C, H, W)``, the stage, and M as ``Pass.region`` has it.
    """

    name: str
    title: str
    paper: str
    year: int
    probe: Callable[..., Probe]


registered: list[Perturbation] = []


def perturbation(name: str, title: str, *, paper: str, year: int) -> Callable[[type[Probe]], type[Probe]]:
    """Make a probe known as a perturbation method; its arguments are the fields of ``Perturbation``."""

    def register(probe: type[Probe]) -> type[Probe]:
        registered.append(Perturbation(name, title, paper, year, probe))
        return probe

    return register


@torch.no_grad()
def estimate(probe: Probe) -> Cost:
    """What ``perturb`` would cost, judged by probing one channel; batches cost no more than that per channel."""
    channels = len(probe.activations)
    _wait_for(probe.activations.device)
    start = time.perf_counter()
    probe.scores(range(1))
    _wait_for(probe.activations.device)
    return Cost(channels, channels * (time.perf_counter() - start))


@torch.no_grad()
def perturb(
    probe: Probe,
    *,
    batch: int = 8,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PerturbedMap:
    """Probe every channel of the stage and add the channels up with the weights that follow.

    Args:
        probe: from ``Perturbation.probe``.
        batch: channels per run of the network.
        progress: told after each batch how many channels are done, and of how many.
        cancelled: asked before each batch.

    Raises:
        Cancelled: once ``cancelled`` says so.
    """
    channels = len(probe.activations)
    scores = []
    for start in range(0, channels, batch):
        if cancelled is not None and cancelled():
            raise Cancelled
        chunk = range(start, min(start + batch, channels))
        scores.append(probe.scores(chunk))
        if progress is not None:
            progress(chunk.stop, channels)
    weights = probe.weights(torch.cat(scores))
    return PerturbedMap(torch.einsum("khw,k->hw", probe.activations, weights), weights, probe.preview)


def region_score(logits: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """y = Σ logits · M of each image ``(B,)``, for logits ``(B, C, H, W)`` and M ``(1, C, H, W)``."""
    return (logits * region).sum((1, 2, 3))


def feature_map(stage: Stage, output: object) -> torch.Tensor:
    """The one image's map ``(K, h, w)`` in what a stage gave.

    Raises:
        SegcamError: if there is none.
    """
    if not isinstance(output, torch.Tensor) or output.ndim != 4:
        given = tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
        raise SegcamError(f"The layer {stage.layer} gives no feature map, but {given}. Choose another stage.")
    return output[0]


def never_runs(stage: Stage) -> SegcamError:
    """The fault of a stage whose layer is there but takes no part."""
    return SegcamError(f"The layer {stage.layer} does not run in this network. Choose another stage.")


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
