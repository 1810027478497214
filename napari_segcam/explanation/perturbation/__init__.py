"""Perturbation methods: channels weighted by what the score does when the network runs without, or only through, each.

They need no gradient, but one run of the network, or of a part of it, per channel of the stage. A new method is a new
file in this folder. How they are used::

    probe = PERTURBATIONS["scorecam"].probe(module, x, stage, objective)
    estimate(probe)                                 # what it will cost
    perturb(probe, progress=..., cancelled=...)     # the map, or Cancelled
"""

from __future__ import annotations

from napari_segcam.explanation.perturbation.probe import BATCH, Perturbation, PerturbedMap, Probe, estimate, perturb
from napari_segcam.explanation.registry import collect
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.slow_methods.cost import Cost

__all__ = [
    "BATCH",
    "PERTURBATIONS",
    "Cancelled",
    "Cost",
    "Perturbation",
    "PerturbedMap",
    "Probe",
    "estimate",
    "perturb",
]

PERTURBATIONS: dict[str, Perturbation] = collect(__name__, __path__, Perturbation)
