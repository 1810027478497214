"""The table ``evidence.csv``: evidence of each explanation, measured as it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.evidence.measuring import Evidence
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.imaging.geometry import Crop


class EvidenceTable:
    """Measures the evidence of explanations and collects the rows of ``evidence.csv``.

    Args:
        pipeline: makes the explanations.
        cine: the explained cine.
        draws: size of the null of faithfulness.
        progress: shows what is being measured.
        cancelled: asked between two runs of the network.
    """

    def __init__(
        self, pipeline: ExplainPipeline, cine: Cine, draws: int, progress: Progress, cancelled: Callable[[], bool]
    ) -> None:
        self._explainers = {explainer.method.name: explainer for explainer in pipeline.explainers}
        self._cine, self._draws, self._cancelled = cine, draws, cancelled
        self._progress = progress
        self._task = progress.add_task("Evidence", total=None, visible=False)
        self._scan = _scan_of(cine)
        self.rows: list[dict[str, Any]] = []

    def of(self, number: int, explanation: Explanation) -> Evidence | None:
        """Return the evidence of an explanation of a frame; None if the user stopped it."""
        from napari_segcam.evidence.measuring import measure_evidence
        from napari_segcam.explanation.slow_methods.control import Cancelled
        from napari_segcam.reporting.evidence_rows import evidence_rows

        try:
            evidence = measure_evidence(
                explanation,
                self._explainers[explanation.method],
                self._cine[number],
                self._cine.value_range,
                scan=self._scan,
                draws=self._draws,
                progress=lambda measure, done, total: self._progress.update(
                    self._task, description=f"Evidence: {measure}", completed=done, total=total, visible=True
                ),
                cancelled=self._cancelled,
            )
        except Cancelled:
            return None
        self.rows += evidence_rows(number, explanation, evidence)
        return evidence

    def write(self, folder: Path) -> None:
        """Write ``evidence.csv``.

        Raises:
            SegcamError: if it cannot be written.
        """
        from napari_segcam.reporting.evidence_rows import write_evidence

        write_evidence(folder / "evidence.csv", self.rows)

    def show(self, console: Console) -> None:
        """Print the statement on each heatmap."""
        table = Table("class", "method", "stage", "what the heatmap is worth", title="Evidence")
        for row in self.rows:
            table.add_row(*(str(row[name]) for name in ("class", "method", "stage")), row["statement"] or "–")
        console.print(table)


def _scan_of(cine: Cine) -> Crop | None:
    """Return the rows and columns that show the scan; None if they are not known."""
    from napari_segcam.imaging.scan.region import find_scan_region

    region = find_scan_region(cine)
    return None if region.source == "whole frame" else region.crop
