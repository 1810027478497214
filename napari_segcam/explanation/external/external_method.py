"""External methods: CAM methods of other packages, as methods of this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from napari_segcam.explanation.external.marked_network import MarkedNetwork
from napari_segcam.explanation.registry import SlowMethod
from napari_segcam.explanation.targets.objective import Objective

MapFunction = Callable[[str, MarkedNetwork, torch.Tensor, Objective], torch.Tensor]

SEED = 0
"""Of everything random in a package's method, which would otherwise give other maps each time."""


@dataclass(frozen=True, kw_only=True)
class ExternalMethod(SlowMethod):
    """Method of another package, which computes the map of one stage at a time, on the plain network.

    Attributes:
        distribution: the package's name for pip.
        module: its name in Python.
        class_name: of the package's class.
        compute: takes the name of the class, the network, its input ``(1, C, H, W)`` and the objective; returns the
            map ``(h, w)``, before the final ReLU where the package gives it.
        runs_per_channel: whether it runs the network for each channel of the stage.
        samples: how often it repeats that.
        second_order: whether it needs the gradients of gradients, which take about two more passes.
        compares_pixels: whether it builds a matrix of all pixels of a stage by all pixels.
        own_name: this package's name of the same method; empty if it has none.
    """

    distribution: str
    module: str
    class_name: str
    compute: MapFunction
    runs_per_channel: bool = False
    samples: int = 1
    second_order: bool = False
    compares_pixels: bool = False
    own_name: str = ""

    def runs(self, channels: int) -> int:
        """Return how many images it runs for a stage."""
        return self.samples * (channels if self.runs_per_channel else 1)

    def as_dict(self) -> dict[str, str | int]:
        """Return what computed the maps, in plain values, for provenance."""
        return {
            "package": self.distribution,
            "version": version_of(self.distribution),
            "class": self.class_name,
            "seed": SEED,
        }


def version_of(distribution: str) -> str:
    """Return the version of an installed package; empty if it is not known."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
