"""The explainer: the only place where a network runs on a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.deprecated import renamed_arguments
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import why_empty
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps, Segmentation
from napari_segcam.explanation.passes.batch_size import best_batch_size
from napari_segcam.explanation.passes.forward_pass import Forward
from napari_segcam.explanation.passes.memory import TooLittleMemory
from napari_segcam.explanation.perturbation import Perturbation
from napari_segcam.explanation.provenance import provenance_of
from napari_segcam.explanation.registry import SlowMethod
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.explanation.targets.classes import class_mask, label_mask, probabilities_of
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.explanation.targets.target import Target
from napari_segcam.explanation.targets.target_resolution import region_on_input, resolve_target
from napari_segcam.imaging.geometry import Crop, Geometry
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage, aliases
from napari_segcam.optional import needed
from napari_segcam.tuning.allocator import keep_freed_memory

Frame = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Frames of one shape after their forward pass."""

    x: torch.Tensor
    geometry: Geometry
    run: Forward
    probabilities: torch.Tensor
    segmentations: list[Segmentation]
    on_frame: list[NDArray[np.float32]]
    masks: list[NDArray[np.uint8]]


class Explainer:
    """Explains frames with one network, one method and one choice of stages.

    Example:
        >>> explainer = Explainer(load_network("best_model.pth"), method="gradcam", stages=["encoder_last"])
        >>> result = explainer(frame)
        >>> result.mask, result.heatmaps["encoder_last"].values

    Args:
        network: from ``load_network`` or ``Network.from_module``.
        method: the name of one of ``METHODS``, ``PERTURBATIONS`` or ``ATTRIBUTIONS``, as ``"gradcam"``,
            ``"scorecam"`` or ``"smoothgrad"``.
        stages: ``"all"``, ``"main"``, ``"encoder"``, ``"decoder"``, or names: of stages, aliases, or any layer's dotted
            name. An empty choice gives the mask alone, at the cost of a forward pass. The methods
            ``"occlusion"``, ``"integrated_gradients"`` and ``"smoothgrad"`` have one map, of the stage ``"input"``,
            whatever is chosen.
        threshold: cuts the probability of a single class, and of each of several that overlap; by default the model
            card's.
        patience: how slow methods, as ``"scorecam"`` and ``"ablationcam"``, are watched, previewed and cancelled.
        autocast: multiply in bfloat16, on an NVIDIA GPU: faster, and maps that differ in the third digit.

    Raises:
        SegcamError: if the method, a stage or a layer is unknown, the method needs a package that is not installed, the
            threshold is not between 0 and 1, or autocast is wanted on a device that is slower with it.
    """

    @renamed_arguments(patience="control")
    def __init__(
        self,
        network: Network,
        method: str = "gradcam",
        stages: str | Iterable[str] = "all",
        threshold: float | None = None,
        control: ProgressControl | None = None,
        *,
        autocast: bool = False,
    ) -> None:
        keep_freed_memory()
        self.network = network
        self.method = find_method(method)
        if self.method.package:
            needed(self.method.package, f"{self.method.title} is computed by {self.method.package}")
        self.control = control or ProgressControl()
        self._runner = Runner(network, self.method, self._chosen(stages), self.control, autocast=autocast)
        self.stages = self._runner.stages
        self._memory_fallback = self._runner.memory_fallback
        self.threshold = network.card.threshold if threshold is None else threshold
        if not 0 < self.threshold < 1:
            raise SegcamError(f"The threshold must lie between 0 and 1, but it is {self.threshold:g}.")

    def _chosen(self, stages: str | Iterable[str]) -> tuple[Stage, ...]:
        """The stages that are meant; of a method that knows only one, this one unless none is wanted."""
        if not isinstance(stages, str):
            stages = tuple(stages)
        if self.method.stage is not None:
            return (self.method.stage,) if stages else ()
        if stages and self.network.why_closed:
            raise SegcamError(self.network.why_closed)
        return self.network.select(stages)

    def __call__(
        self,
        frame: Frame,
        target: Target | None = None,
        value_range: tuple[float, float] | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> Explanation:
        """Explain one frame: one forward pass and, where stages are selected, one backward pass.

        Args:
            frame: ``(Y, X)`` or ``(Y, X, 3)``, any real dtype.
            target: by default the predicted mask of the first class that is not the background; of a network that
                classifies the whole frame, its likeliest class.
            value_range: the frame's values that mean black and white, as ``Cine.value_range`` knows them.
            crop: rows and columns that the network sees, as ``ScanRegion.crop`` knows them; by default all. What comes
                back lies on the whole frame, and outside of the crop nothing is found: background and no heat.
            pixel_aspect: height of a pixel by its width, as ``Cine.pixel_aspect`` knows it: the network sees the frame
                in its true shape, unless its model card stretches every frame to one size. What comes back is on the
                frame's own pixels.

        Raises:
            SegcamError: if the frame does not go with the network, or the target or the crop not with the frame.
            Cancelled: once ``control`` says so.
        """
        return self.compare(frame, [target or Target()], value_range, crop, pixel_aspect)[0]

    def compare(
        self,
        frame: Frame,
        targets: Sequence[Target],
        value_range: tuple[float, float] | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> list[Explanation]:
        """Explain several targets of one frame: they share the forward pass, and each costs one backward pass.

        Raises:
            SegcamError: as for a single target.
        """
        return self._explain([frame], [targets], value_range, crop, pixel_aspect)[0]

    def each(
        self,
        frames: Iterable[Frame],
        target: Target | Callable[[int], Target] | None = None,
        value_range: tuple[float, float] | None = None,
        batch: int | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> Iterator[Explanation]:
        """Explain frames of one shape in batches, in order; every one as if it had been alone.

        Args:
            frames: read as they are needed.
            target: the same for all frames, or a function of the frame's place in the sequence.
            value_range: as for a single frame.
            batch: frames per pass; by default as many as pay on the device. A network whose frames would change each
                other's results gets one at a time, whatever is wanted.
            crop: as for a single frame, the same for all.
            pixel_aspect: as for a single frame, the same for all.

        Raises:
            SegcamError: as for a single frame.
        """
        target_of = target if callable(target) else lambda _number: target or Target()
        waiting = iter(enumerate(frames))
        batch = 1 if self.network.alone else batch
        while chunk := list(islice(waiting, batch or 1)):
            if batch is None:
                batch = best_batch_size(chunk[0][1].shape[:2], self._memory_fallback.device)
                chunk += islice(waiting, batch - 1)
            batch = min(batch, self._memory_fallback.largest_batch or batch)
            targets = [[target_of(number)] for number, _ in chunk]
            of_chunk = [frame for _, frame in chunk]
            for (explanation,) in self._explain(of_chunk, targets, value_range, crop, pixel_aspect):
                yield explanation

    def estimate(
        self,
        frame: Frame,
        value_range: tuple[float, float] | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> Cost:
        """What one target of a frame would cost; it takes a few runs of the network to tell.

        For a slow method, which may run the network hundreds of times, this is worth knowing before it starts.
        Of the other methods one explanation is made and timed.

        Raises:
            SegcamError: if the frame does not go with the network.
        """
        if not isinstance(self.method, SlowMethod):
            start = time.perf_counter()
            self(frame, Target(region="image"), value_range, crop, pixel_aspect)
            return Cost(1, time.perf_counter() - start)
        with self.network.lock, self._memory_fallback.context():
            batch = self._begin([frame], value_range, crop, pixel_aspect)
            return Cost(1, 0.0) + self._runner.cost(batch.x, batch.run)

    def _explain(
        self,
        frames: Sequence[Frame],
        targets: Sequence[Sequence[Target]],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> list[list[Explanation]]:
        """Explain frames of one shape in as large batches as fit the device: ``[frame][target]``."""
        try:
            return self._explain_batch(frames, targets, value_range, crop, pixel_aspect)
        except TooLittleMemory:
            if len(frames) == 1:
                with self.network.lock:
                    relieved = self._memory_fallback.fall_back()
                if not relieved:
                    raise
        # Outside of the handler, whose traceback would keep alive the tensors that did not fit.
        size = self._memory_fallback.halve(len(frames)) if len(frames) > 1 else 1
        parts = [slice(at, at + size) for at in range(0, len(frames), size)]
        return [
            done
            for part in parts
            for done in self._explain(frames[part], targets[part], value_range, crop, pixel_aspect)
        ]

    def _explain_batch(
        self,
        frames: Sequence[Frame],
        targets: Sequence[Sequence[Target]],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> list[list[Explanation]]:
        """One forward pass for all frames, and one backward pass for each target."""
        with self.network.lock, self._memory_fallback.context():
            columns = list(zip(*targets, strict=True))
            batch = self._begin(frames, value_range, crop, pixel_aspect)
            if self.control.cancelled is not None and self.control.cancelled():
                raise Cancelled
            explained = [
                self._explain_column(batch, column, keep=number < len(columns))
                for number, column in enumerate(columns, start=1)
            ]
        return [list(of_frame) for of_frame in zip(*explained, strict=True)]

    def _begin(
        self,
        frames: Sequence[Frame],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> _Batch:
        card, stride = self.network.card, self.network.stride
        inputs, geometries = zip(
            *(prepare(frame, card, stride, value_range, crop, pixel_aspect) for frame in frames),
            strict=True,
        )
        if any(geometry != geometries[0] for geometry in geometries):
            raise SegcamError("The frames of one sequence must have one shape, but these have several.")
        x = self._runner.on_device(inputs)
        run = self._runner.forward(x)
        overlap = self.network.classes_overlap
        probabilities = probabilities_of(run.logits.float(), overlap=overlap)
        segmentations = [Segmentation(of_frame, geometries[0], overlap) for of_frame in probabilities.cpu().numpy()]
        on_frame = [segmentation.on_frame() for segmentation in segmentations]
        masks = [
            label_mask(of_frame, self.threshold, overlap=overlap)
            if segmentation.is_map
            else segmentation.mask(self.threshold)
            for of_frame, segmentation in zip(on_frame, segmentations, strict=True)
        ]
        return _Batch(x, geometries[0], run, probabilities, segmentations, on_frame, masks)

    def _explain_column(self, batch: _Batch, column: Sequence[Target], *, keep: bool) -> list[Explanation]:
        """One target of each frame."""
        network, geometry = self.network, batch.geometry
        targets = [
            resolve_target(target, network, found) for target, found in zip(column, batch.probabilities, strict=True)
        ]
        drawn = [
            geometry.seen(target.pixels(self._found(target, of_frame, mask)))
            for target, of_frame, mask in zip(targets, batch.on_frame, batch.masks, strict=True)
        ]
        regions = torch.stack(
            [
                region_on_input(target, pixels, network, probabilities, self.threshold, geometry)
                for target, pixels, probabilities in zip(targets, drawn, batch.probabilities, strict=True)
            ]
        )
        heatmaps = self._heatmaps(batch, targets, regions, keep=keep)
        return [
            Explanation(
                segmentation=batch.segmentations[i],
                probabilities=batch.on_frame[i],
                mask=batch.masks[i],
                region=drawn[i],
                heatmaps=Heatmaps(heatmaps[i], aliases(self.network.stages)),
                method=self.method.name,
                target=target,
                class_names=self.network.class_names,
                threshold=self.threshold,
                provenance=self._provenance(target, batch.geometry, heatmaps[i]),
            )
            for i, target in enumerate(targets)
        ]

    def _found(self, target: Target, probabilities: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where the class of a settled target is on the frame's grid ``(Y, X)``; nowhere in a frame without a mask."""
        if not self.network.segments:
            return np.zeros(mask.shape, np.bool_)
        overlap, index = self.network.classes_overlap, target.class_index or 0
        return class_mask(probabilities, index, self.threshold, overlap=overlap, labels=mask)

    def _heatmaps(
        self, batch: _Batch, targets: Sequence[Target], regions: torch.Tensor, *, keep: bool
    ) -> list[dict[str, Heatmap]]:
        """One target of each frame: the heatmaps by stage name, for each frame."""
        x, run = batch.x, batch.run
        objectives = [
            Objective(target.class_index or 0, region, target.score, self.network.classes_overlap)
            for target, region in zip(targets, regions.to(run.logits.device), strict=True)
        ]
        maps = self._runner.maps(x, run, objectives, keep=keep)
        heatmaps: list[dict[str, Heatmap]] = [{} for _ in targets]
        for stage in self.stages:
            found = maps.get(stage.name)
            all_values = None if found is None else found.values.float().cpu().numpy()
            for i, target in enumerate(targets):
                values = None if all_values is None else all_values[i]
                region = regions[i] if self.method.knows_target else None
                reason = why_empty(target, values, found is not None and found.reacts[i], run.logits[i], region)
                if values is None or reason is not None:
                    values = np.zeros((1, 1) if values is None else values.shape, np.float32)
                error = found.completeness_errors[i] if found is not None and found.completeness_errors else None
                heatmaps[i][stage.name] = Heatmap(
                    stage=stage,
                    values=values,
                    geometry=batch.geometry,
                    reason=reason,
                    signed=self.method.signed,
                    has_outliers=self.method.has_outliers,
                    completeness_error=error,
                )
        return heatmaps

    def _provenance(self, target: Target, geometry: Geometry, heatmaps: Mapping[str, Heatmap]) -> dict[str, Any]:
        return provenance_of(
            self.network,
            self._memory_fallback,
            method=self.method.name,
            preview=self.control.preview and isinstance(self.method, Perturbation) and self.method.has_preview,
            autocast=self._runner.autocast,
            stages=self.stages,
            target=target,
            threshold=self.threshold,
            geometry=geometry,
            heatmaps=heatmaps,
        )
