"""The table ``evidence.csv``: evidence of each explanation, measured as it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.evidence.measuring import Evidence
    from napari_segcam.evidence.stage_evidence import FirstStage
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine


_WORTH_TELLING = 5.0  # seconds


class EvidenceTable:
    """Measures the evidence of explanations and collects the rows of ``evidence.csv``.

    Args:
        pipeline: makes the explanations; its options name the measures.
        cine: the explained cine.
        numbers: of the frames that will be measured.
        progress: shows what is being measured.
        cancelled: asked between two runs of the network.

    Raises:
        SegcamError: if the options name a reference that the cine does not have.
    """

    def __init__(
        self,
        pipeline: ExplainPipeline,
        cine: Cine,
        numbers: Sequence[int],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        from napari_segcam.batch.evidence import EvidenceMeter

        self._times = len(numbers) * len(pipeline.classes) * len(pipeline.explainers)
        self._is_estimated = False
        self._cine, self._options = cine, pipeline.options
        self._progress = progress
        self._task = progress.add_task("Evidence", total=None, visible=False)
        self._meter = EvidenceMeter(
            cine,
            pipeline.explainers,
            pipeline.options,
            progress=lambda measure, _done, _total: progress.update(
                self._task, description=f"Evidence: {measure}", visible=True
            ),
            cancelled=cancelled,
            overall=lambda done, total: progress.update(self._task, completed=done, total=total),
        )
        self.rows: list[dict[str, Any]] = []
        self._firsts: list[tuple[str, str, FirstStage]] = []
        self._overlays: dict[tuple[int, str], None] = {}  # statements on frames, in order, each once

    def of(self, number: int, explanation: Explanation) -> Evidence | None:
        """Return the evidence of an explanation of a frame; None if the user stopped it."""
        from napari_segcam.explanation.slow_methods.control import Cancelled
        from napari_segcam.reporting.evidence_rows import evidence_rows
        from napari_segcam.reporting.sheets import class_name_of

        try:
            self._print_estimate(number, explanation)
            measured = self._meter.of(number, explanation)
        except Cancelled:
            return None
        if measured is None:
            return None
        evidence = measured.evidence
        self.rows += evidence_rows(number, explanation, evidence, self._options.evidence, measured.doubt)
        if "influence" in self._options.evidence:
            self._firsts.append((class_name_of(explanation), explanation.method, evidence.shown_first))
        if evidence.overlay_effect is not None:
            self._overlays[number, evidence.overlay_effect.statement] = None
        return evidence

    def _print_estimate(self, number: int, explanation: Explanation) -> None:
        """Print how long the evidence of all frames will take, once."""
        from napari_segcam.commands.terminal import duration

        if self._is_estimated:
            return
        self._is_estimated = True
        self._progress.update(self._task, description="Evidence: estimating", visible=True)
        cost = self._meter.estimate(number, explanation)
        seconds = cost.seconds * self._times
        if seconds >= _WORTH_TELLING:
            self._progress.console.print(
                f"Evidence: {cost.forwards * self._times} runs of the network or of a part of it, "
                f"about {duration(seconds)}. Ctrl-C stops it.",
                soft_wrap=True,
            )

    def write(self, folder: Path) -> None:
        """Write ``evidence.csv``.

        Raises:
            SegcamError: if it cannot be written.
        """
        from napari_segcam.reporting.evidence_rows import write_evidence

        write_evidence(folder / "evidence.csv", self.rows)

    def show(self, console: Console) -> None:
        """Print the statement on each heatmap, and which to look at first."""
        from napari_segcam.reporting.evidence_summary.words import few_draws

        tests = sum(row["faithfulness_p"] is not None for row in self.rows)
        caption = f"whether hot places matter: {tests} tests, each with {self._options.evidence_draws} draws"
        columns = ("class", "method", "stage", "what the heatmap is worth")
        table = Table(*columns, title="Evidence", caption=caption if tests else None)
        for row in self.rows:
            table.add_row(*(str(row[name]) for name in ("class", "method", "stage")), row["statement"] or "–")
        console.print(table)
        if tests and (warning := few_draws(self._options.evidence_draws)):
            console.print(f"[yellow]{warning}", soft_wrap=True)
        for class_name, method, first in self._firsts:
            where = f"look first at {first.name}: " if first.name else ""
            console.print(f"{class_name}, {method}: {where}{first.why}.", soft_wrap=True, markup=False)
        for number, statement in self._overlays:
            words = f"frame {number}: {statement}" if len(self._cine) > 1 else statement
            console.print(f"{words[:1].upper()}{words[1:]}.", soft_wrap=True, markup=False)
