"""The DICOM objects that ``explain --dicom`` writes: collected while frames are explained, and written at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from napari_segcam.commands.dicom.overlay_stage import OverlayStage
from napari_segcam.dicom_objects.export import DicomExport, Written
from napari_segcam.dicom_objects.exporting.options import DicomOptions
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.evidence.measuring import Evidence
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.reporting.overlay_style import OverlayStyle


@dataclass(frozen=True)
class DicomRequest:
    """What is asked for.

    Attributes:
        source: the images that the objects refer to.
        options: how the objects are made.
    """

    source: SourceImages
    options: DicomOptions


class ExplainedObjects:
    """Collects the explanations of a run for its DICOM objects.

    Args:
        request: what is asked for.
        pipeline: makes the explanations.
        cine: that is explained.
        folder: to write to.
        style: how overlays are drawn.
        cancelled: returns whether to stop.

    Raises:
        SegcamError: if the network or the stages do not allow what is asked for.
    """

    def __init__(
        self,
        request: DicomRequest,
        pipeline: ExplainPipeline,
        cine: Cine,
        folder: Path,
        style: OverlayStyle,
        cancelled: Callable[[], bool],
    ) -> None:
        options = _checked(request.options, pipeline)
        has_evidence = "influence" in pipeline.options.evidence
        is_open = options.overlay_stage is None and not has_evidence
        self._overlay_stage = OverlayStage(pipeline, cine, cancelled) if is_open else None
        self._written: Written | None = None
        self._firsts: dict[int, str | None] = {}
        self._export = DicomExport(
            request.source,
            cine,
            folder,
            options,
            style=style,
            by_method=len(pipeline.options.methods) > 1,
            by_class=len(pipeline.classes) > 1,
            first_stages="each frame" if has_evidence else "once",
        )

    def noting(self, evidence_of: Callable[[Explanation], Evidence | None]) -> Callable[[Explanation], Evidence | None]:
        """Return a function that measures the evidence of an explanation, and notes which stage to look at first."""

        def measured(explanation: Explanation) -> Evidence | None:
            evidence = evidence_of(explanation)
            self._firsts[id(explanation)] = None if evidence is None else evidence.shown_first.name
            return evidence

        return measured

    def add(self, number: int, explanations: Iterable[Explanation]) -> None:
        """Add the explanations of a frame."""
        for explanation in explanations:
            first = self._firsts.pop(id(explanation), None)
            if self._overlay_stage is not None:
                first = self._overlay_stage.of(number, explanation)
            self._export.add(number, explanation, shown_first=first)

    def write(self, progress: Progress, stop: threading.Event) -> bool:
        """Write the objects; return whether the user let it finish."""
        task = progress.add_task("DICOM objects", total=None)
        self._written = self._export.write(stop.is_set)
        progress.remove_task(task)
        return not stop.is_set()

    def show(self, console: Console) -> None:
        """Print what was written, and whom it belongs to.

        Raises:
            SegcamError: if an object could not be written.
        """
        written = self._written
        if written is None:
            console.print("No DICOM object is written, as not all frames are explained.", soft_wrap=True)
            return
        identity = [f"{self._export.identity_words}. Each is in a series of its own:"] if written.objects else []
        for words in [*written.left_out, *identity]:
            console.print(words, soft_wrap=True, markup=False, highlight=False)
        for made in written.objects:
            name = made.path.relative_to(self._export.folder)
            console.print(f"  {name}: series {made.series_uid}", soft_wrap=True, markup=False, highlight=False)
        stage_words = self._overlay_stage.words if self._overlay_stage is not None and written.objects else []
        for warning in [*stage_words, *written.warnings]:
            console.print(warning, soft_wrap=True, markup=False)
        if written.problems:
            raise SegcamError(" ".join(written.problems))


def _checked(options: DicomOptions, pipeline: ExplainPipeline) -> DicomOptions:
    """Return options with the full name of the overlay's stage, after checking that they suit the network."""
    from napari_segcam.network.stages.stage import stage_aliases

    network = pipeline.network
    if options.kind == "labelmap" and network.classes_overlap and len(network.class_names) > 1:
        raise SegcamError(
            "The classes of this network may overlap, and a labelmap holds one for each pixel: choose "
            "--dicom-segmentation binary."
        )
    if options.overlay_stage is None:
        return options
    stage = stage_aliases(network.stages).get(options.overlay_stage, options.overlay_stage)
    explained = list(dict.fromkeys(stage.name for explainer in pipeline.explainers for stage in explainer.stages))
    if stage not in explained:
        raise SegcamError(
            f"There can be no overlay of {stage}, which is not explained. Choose from: {', '.join(explained)}; "
            "or name it in --stages too."
        )
    return replace(options, overlay_stage=stage)
