"""Base of all perturbation methods: run the network for each channel, in batches, to get a weight for each."""

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
BATCH_SIZE = 4


@dataclass(frozen=True, eq=False)
class PerturbedMap:
    """Map of a perturbation method.

    Attributes:
        values: the map ``(h, w)`` before the final ReLU.
        weights: ``(K,)``, one per perturbation.
    """

    values: torch.Tensor
    weights: torch.Tensor


class Probe(ABC):
    """One stage of one input, ready to be perturbed.

    Nothing else may run the module meanwhile, as for every other pass.

    Attributes:
        activations: the stage's map A ``(K, h, w)``.

    Args:
        module: frozen and in eval mode.
        x: the input ``(1, C, H, W)``.
        stage: the stage whose channels are perturbed.
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
        """Number of perturbations: one per channel, K."""
        return len(self.activations)

    @property
    def runs(self) -> int:
        """Number of perturbations that are run."""
        return self.count

    def next_runs(self, scores: torch.Tensor, measured: torch.Tensor) -> list[int]:
        """Return the perturbations to run next, or none at the end.

        Args:
            scores: so far, ``(K,)``.
            measured: which of them were measured, ``(K,)`` bool.
        """
        del scores
        return (~measured).nonzero()[:, 0].tolist()

    @abstractmethod
    def scores(self, perturbations: Sequence[int]) -> torch.Tensor:
        """Return the objective's score for each of these perturbations, from one batch."""

    @abstractmethod
    def weights(self, scores: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        """Return a weight for each perturbation ``(K,)``, from scores ``(K,)`` on the CPU where measured ``(K,)``."""

    def weighted_map(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the map ``(h, w)``, Σ_k w_k A_k."""
        return torch.einsum("khw,k->hw", self.activations, weights.to(self.activations))


@dataclass(frozen=True, kw_only=True)
class Perturbation(SlowMethod):
    """Method that runs the network, or a part of it, once per channel of a stage.

    Attributes:
        probe: takes the arguments of ``Probe``; where there is a preview, also ``preview=True``.
        has_preview: whether a part of the runs gives a preview.
    """

    probe: Callable[..., Probe]
    has_preview: bool = False


def perturbation(
    name: str, title: str, *, paper: str, year: int, stage: Stage | None = None, has_preview: bool = False
) -> Callable[[type[Probe]], type[Probe]]:
    """Register a probe as a perturbation method; the arguments are the fields of ``Perturbation``."""

    def decorator(probe: type[Probe]) -> type[Probe]:
        register(
            Perturbation(
                name=name, title=title, paper=paper, year=year, stage=stage, probe=probe, has_preview=has_preview
            )
        )
        return probe

    return decorator


@torch.no_grad()
def estimate_perturbation(probe: Probe) -> Cost:
    """Estimate the cost of ``perturb`` from one run; in batches a run costs no more than that."""
    wait_for(probe.x.device)
    start = time.perf_counter()
    probe.scores([0])
    wait_for(probe.x.device)
    return Cost(probe.runs, probe.runs * (time.perf_counter() - start))


@torch.no_grad()
def perturb(
    probe: Probe,
    *,
    batch_size: int = BATCH_SIZE,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> PerturbedMap:
    """Run the perturbations of a probe, and return the map of the resulting weights.

    Args:
        probe: from ``Perturbation.probe``.
        batch_size: perturbations per run of the network.
        progress: called after each batch with the number of runs done and their total.
        cancelled: called before each batch; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
    """
    scores = torch.zeros(probe.count, dtype=torch.float64)
    measured = torch.zeros_like(scores, dtype=torch.bool)
    while perturbations := probe.next_runs(scores, measured):
        for start in range(0, len(perturbations), batch_size):
            if cancelled is not None and cancelled():
                raise Cancelled
            batch = perturbations[start : start + batch_size]
            scores[batch] = probe.scores(batch).cpu()
            measured[batch] = True
            if progress is not None:
                progress(int(measured.sum()), probe.runs)
    weights = probe.weights(scores, measured)
    return PerturbedMap(probe.weighted_map(weights), weights)
