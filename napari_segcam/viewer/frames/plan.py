"""The plan by which the worker computes frames."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.run_request import RunRequest

if TYPE_CHECKING:  # torch comes with it: it is imported where the work is done
    from napari_segcam.network.network import Network

PaintedRegion = Callable[[int], NDArray[np.bool_] | None]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is computed, and with what; results are kept and compared by its two keys.

    Attributes:
        network: that runs.
        source: the frames.
        request: what is computed for each of them.
        threshold: of the mask whose pixels are the region.
        painted_region: returns the pixels that the user has painted as a frame's region; None where there are none.
    """

    network: Network
    source: LayerSource
    request: RunRequest
    threshold: float
    painted_region: PaintedRegion

    def __post_init__(self) -> None:
        """Name each stage by its own name, by which results are kept: a request may have an alias.

        Raises:
            SegcamError: if the network has no such stage.
        """
        if self.request.stages:
            from napari_segcam.network.stages.stage import INPUT

            own = (name if name == INPUT.name else self.network.stage(name).name for name in self.request.stages)
            object.__setattr__(self, "request", replace(self.request, stages=tuple(dict.fromkeys(own))))

    @cached_property
    def class_index(self) -> int:
        """The output channel of the explained class.

        Raises:
            SegcamError: if the network has no such class.
        """
        return self.network.class_index(self.request.class_index)

    @cached_property
    def label(self) -> int:
        """The label of the explained class in its mask: 1 where each class has a mask to itself.

        Raises:
            SegcamError: if the network has no such class.
        """
        from napari_segcam.explanation.targets.classes import label_of

        return 1 if self.network.classes_overlap else label_of(self.class_index, self.network.classes, overlap=False)

    @property
    def mask_index(self) -> int:
        """Index of the mask that holds the explained class: its own if classes overlap, else the only one."""
        return self.class_index if self.network.classes_overlap and self.network.segments else 0

    @property
    def mask_names(self) -> tuple[str, ...]:
        """One name for each mask: of its class if classes overlap, and empty for the one mask of all classes."""
        if not (self.network.classes_overlap and self.network.segments):
            return ("",)
        names = self.network.class_names
        return tuple(
            name if name and names.count(name) == 1 else f"{name} {index}".lstrip() for index, name in enumerate(names)
        )

    @property
    def mask_key(self) -> Hashable:
        """What the probabilities depend on besides the frame."""
        return (self.network, self.source)

    @property
    def heat_key(self) -> Hashable:
        """What the heatmaps depend on besides the frame and its painted region."""
        request = self.request
        method = (request.method, request.preview, request.against)
        return (self.mask_key, method, request.class_index, request.region, self.threshold, request.member)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages to explain; empty for the mask alone."""
        return self.request.stages or ()

    @property
    def is_slow(self) -> bool:
        """Whether a frame takes many runs of the network."""
        from napari_segcam.explanation.registry import SlowMethod
        from napari_segcam.explanation.stage_maps import find_method

        return bool(self.stages) and isinstance(find_method(self.request.method), SlowMethod)
