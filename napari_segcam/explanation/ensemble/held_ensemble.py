"""A held ensemble: one frame in all members of an ensemble, of which each further target costs a backward pass each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.explanation.disagreement import disagreement_of
from napari_segcam.explanation.ensemble.averages import have_one_grid, mean_heatmap, mean_segmentation
from napari_segcam.explanation.explanation import Explanation, Heatmaps, Segmentation
from napari_segcam.explanation.held_frame import HeldFrame
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.explanation.targets.classes import class_mask, label_mask
from napari_segcam.explanation.targets.frozen_region import FrozenRegion, is_mask
from napari_segcam.explanation.targets.region import Mask
from napari_segcam.explanation.targets.target import Target
from napari_segcam.explanation.targets.target_resolution import region_on_input, resolve_references, resolve_target
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.stages.stage import Stage, stage_aliases


@dataclass(frozen=True)
class EnsembleSettings:
    """How an ensemble is explained.

    Attributes:
        ensemble: the ensemble.
        stages: those explained, by their names in the ensemble.
        method: name of the method.
        contrasts: whether the method compares classes.
        threshold: cuts the probability of a single class, and of each of several that overlap.
        cancelled: asked between two members; None if nothing cancels.
    """

    ensemble: Ensemble
    stages: tuple[Stage, ...]
    method: str
    contrasts: bool
    threshold: float
    cancelled: Callable[[], bool] | None = None


class HeldEnsemble(HeldFrame):
    """One frame in all members of an ensemble, from ``Explainer.hold``.

    The mask is that of the mean probability. Every member explains its own score for the region of that mask, and the
    heatmap of a stage is the mean of theirs, each weighted by the member's mean probability of the class in the region:
    a member that does not see the finding has little to say about why it is there.

    Args:
        settings: how the ensemble is explained.
        frames: the frame in each member.
        keep: whether the forward passes of all members fit in memory together. If not, each member runs once for the
            mask and again for its heatmaps, one after the other.
    """

    def __init__(self, settings: EnsembleSettings, frames: Sequence[HeldFrame], keep: Callable[[int], bool]) -> None:
        self._settings, self._frames, self._keep = settings, tuple(frames), keep
        self._segmentations: tuple[Segmentation, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether the forward pass of a member is in memory."""
        return any(frame.is_held for frame in self._frames)

    def segment(self) -> Segmentation:
        """Return the mean probabilities of the frame.

        Raises:
            SegcamError: if the frame does not fit a member.
            Cancelled: if the explainer's control cancels it.
        """
        return mean_segmentation(self._members(), self._settings.ensemble.weights)

    def explain(self, target: Target | None = None) -> Explanation:
        """Explain a target of the frame; the target is as for the explainer.

        Raises:
            SegcamError: if the frame does not fit a member, or the target does not fit the frame.
            Cancelled: if the explainer's control cancels it.
        """
        settings, members = self._settings, self._members()
        segmentation = mean_segmentation(members, settings.ensemble.weights)
        overlap, is_map = segmentation.classes_overlap, segmentation.is_map
        probabilities = segmentation.on_frame()
        threshold = settings.threshold
        mask = label_mask(probabilities, threshold, overlap=overlap) if is_map else segmentation.mask(threshold)
        resolved, region, on_input = self._resolve(target or Target(), segmentation, probabilities, mask)
        explanations = tuple(
            self._explain_member(number, resolved, region, on_input if have_one_grid([segmentation, own]) else None)
            for number, own in enumerate(members)
        )
        index = resolved.class_index or 0
        own_probabilities = [explanation.probabilities[index] for explanation in explanations]
        heat_weights = [
            weight * (float(own[region].mean(dtype=np.float64)) if is_map and region.any() else float(own.mean()))
            for weight, own in zip(settings.ensemble.weights, own_probabilities, strict=True)
        ]
        names = settings.ensemble.member_names
        heatmaps = {
            stage.name: mean_heatmap(
                stage, [explanation.heatmaps[stage.name] for explanation in explanations], heat_weights, names
            )
            for stage in settings.stages
        }
        disagreement = disagreement_of(
            own_probabilities,
            [explanation.target_mask for explanation in explanations],
            settings.ensemble.weights,
            segments=is_map,
        )
        return Explanation(
            segmentation=segmentation,
            probabilities=probabilities,
            mask=mask,
            region=region,
            heatmaps=Heatmaps(heatmaps, stage_aliases(settings.ensemble.stages)),
            method=settings.method,
            target=resolved,
            class_names=settings.ensemble.class_names,
            threshold=threshold,
            provenance=self._provenance(explanations, resolved, segmentation, heat_weights),
            members=explanations,
            disagreement=disagreement,
        )

    def release(self) -> None:
        """Free the memory of all forward passes; may be called in any thread."""
        for frame in self._frames:
            frame.release()

    def _members(self) -> tuple[Segmentation, ...]:
        """Return what each member gives for the frame; the members run only once for that."""
        if not self._segmentations:
            segmentations = []
            for number, frame in enumerate(self._frames):
                self._check_cancelled()
                segmentations.append(frame.segment())
                if not self._keep(number):
                    frame.release()
            self._segmentations = tuple(segmentations)
        return self._segmentations

    def _resolve(
        self,
        target: Target,
        segmentation: Segmentation,
        probabilities: NDArray[np.float32],
        labels: NDArray[np.uint8],
    ) -> tuple[Target, Mask, Mask]:
        """Return the target with its class, and M on the frame's grid and on that of the mean probabilities."""
        ensemble, threshold = self._settings.ensemble, self._settings.threshold
        geometry, mean = segmentation.geometry, torch.from_numpy(segmentation.probabilities)
        resolved = resolve_target(target, ensemble, mean)
        found = np.zeros(labels.shape, np.bool_)
        if ensemble.segments:
            overlap, index = ensemble.classes_overlap, resolved.class_index or 0
            found = class_mask(probabilities, index, threshold, overlap=overlap, labels=labels)
        region = geometry.within_window(resolved.pixels(found))
        on_input = region_on_input(resolved, region, ensemble, mean, threshold, geometry)
        if self._settings.contrasts:
            resolved = resolve_references(resolved, ensemble, mean, on_input)
        else:
            resolved = replace(resolved, against=None)
        return resolved, region, on_input.numpy()

    def _explain_member(self, number: int, target: Target, region: Mask, on_input: Mask | None) -> Explanation:
        """Explain the score of one member for the region of the ensemble."""
        self._check_cancelled()
        if self._settings.ensemble.segments:
            asked = target.as_dict()["region"]
            name = f"{asked} of the ensemble" if is_mask(target.region) else asked
            frozen = FrozenRegion(region, name, is_mask=is_mask(target.region), on_input=on_input)
            target = replace(target, region=frozen)
        frame = self._frames[number]
        explanation = frame.explain(target)
        if not self._keep(number):
            frame.release()
        return explanation

    def _check_cancelled(self) -> None:
        if self._settings.cancelled is not None and self._settings.cancelled():
            raise Cancelled

    def _provenance(
        self,
        explanations: Sequence[Explanation],
        target: Target,
        segmentation: Segmentation,
        heat_weights: Sequence[float],
    ) -> dict[str, Any]:
        """Return what the explanation was computed from: as for one network, and of each member in ``members``."""
        ensemble, own = self._settings.ensemble, [explanation.provenance for explanation in explanations]
        of_member = ("checkpoint", "sha256", "architecture", "encoder", "model_card", "output", "input_shape")
        how = ("device", "precision", "rewrites", "rewrites_largest_difference", "memory")
        total = sum(heat_weights)
        return {
            **own[0],
            "checkpoint": ensemble.name,
            "sha256": ensemble.sha256,
            "architecture": ensemble.architecture,
            "encoder": ensemble.encoder,
            "model_card": ensemble.card.model_dump(mode="json"),
            "stages": [stage.name for stage in self._settings.stages],
            "target": target.as_dict(ensemble.class_names),
            "input_shape": list(segmentation.geometry.input_shape),
            "memory": list(dict.fromkeys(measure for one in own for measure in one["memory"])),
            "members": [
                {
                    "name": name,
                    "weight": weight,
                    "heat_weight": heat_weight / total if total else 1 / len(own),
                    **{key: provenance[key] for key in (*of_member, *how) if key in provenance},
                }
                for name, weight, heat_weight, provenance in zip(
                    ensemble.member_names, ensemble.weights, heat_weights, own, strict=True
                )
            ],
        }
