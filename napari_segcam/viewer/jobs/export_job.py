"""The export of frames: what the viewer shows of an image, in the files that ``napari-segcam explain`` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_segcam.heat_colormaps import DEFAULT_COLORMAP
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.jobs.dicom_export import DicomRequest, begin_objects, write_objects
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.reporting.correction import Correction, OtherCorrections
    from napari_segcam.reporting.overlay_style import OverlayStyle


@dataclass(frozen=True)
class Export:
    """What is exported, and how it is drawn.

    Attributes:
        folder: to write to.
        frames: by number.
        overlays: as for ``OverlayStyle``.
        colormap: as for ``OverlayStyle``.
        opacity: as for ``OverlayStyle``.
        movies: stages that also become a movie, where there are several frames.
        measurements: the reader's measurements of these frames, as rows of their table.
        dicom: the DICOM objects to write too; None for none.
    """

    folder: Path
    frames: Sequence[int]
    overlays: tuple[str, ...] = ("contour",)
    colormap: str = DEFAULT_COLORMAP
    opacity: float = 0.6
    movies: Sequence[str] = ()
    measurements: Sequence[dict[str, Any]] = ()
    dicom: DicomRequest | None = None

    @property
    def style(self) -> OverlayStyle:
        """How the overlays are drawn."""
        from napari_segcam.reporting.overlay_style import OverlayStyle

        return OverlayStyle(self.overlays, self.colormap, self.opacity)


def export_job(
    plan: Plan,
    export: Export,
    corrections: Mapping[int, Correction],
    other_classes: Mapping[int, OtherCorrections],
    cancelled: Callable[[], bool],
) -> Job:
    """Return a job that computes the frames and writes them.

    All frames are computed again, so that no number in a file depends on which results were still in memory.

    Args:
        plan: by which frames are computed.
        export: what to write.
        corrections: of the frames, as copied at the start.
        other_classes: the corrections of other classes that may overlap the explained one, by frame.
        cancelled: returns whether to stop.
    """
    movies = export.movies if len(export.frames) > 1 else ()
    return Job(
        "export",
        f"Exporting {plan.source.name}",
        lambda: _export(plan, export, corrections, other_classes, movies, cancelled),
        len(export.frames) * (1 + len(movies)) + (export.dicom is not None),
    )


def _export(
    plan: Plan,
    export: Export,
    corrections: Mapping[int, Correction],
    other_classes: Mapping[int, OtherCorrections],
    movies: Sequence[str],
    cancelled: Callable[[], bool],
) -> Iterator[Progress]:
    from napari_segcam.explanation.slow_methods.control import Cancelled
    from napari_segcam.imaging.scan.region import known_scan
    from napari_segcam.measuring.table import FILE, write_measurements
    from napari_segcam.reporting.cine_source import CineSource
    from napari_segcam.reporting.clip import Clip
    from napari_segcam.reporting.correction import write_other_corrections
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_frame
    from napari_segcam.reporting.movie import check_movies

    style, cine, computer = export.style, plan.source.cine, FrameComputer(plan)
    if movies:
        check_movies()
    computer.cancelled = cancelled
    source = CineSource.of(cine)
    clips = [Clip(stage) for stage in movies]
    total = len(export.frames) * (1 + len(movies)) + (export.dicom is not None)
    objects = None if export.dicom is None else begin_objects(plan.source, export.dicom, export.folder, style)
    rows: list[dict[str, Any]] = []
    done = 0
    if export.measurements:
        write_measurements(export.folder / FILE, export.measurements)
    try:
        for number in export.frames:
            try:
                explanation = computer.explain(number, plan.stages)
            except Cancelled:
                return
            folder = export.folder / f"frame_{number:04d}" if len(export.frames) > 1 else export.folder
            correction = corrections.get(number)
            write_frame(folder, cine[number], [explanation], style, source=source, number=number, correction=correction)
            write_other_corrections(folder, other_classes.get(number, {}))
            rows += attention_rows(number, explanation, known_scan(cine))
            for clip in clips:
                clip.add_frame(number, explanation, correction)
            if objects is not None and export.dicom is not None:
                objects.add(
                    number,
                    explanation,
                    correction=correction,
                    other_classes=other_classes.get(number),
                    verdicts=export.dicom.verdicts.get(number),
                )
            done += 1
            yield Progress(done, total, f"Frame {number} is written")
    finally:
        write_attention(export.folder / "attention.csv", rows)
    for clip in clips:
        with closing(clip.write(export.folder / "movies", cine, style)) as frames:
            for _ in frames:
                done += 1
                yield Progress(done, total, f"Movie of {clip.stage}")
    words = f"Written to {export.folder}"
    if objects is not None:
        yield Progress(done, total, "Writing DICOM objects")
        words = f"{words}. {write_objects(objects)}"
    yield Progress(total, total, words)
