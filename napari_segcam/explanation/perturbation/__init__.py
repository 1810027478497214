"""Perturbation methods: each channel is weighted by how the score changes when the network runs without it, or only
through it.

They need no gradient, but one run of the network, or of a part of it, per channel of the stage. A new method is a new
file in this folder. Usage::

    probe = PERTURBATIONS["scorecam"].probe(module, x, stage, objective)
    estimate_perturbation(probe)                    # the cost
    perturb(probe, progress=..., cancelled=...)     # the map, or Cancelled
"""

from __future__ import annotations

from napari_segcam.explanation.perturbation.probe import (
    BATCH_SIZE,
    Perturbation,
    PerturbedMap,
    Probe,
    estimate_perturbation,
    perturb,
)
from napari_segcam.explanation.registry import collect

__all__ = [
    "BATCH_SIZE",
    "PERTURBATIONS",
    "Perturbation",
    "PerturbedMap",
    "Probe",
    "estimate_perturbation",
    "perturb",
]

PERTURBATIONS: dict[str, Perturbation] = collect(__name__, __path__, Perturbation)
