"""Perturbation methods: channels weighted by what the score does when the network runs without, or only through, each.

They need no gradient, but one run of the network, or of a part of it, per channel of the stage. A new method is a new
file in this folder. How they are used::

    probe = PERTURBATIONS["scorecam"].probe(module, x, stage, region)
    estimate(probe)                                 # what it will cost
    perturb(probe, progress=..., cancelled=...)     # the map, or Cancelled
"""

from __future__ import annotations

import importlib
import pkgutil

from napari_segcam.explanation.perturbation.probe import (
    Cancelled,
    Cost,
    Perturbation,
    PerturbedMap,
    Probe,
    estimate,
    perturb,
    registered,
)

__all__ = [
    "PERTURBATIONS",
    "Cancelled",
    "Cost",
    "Perturbation",
    "PerturbedMap",
    "Probe",
    "estimate",
    "perturb",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

PERTURBATIONS: dict[str, Perturbation] = {
    method.name: method for method in sorted(registered, key=lambda method: (method.year, method.name))
}
