"""What all perturbation methods share: channel after channel is probed, in batches, until a weight stands for each."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_segcam.explanation.registry import SlowMethod, register
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.cost import Cost, wait_for
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.network.stages.stage import Stage

# Perturbations per run of the network.
BATCH = 4


@dataclass(frozen=True, eq=False)
class PerturbedMap:
    """What a perturbation method gave.

    Attributes:
        values: the map ``(h, w)`` before the final ReLU.
        weights: ``(K,)``, one per perturbation.
    """

    values: torch.Tensor
    weights: torch.Tensor


class Probe(ABC):
    """One stage of one input, ready to be probed.

    While it is used the module must run nowhere else, as for every other pass.

    Attributes:
        activations: the stage's map A ``(K, h, w)``.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stage: whose channels are perturbed.
        objective: the score, with its region frozen from the original prediction.
    """

    activations: torch.Tensor

    def __init__(self, module: nn.Module, x: torch.Tensor, stage: Stage, objective: Objective) -> None:
        self.module = module
        self.x = x
        self.stage = stage
        self.objective = objective

    @property
    def count(self) -> int:
        """How many perturbations there are: one per channel, K."""
        return len(self.activations)

    @property
    def runs(self) -> int:
        """How many of them are run."""
        return self.count

    def to_run(self, scores: torch.Tensor, known: torch.Tensor) -> list[int]:
        """Which perturbations to run next, given the scores ``(K,)`` where they are known ``(K,)``; none at the end."""
        del scores
        return (~known).nonzero()[:, 0].tolist()

    @abstractmethod
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        """The score under each of these perturbations, in one batch, as the objective gives it."""

    @abstractmethod
    def weights(self, scores: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """What the scores ``(K,)`` on the CPU, where known ``(K,)``, say: a weight for each perturbation ``(K,)``."""

    def heat(self, weights: torch.Tensor) -> torch.Tensor:
        """The map ``(h, w)`` that the weights make: Σ_k w_k A_k."""
        return torch.einsum("khw,k->hw", self.activations, weights.to(self.activations))


@dataclass(frozen=True, kw_only=True)
class Perturbation(SlowMethod):
    """A method that runs the network, or a part of it, once per channel of a stage.

    Attributes:
        probe: called as ``Probe``; where there is a preview, also with ``preview=True``.
        has_preview: whether it can be previewed in a part of the time.
    """

    probe: Callable[..., Probe]
    has_preview: bool = False


def perturbation(
    name: str, title: str, *, paper: str, year: int, stage: Stage | None = None, has_preview: bool = False
) -> Callable[[type[Probe]], type[Probe]]:
    """Make a probe known as a perturbation method; its arguments are the fields of ``Perturbation``."""

    def registered(probe: type[Probe]) -> type[Probe]:
        register(
            Perturbation(
                name=name, title=title, paper=paper, year=year, stage=stage, probe=probe, has_preview=has_preview
            )
        )
        return probe

    return registered


@torch.no_grad()
def estimate(probe: Probe) -> Cost:
    """What ``perturb`` would cost, judged by one run; in batches a run costs no more than that."""
    wait_for(probe.x.device)
    start = time.perf_counter()
    probe.scores([0])
    wait_for(probe.x.device)
    return Cost(probe.runs, probe.runs * (time.perf_counter() - start))


@torch.no_grad()
def perturb(
    probe: Probe,
    *,
    batch: int = BATCH,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PerturbedMap:
    """Run every perturbation that the probe asks for, and make a map of the weights that follow.

    Args:
        probe: from ``Perturbation.probe``.
        batch: perturbations per run of the network.
        progress: told after each batch how many runs are done, and of how many.
        cancelled: asked before each batch.

    Raises:
        Cancelled: once ``cancelled`` says so.
    """
    scores = torch.zeros(probe.count, dtype=torch.float64)
    known = torch.zeros_like(scores, dtype=torch.bool)
    while waiting := probe.to_run(scores, known):
        for start in range(0, len(waiting), batch):
            if cancelled is not None and cancelled():
                raise Cancelled
            chunk = waiting[start : start + batch]
            scores[chunk] = probe.scores(chunk).cpu()
            known[chunk] = True
            if progress is not None:
                progress(int(known.sum()), probe.runs)
    weights = probe.weights(scores, known)
    return PerturbedMap(probe.heat(weights), weights)
