"""A frame whose evidence is measured: its stored results, as the measures of the library take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.frame_computer import target_of
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.region_digest import region_digest
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.evidence.measuring import Measure
    from napari_segcam.evidence.stage_evidence import StageEvidence
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.explanation import Explanation, Heatmap, Segmentation
    from napari_segcam.imaging.geometry import Crop
    from napari_segcam.network.network import Network

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class MeasuredFrame:
    """The results of a frame under one plan. It is made in the UI thread and measured in the worker.

    Attributes:
        plan: by which they were computed.
        frame: its number.
        segmentation: from which the mask follows.
        heatmaps: by stage name.
        region: that the heatmaps explain; None for the whole frame.
        painted_region: ``(Y, X)`` bool, what the user has painted as the region; None where there is nothing.
    """

    plan: Plan
    frame: int
    segmentation: Segmentation
    heatmaps: Mapping[str, Heatmap]
    region: SparseMask | None
    painted_region: NDArray[np.bool_] | None

    @classmethod
    def of(cls, review: Review, frame: int) -> MeasuredFrame | None:
        """Return a frame of a review; None if it has no heatmaps, or its region was painted in since."""
        plan, stored = review.results.shown, review.results.segmentation(frame)
        explained, heatmaps = review.results.stored_heatmaps(frame), review.results.heatmaps(frame)
        if plan is None or stored is None or explained is None or not heatmaps:
            return None
        painted_region = plan.painted_region(frame)
        if region_digest(painted_region) != explained.region_digest:
            return None
        return cls(plan, frame, stored.segmentation, heatmaps, explained.region, painted_region)

    @property
    def has_heat(self) -> bool:
        """Whether any heatmap has heat: without, there is nothing to measure."""
        return any(heatmap.reason is None for heatmap in self.heatmaps.values())

    def network_stages(self) -> tuple[str, ...]:
        """Return the names of the main stages and of those that are explained, in the network's order."""
        network = self.plan.network
        explained = [heatmap.stage for heatmap in self.heatmaps.values() if heatmap.stage.layer]  # the input has none
        names = {stage.name for stage in (*network.select("main"), *explained)}
        in_order = [stage.name for stage in network.stages if stage.name in names]
        return (*in_order, *(stage.name for stage in explained if stage.name not in in_order))

    def influences(
        self, stages: Sequence[str], cancelled: Callable[[], bool], progress: Progress
    ) -> dict[str, StageEvidence]:
        """Measure the influence of stages, of those without a heatmap too: it does not depend on the method.

        Raises:
            Cancelled: if ``cancelled`` returns True.
            SegcamError: if the stages cannot be replaced in this network.
        """
        from napari_segcam.explanation.explanation import Heatmap

        geometry, blank = self.segmentation.geometry, np.zeros((1, 1), np.float32)
        chosen = self.plan.network.select(tuple(stages))
        heatmaps = {stage.name: Heatmap(stage, blank, geometry) for stage in chosen}
        explainer = self._explainer("gradcam", tuple(heatmaps), cancelled)
        return self._measure(heatmaps, explainer, ("influence",), cancelled, progress)

    def measure(
        self, stages: Sequence[str], measures: Sequence[Measure], cancelled: Callable[[], bool], progress: Progress
    ) -> dict[str, StageEvidence]:
        """Take measures of the heatmaps of these stages.

        Raises:
            Cancelled: if ``cancelled`` returns True.
            SegcamError: if the network cannot be measured.
        """
        heatmaps = {name: self.heatmaps[name] for name in stages if name in self.heatmaps}
        explainer = self._explainer(self.plan.request.method, tuple(heatmaps), cancelled, self._explained_network)
        return self._measure(heatmaps, explainer, measures, cancelled, progress)

    def estimate(self, stages: Sequence[str], measures: Sequence[Measure], cancelled: Callable[[], bool]) -> float:
        """Return how long these measures of the heatmaps of these stages take, in seconds, from a few runs.

        Raises:
            Cancelled: if ``cancelled`` returns True.
            SegcamError: if the network cannot be measured.
        """
        from napari_segcam.evidence.estimating import estimate_evidence

        heatmaps = {name: self.heatmaps[name] for name in stages if name in self.heatmaps}
        cine = self.plan.source.cine
        explainer = self._explainer(self.plan.request.method, tuple(heatmaps), cancelled, self._explained_network)
        return estimate_evidence(
            self.explanation(heatmaps, explainer.network),
            explainer,
            cine[self.frame],
            cine.value_range,
            measures=measures,
            scan=self._scan(),
            cancelled=cancelled,
        ).seconds

    @property
    def _explained_network(self) -> Network:
        """The network whose heatmaps these are: one member of an ensemble, if the user has chosen it."""
        from napari_segcam.network.ensemble.ensemble import Ensemble

        network, member = self.plan.network, self.plan.request.member
        return network.members[member] if member is not None and isinstance(network, Ensemble) else network

    def explanation(self, heatmaps: Mapping[str, Heatmap], network: Network | None = None) -> Explanation:
        """Return the explanation of the frame with these heatmaps, without running the network.

        Args:
            heatmaps: by stage name.
            network: whose heatmaps they are: of a member of an ensemble, for the ensemble's region.
        """
        import torch

        from napari_segcam.explanation.explanation import Explanation, Heatmaps
        from napari_segcam.explanation.targets.frozen_region import FrozenRegion, is_mask
        from napari_segcam.explanation.targets.target_resolution import resolve_target

        plan, segmentation = self.plan, self.segmentation
        shape = segmentation.geometry.frame_shape
        region = np.ones(shape, np.bool_)
        if self.region is not None:
            labels = np.zeros(shape, np.uint8)
            self.region.paint(labels)
            region = labels > 0
        target = target_of(plan.request, self.painted_region)
        if network not in (None, plan.network):
            target = replace(target, region=FrozenRegion(region, "of the ensemble", is_mask=is_mask(target.region)))
        return Explanation(
            segmentation=segmentation,
            probabilities=segmentation.on_frame(),
            mask=segmentation.mask(plan.threshold),
            region=region,
            heatmaps=Heatmaps(heatmaps, {}),
            method=plan.request.method,
            target=resolve_target(target, plan.network, torch.from_numpy(segmentation.probabilities)),
            class_names=plan.network.class_names,
            threshold=plan.threshold,
            provenance={},
        )

    def _explainer(
        self, method: str, stages: tuple[str, ...], cancelled: Callable[[], bool], network: Network | None = None
    ) -> Explainer:
        from napari_segcam.explanation.explainer import Explainer
        from napari_segcam.explanation.slow_methods.control import ProgressControl

        control = ProgressControl(self.plan.request.preview, cancelled=cancelled)
        return Explainer(network or self.plan.network, method, stages, self.plan.threshold, control)

    def _measure(
        self,
        heatmaps: Mapping[str, Heatmap],
        explainer: Explainer,
        measures: Sequence[Measure],
        cancelled: Callable[[], bool],
        progress: Progress,
    ) -> dict[str, StageEvidence]:
        from napari_segcam.evidence.measuring import measure_evidence

        cine = self.plan.source.cine
        evidence = measure_evidence(
            self.explanation(heatmaps, explainer.network),
            explainer,
            cine[self.frame],
            cine.value_range,
            measures=measures,
            scan=self._scan(),
            tissue=self._tissue(),
            progress=progress,
            cancelled=cancelled,
        )
        return dict(evidence.stages)

    def _scan(self) -> Crop | None:
        """Return the rows and columns that show the scan: as drawn, else as found; None if they are not known."""
        from napari_segcam.imaging.scan.region import known_scan

        source = self.plan.source
        if source.crop is not None and source.is_crop_drawn:
            return source.crop
        return known_scan(source.cine)  # it is found once for a cine

    def _tissue(self) -> NDArray[np.bool_] | None:
        """Return the pixels that show the scan, ``(Y, X)``; None if they are not known, or the scan is as drawn."""
        from napari_segcam.imaging.scan.region import known_tissue

        source = self.plan.source
        is_drawn = source.crop is not None and source.is_crop_drawn
        return None if is_drawn else known_tissue(source.cine)
