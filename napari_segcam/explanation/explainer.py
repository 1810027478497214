"""The explainer: the only place where a network runs on a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.engine import Pass, run
from napari_segcam.explanation.explanation import (
    Explanation,
    Heatmap,
    Heatmaps,
    Reason,
    label_mask,
    label_of,
    probabilities_of,
)
from napari_segcam.explanation.methods import find_method
from napari_segcam.explanation.target import Target
from napari_segcam.imaging.preprocessing import Geometry, prepare
from napari_segcam.network.network import Network
from napari_segcam.network.stages import Stage, aliases


class Explainer:
    """Explains frames with one network, one method and one choice of stages.

    Example:
        >>> explainer = Explainer(load_network("best_model.pth"), method="gradcam", stages=["encoder_last"])
        >>> result = explainer(frame)
        >>> result.mask, result.heatmaps["encoder_last"].values

    Args:
        network: from ``load_network`` or ``Network.from_module``.
        method: ``"gradcam"``, ``"gradcam++"``, ``"layercam"`` or ``"hirescam"``.
        stages: ``"all"``, ``"main"``, ``"encoder"``, ``"decoder"``, or names: of stages, aliases, or any layer's dotted
            name. An empty choice gives the mask alone, at the cost of a forward pass.
        threshold: cuts the probability of a single class; by default the model card's.

    Raises:
        SegcamError: if the method, a stage or a layer is unknown, or the threshold is not between 0 and 1.
    """

    def __init__(
        self,
        network: Network,
        method: str = "gradcam",
        stages: str | Iterable[str] = "all",
        threshold: float | None = None,
    ) -> None:
        self.network = network
        self.method = find_method(method)
        self.stages = network.select(stages)
        self.threshold = network.card.threshold if threshold is None else threshold
        if not 0 < self.threshold < 1:
            raise SegcamError(f"The threshold must lie between 0 and 1, but it is {self.threshold:g}.")

    def __call__(
        self,
        frame: NDArray[np.generic],
        target: Target | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> Explanation:
        """Explain one frame: one forward pass and, where stages are selected, one backward pass.

        Args:
            frame: ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
            target: by default the predicted mask of the first class that is not the background.
            value_range: the frame's values that mean black and white, as ``Cine.value_range`` knows them.

        Raises:
            SegcamError: if the frame does not go with the network, or the target not with the frame.
        """
        target = target or Target()
        target = Target(self.network.class_index(target.class_index), target.region)
        x, geometry = prepare(frame, self.network.card, self.network.stride, value_range)
        drawn = target.drawn_region(geometry.frame_shape)
        x = x.to(self.network.device, self.network.dtype, memory_format=torch.channels_last)

        def region_of(logits: torch.Tensor) -> torch.Tensor:
            region = torch.zeros_like(logits)
            region[:, target.class_index] = self._region(target, drawn, geometry, logits).to(logits)
            return region

        given = self._run(x, region_of)
        heatmaps = {stage.name: self._heatmap(stage, target, geometry, given) for stage in self.stages}
        probabilities = geometry.to_frame(probabilities_of(given.logits[0].float())).cpu().numpy()
        mask = label_mask(probabilities, self.threshold)
        return Explanation(
            probabilities=probabilities,
            mask=mask,
            region=self._region_on_frame(target, drawn, mask),
            heatmaps=Heatmaps(heatmaps, aliases(self.network.stages)),
            method=self.method.name,
            target=target,
            class_names=self.network.class_names,
            threshold=self.threshold,
            provenance=self._provenance(target, geometry),
        )

    def _run(self, x: torch.Tensor, region_of: Callable[[torch.Tensor], torch.Tensor]) -> Pass:
        try:
            with self.network.lock:
                return run(self.network.module, x, self.stages, region_of)
        except torch.OutOfMemoryError as error:
            raise SegcamError(
                f"{self.network.device} has too little memory for a frame of {x.shape[-2]}×{x.shape[-1]} pixels with "
                f"{len(self.stages)} stages. Choose fewer stages, a smaller image size, or the CPU."
            ) from error
        except (RuntimeError, ValueError, AssertionError) as error:
            side = self.network.seen.side
            raise SegcamError(
                f"The network does not run on an input of {x.shape[-2]}×{x.shape[-1]} pixels "
                f"({' '.join(str(error).split())}). It does at {side}×{side}: set that image size."
            ) from error

    def _region(
        self, target: Target, drawn: NDArray[np.bool_] | None, geometry: Geometry, logits: torch.Tensor
    ) -> torch.Tensor:
        """M on the grid of the logits ``(H, W)``, never reaching into the padding."""
        content = torch.from_numpy(geometry.content if drawn is None else geometry.to_input(drawn))
        if drawn is not None or target.region == "image":
            return content
        labels = label_mask(probabilities_of(logits[0].float()).cpu().numpy(), self.threshold)
        return torch.from_numpy(labels == label_of(target.class_index or 0, self.network.classes)) & content

    def _region_on_frame(
        self, target: Target, drawn: NDArray[np.bool_] | None, mask: NDArray[np.uint8]
    ) -> NDArray[np.bool_]:
        if drawn is not None:
            return drawn
        if target.region == "image":
            return np.ones(mask.shape, dtype=bool)
        return mask == label_of(target.class_index or 0, self.network.classes)

    def _heatmap(self, stage: Stage, target: Target, geometry: Geometry, given: Pass) -> Heatmap:
        activations, gradients = given.activations.get(stage.name), given.gradients.get(stage.name)
        if activations is None or gradients is None:
            return Heatmap(stage, np.zeros((1, 1), np.float32), geometry, Reason.NOT_CONNECTED)
        if activations.ndim != 4:
            raise SegcamError(f"The layer {stage.layer} gives no feature map, but {tuple(activations.shape)}.")
        if given.region is None or not given.region.any():
            return Heatmap(stage, np.zeros(activations.shape[-2:], np.float32), geometry, _no_region(target, given))
        values = self.method.compute(activations, gradients)[0].relu().float().cpu().numpy()
        reason = None
        if not np.isfinite(values).all():
            values, reason = np.zeros_like(values), Reason.NOT_FINITE
        elif not values.any():
            reason = Reason.NOTHING_POSITIVE if gradients.any() else Reason.NOT_CONNECTED
        return Heatmap(stage, values, geometry, reason)

    def _provenance(self, target: Target, geometry: Geometry) -> dict[str, Any]:
        network = self.network
        return {
            "checkpoint": network.name,
            "sha256": network.sha256,
            "architecture": network.architecture,
            "encoder": network.encoder,
            "model_card": network.card.model_dump(mode="json"),
            "method": self.method.name,
            "stages": [stage.name for stage in self.stages],
            "target": target.described(),
            "threshold": self.threshold,
            "frame_shape": list(geometry.frame_shape),
            "input_shape": list(geometry.input_shape),
            "device": str(network.device),
            "versions": _versions(),
        }


def _no_region(target: Target, given: Pass) -> Reason:
    if not isinstance(target.region, str):
        return Reason.NOTHING_DRAWN
    # Where the logits are NaN, no pixel is above a threshold: that is no finding of the network.
    return Reason.EMPTY_REGION if given.logits.isfinite().all() else Reason.NOT_FINITE


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("napari-segcam", "torch", "segmentation-models-pytorch")}
