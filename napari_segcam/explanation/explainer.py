"""The explainer: the only place where a network runs on a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from napari_segcam.deprecated import renamed_arguments
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.ensemble.ensemble_engine import EnsembleEngine
from napari_segcam.explanation.ensemble.held_ensemble import EnsembleSettings
from napari_segcam.explanation.estimating import cost_without_explaining
from napari_segcam.explanation.explanation import Explanation, Heatmap, Heatmaps
from napari_segcam.explanation.heatmaps import heatmaps_of
from napari_segcam.explanation.held_frame import HeldFrame, release_held_frames
from napari_segcam.explanation.passes.memory import MEMORY_ERRORS, in_words
from napari_segcam.explanation.perturbation import Perturbation
from napari_segcam.explanation.prediction import (
    Prediction,
    ResolvedTargets,
    frames_per_pass,
    predict,
)
from napari_segcam.explanation.provenance import provenance_of
from napari_segcam.explanation.runner import Runner
from napari_segcam.explanation.slow_methods.control import Cancelled, ProgressControl
from napari_segcam.explanation.slow_methods.cost import Cost
from napari_segcam.explanation.stage_maps import find_method
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Crop
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage, stage_aliases
from napari_segcam.optional import needed
from napari_segcam.tuning.allocator import keep_freed_memory

Frame = NDArray[np.generic]


class Explainer:
    """Explains frames with one network, one method and one choice of stages.

    Examples:
        >>> explainer = sc.Explainer(network, method="gradcam", stages=["encoder_4"])
        >>> result = explainer(frame)
        >>> result.mask.shape, result.heatmaps["encoder_4"].values.shape
        ((256, 320), (16, 20))

    Args:
        network: from ``load_network`` or ``Network.from_module``.
        method: the name of one of ``METHODS``, ``PERTURBATIONS`` or ``ATTRIBUTIONS``, such as ``"gradcam"``,
            ``"scorecam"`` or ``"smoothgrad"``; or of an installed package's, such as ``"grad-cam:fem"``.
        stages: ``"all"``, ``"main"``, ``"encoder"``, ``"decoder"``, or names: of stages, aliases, or any layer's dotted
            name. An empty choice gives the mask alone, at the cost of a forward pass. The methods ``"occlusion"``,
            ``"integrated_gradients"`` and ``"smoothgrad"`` always have one map, of the stage ``"input"``.
        threshold: cuts the probability of a single class, and of each of several that overlap; by default the model
            card's.
        control: previews, reports progress of and cancels slow methods such as ``"scorecam"`` and ``"ablationcam"``.
        autocast: multiply in bfloat16, on an NVIDIA GPU: faster with large frames in batches, and less exact.

    Raises:
        SegcamError: if the method, a stage or a layer is unknown, the method needs a package that is not installed, the
            threshold is not between 0 and 1, or autocast is slower on the device; for a frame, if it changes the mask.
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
        if self.method.contrasts and network.classes < 2:
            raise SegcamError(
                f"{self.method.title} explains one class against another, but this network has only one. Against the "
                "background it would be Grad-CAM: choose gradcam."
            )
        self.control = control or ProgressControl()
        self.threshold = network.card.threshold if threshold is None else threshold
        if not 0 < self.threshold < 1:
            raise SegcamError(f"The threshold must be between 0 and 1, but it is {self.threshold:g}.")
        self.stages, self.autocast = self._select(stages), autocast
        self._ensemble = self._engine(network) if isinstance(network, Ensemble) else None
        if self._ensemble is None:
            self._runner = Runner(network, self.method, self.stages, self.control, autocast=autocast)
            self.stages, self._memory_fallback = self._runner.stages, self._runner.memory_fallback

    def _engine(self, ensemble: Ensemble) -> EnsembleEngine:
        """Return the engine of an ensemble, with an explainer like this one for each member."""
        names = [stage.name for stage in self.stages]
        explainers = [
            Explainer(member, self.method.name, names, self.threshold, self.control, autocast=self.autocast)
            for member in ensemble.members
        ]
        cancelled = self.control.cancelled
        settings = EnsembleSettings(
            ensemble, self.stages, self.method.name, self.method.contrasts, self.threshold, cancelled
        )
        return EnsembleEngine(settings, explainers)

    def _select(self, stages: str | Iterable[str]) -> tuple[Stage, ...]:
        """Return the chosen stages; for a method with a fixed stage, that stage unless the choice is empty."""
        if not isinstance(stages, str):
            stages = tuple(stages)
        if self.method.stage is not None:
            return (self.method.stage,) if stages else ()
        if stages and self.network.no_hooks_reason:
            raise SegcamError(self.network.no_hooks_reason)
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
            target: by default the predicted mask of the first class that is not the background; for a network that
                classifies the whole frame, its likeliest class.
            value_range: the frame's values for black and white, as in ``Cine.value_range``.
            crop: rows and columns that the network sees, as in ``ScanRegion.crop``; by default all. Results cover the
                whole frame; outside the crop there is background and no heat.
            pixel_aspect: height of a pixel divided by its width, as in ``Cine.pixel_aspect``: the network sees the
                frame in its true shape, unless its model card stretches every frame to one size. Results are on the
                frame's own pixels.

        Raises:
            SegcamError: if the frame does not fit the network, or the target or the crop does not fit the frame.
            Cancelled: if ``control`` cancels it.
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

        Each of the ``targets`` gives one explanation, in their order; the other arguments are those for a single frame.

        Raises:
            SegcamError: as for a single target.
        """
        return self._explain([frame], [targets], value_range, crop, pixel_aspect)[0]

    def hold(
        self,
        frame: Frame,
        value_range: tuple[float, float] | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> HeldFrame:
        """Hold one frame, for targets that become known one after the other: they share the forward pass.

        The pass stays in memory until the held frame is released. The arguments are those for a single frame.
        """
        geometry = (value_range, crop, pixel_aspect)
        if self._ensemble is not None:
            return self._ensemble.hold(frame, *geometry)
        return HeldFrame(
            lambda: predict(self.network, self._runner, self.threshold, [frame], *geometry),
            lambda prediction, target: self._explain_targets(prediction, [target], retain_graph=True)[0],
            lambda target: self(frame, target, *geometry),
            self.network.lock,
            self._memory_fallback,
            self.control,
        )

    def each(
        self,
        frames: Iterable[Frame],
        target: Target | Callable[[int], Target] | None = None,
        value_range: tuple[float, float] | None = None,
        batch: int | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> Iterator[Explanation]:
        """Explain frames of one shape in batches, in order; each result is the same as for the frame alone.

        Args:
            frames: read as they are needed.
            target: the same for all frames, or a function of the frame's number in the sequence.
            value_range: as for a single frame.
            batch: frames per pass; by default the number that is fastest on the device. A network whose frames would
                change each other's results always gets one at a time.
            crop: as for a single frame, the same for all.
            pixel_aspect: as for a single frame, the same for all.

        Raises:
            SegcamError: as for a single frame.
        """
        target_of = target if callable(target) else lambda _number: target or Target()
        numbered = iter(enumerate(frames))
        batch = 1 if self.network.one_frame_at_a_time else batch
        while chunk := list(islice(numbered, self._that_fits(batch or 1))):
            if batch is None:
                batch = frames_per_pass(self.network, chunk[0][1], self._memory_fallback.device, crop, pixel_aspect)
                chunk += islice(numbered, self._that_fits(batch) - 1)
            targets = [[target_of(number)] for number, _ in chunk]
            chunk_frames = [frame for _, frame in chunk]
            for (explanation,) in self._explain(chunk_frames, targets, value_range, crop, pixel_aspect):
                yield explanation

    def estimate(
        self,
        frame: Frame,
        value_range: tuple[float, float] | None = None,
        crop: Crop | None = None,
        pixel_aspect: float = 1.0,
    ) -> Cost:
        """Estimate what one target of a frame costs, from a few runs of the network.

        This is worth knowing before a slow method starts, which may run the network hundreds of times. For the other
        methods it computes one explanation and times it; where the frame runs in tiles, it runs one of them and
        returns a ``TiledCost``. The arguments are those for a single frame.

        Raises:
            SegcamError: if the frame does not fit the network.
        """
        if self._ensemble is not None:
            return self._ensemble.estimate(frame, value_range, crop, pixel_aspect)
        geometry = (value_range, crop, pixel_aspect)
        with self.network.lock, self._memory_fallback.context():
            cost = cost_without_explaining(self.network, self._runner, self.method, self.threshold, frame, *geometry)
        if cost is None:
            start = time.perf_counter()
            self(frame, Target(region="image"), *geometry)
            cost = Cost(1, time.perf_counter() - start)
        return cost

    def _explain(
        self,
        frames: Sequence[Frame],
        targets: Sequence[Sequence[Target]],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> list[list[Explanation]]:
        """Explain frames of one shape in the largest batches that fit the device: ``[frame][target]``."""
        if (ensemble := self._ensemble) is not None:
            geometry = (value_range, crop, pixel_aspect)
            return [ensemble.compare(frame, chosen, *geometry) for frame, chosen in zip(frames, targets, strict=True)]
        try:
            return self._explain_batch(frames, targets, value_range, crop, pixel_aspect)
        except MEMORY_ERRORS as error:
            refusal = in_words(error, self._memory_fallback.device, len(frames))
        # Outside the handler, whose traceback would keep the tensors that did not fit alive.
        size = len(frames)
        if not release_held_frames():  # that may be enough
            if size > 1:
                size = self._memory_fallback.halve(size)
            else:
                with self.network.lock:
                    can_retry = self._memory_fallback.fall_back()
                if not can_retry:
                    raise refusal
        explained: list[list[Explanation]] = []
        while len(explained) < len(frames):
            part = slice(len(explained), len(explained) + self._that_fits(size))
            explained += self._explain(frames[part], targets[part], value_range, crop, pixel_aspect)
        return explained

    def _that_fits(self, batch: int) -> int:
        """Return how many of so many frames to run at once, by what did not fit the device so far."""
        return batch if self._ensemble is not None else min(batch, self._memory_fallback.largest_batch or batch)

    def _explain_batch(
        self,
        frames: Sequence[Frame],
        targets: Sequence[Sequence[Target]],
        value_range: tuple[float, float] | None,
        crop: Crop | None,
        pixel_aspect: float,
    ) -> list[list[Explanation]]:
        """Explain frames with one forward pass for all, and one backward pass for each target."""
        with self.network.lock, self._memory_fallback.context():
            target_sets = list(zip(*targets, strict=True))  # one target of each frame
            prediction = predict(self.network, self._runner, self.threshold, frames, value_range, crop, pixel_aspect)
            if self.control.cancelled is not None and self.control.cancelled():
                raise Cancelled
            by_target = [
                self._explain_targets(prediction, target_set, retain_graph=number < len(target_sets))
                for number, target_set in enumerate(target_sets, start=1)
            ]
        return [list(explanations) for explanations in zip(*by_target, strict=True)]

    def _explain_targets(
        self, prediction: Prediction, targets: Sequence[Target], *, retain_graph: bool
    ) -> list[Explanation]:
        """Explain one target of each frame."""
        resolved = prediction.resolve(targets, contrasts=self.method.contrasts)
        heatmaps = self._heatmaps(prediction, resolved, retain_graph=retain_graph)
        return [
            Explanation(
                segmentation=prediction.segmentations[number],
                probabilities=prediction.frame_probabilities[number],
                mask=prediction.masks[number],
                region=resolved.frame_regions[number],
                heatmaps=Heatmaps(heatmaps[number], stage_aliases(self.network.stages)),
                method=self.method.name,
                target=target,
                class_names=self.network.class_names,
                threshold=self.threshold,
                provenance=provenance_of(
                    self._runner, prediction, target=target, preview=self._is_preview, heatmaps=heatmaps[number]
                ),
            )
            for number, target in enumerate(resolved.targets)
        ]

    def _heatmaps(
        self, prediction: Prediction, resolved: ResolvedTargets, *, retain_graph: bool
    ) -> list[dict[str, Heatmap]]:
        """Return the heatmaps of each frame by stage name, for one target a frame."""
        forward_pass, targets = prediction.forward_pass, resolved.targets
        regions = resolved.input_regions.to(forward_pass.logits.device)
        objectives = [
            Objective.of(target, region, classes_overlap=self.network.classes_overlap)
            for target, region in zip(targets, regions, strict=True)
        ]
        maps = self._runner.maps(prediction.x, forward_pass, objectives, retain_graph=retain_graph)
        return heatmaps_of(self.method, self.stages, maps, prediction, resolved)

    @property
    def _is_preview(self) -> bool:
        return self.control.preview and isinstance(self.method, Perturbation) and self.method.has_preview
