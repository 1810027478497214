"""The engine of an ensemble: an explainer for each member, and the memory that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_segcam.budget import HELD_BYTES
from napari_segcam.explanation.ensemble.held_ensemble import EnsembleSettings, HeldEnsemble
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.held_frame import HeldFrame
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Crop, lay_out
from napari_segcam.network.network import Network
from napari_segcam.preferences.memory import within_budget

Frame = NDArray[np.generic]


class MemberExplainer(Protocol):
    """What the engine asks of the explainer of one member, which is an ``Explainer``."""

    network: Network

    def hold(
        self, frame: Frame, value_range: tuple[float, float] | None, crop: Crop | None, pixel_aspect: float
    ) -> HeldFrame: ...

    def estimate(
        self, frame: Frame, value_range: tuple[float, float] | None, crop: Crop | None, pixel_aspect: float
    ) -> Cost: ...


class EnsembleEngine:
    """Explains frames with all members of an ensemble.

    Args:
        settings: how the ensemble is explained.
        explainers: of the members, in their order.

    The forward passes of all members may take ``HELD_BYTES`` of memory together. Those that do not fit run twice.
    """

    def __init__(self, settings: EnsembleSettings, explainers: Sequence[MemberExplainer]) -> None:
        self.settings, self.explainers = settings, tuple(explainers)

    def hold(
        self, frame: Frame, value_range: tuple[float, float] | None, crop: Crop | None, pixel_aspect: float
    ) -> HeldEnsemble:
        """Hold one frame, as ``Explainer.hold``."""
        frames = [explainer.hold(frame, value_range, crop, pixel_aspect) for explainer in self.explainers]
        return HeldEnsemble(
            self.settings, frames, partial(self._keeps, (frame.shape[0], frame.shape[1]), crop, pixel_aspect)
        )

    def compare(
        self,
        frame: Frame,
        targets: Sequence[Target],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> list[Explanation]:
        """Explain several targets of one frame, as ``Explainer.compare``."""
        held = self.hold(frame, value_range, crop, pixel_aspect)
        try:
            return [held.explain(target) for target in targets]
        finally:
            held.release()

    def estimate(
        self, frame: Frame, value_range: tuple[float, float] | None, crop: Crop | None, pixel_aspect: float
    ) -> Cost:
        """Estimate what one target of a frame costs, as ``Explainer.estimate``."""
        costs = [explainer.estimate(frame, value_range, crop, pixel_aspect) for explainer in self.explainers]
        return sum(costs, Cost(0, 0.0))

    def _keeps(self, frame_shape: tuple[int, int], crop: Crop | None, pixel_aspect: float, number: int) -> bool:
        """Return whether the forward pass of a member stays in memory: as long as those before it leave room."""
        members = [explainer.network for explainer in self.explainers[: number + 1]]
        sizes = (
            pass_bytes(member, lay_out(frame_shape, member.card.size, member.stride, crop, pixel_aspect).input_shape)
            for member in members
        )
        return sum(sizes) <= within_budget(HELD_BYTES)


def pass_bytes(network: Network, input_shape: tuple[int, int]) -> int:
    """Return about how much memory the forward pass of one frame keeps for a backward pass: the outputs of all layers.

    Args:
        network: that runs.
        input_shape: height and width of its input, pixels.
    """
    sizes = {output.identity: math.prod(output.shape) for output in network.trace.outputs.values()}
    area = math.prod(input_shape) / math.prod(network.trace.size)
    return round(sum(sizes.values()) * area * network.dtype.itemsize)
