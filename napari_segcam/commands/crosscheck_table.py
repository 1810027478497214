"""The table ``crosscheck.csv``: the maps of each explanation beside those of the package grad-cam."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from napari_segcam.commands.terminal import duration
from napari_segcam.files import whole_file

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_segcam.batch.pipeline import ExplainPipeline
    from napari_segcam.explanation.crosscheck import CrossCheck
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.imaging.cine import Cine

COLUMNS = (
    *("frame", "class", "method", "stage", "largest_difference", "correlation", "seconds_ours", "seconds_theirs"),
    *("package", "version", "same", "note"),
)


class CrosscheckTable:
    """Computes the maps of explanations with grad-cam too, and collects the rows of ``crosscheck.csv``.

    Args:
        pipeline: makes the explanations.
        cine: the explained cine.
        frames: how many of its frames are explained.
        console: to print the estimate on.
        progress: shows how far it is.
        cancelled: asked before each run of the network.

    Raises:
        SegcamError: if grad-cam is not installed.
    """

    def __init__(
        self,
        pipeline: ExplainPipeline,
        cine: Cine,
        frames: int,
        console: Console,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        from napari_segcam.explanation.external import counterpart

        self._explainers = {explainer.method.name: explainer for explainer in pipeline.explainers}
        self._others = {name: counterpart(name) for name in self._explainers}
        self._cine, self._console, self._cancelled = cine, console, cancelled
        self._explanations = frames * len(pipeline.classes)
        self._progress = progress
        self._task = progress.add_task("Cross-check", total=None, visible=False)
        self._seen: set[str] = set()
        self._summaries: list[str] = []
        self.rows: list[dict[str, Any]] = []

    def add(self, number: int, explanation: Explanation) -> None:
        """Cross-check an explanation of a frame, unless the user stopped."""
        from napari_segcam.explanation.crosscheck import cross_check
        from napari_segcam.explanation.slow_methods.control import Cancelled

        explainer, other = self._explainers[explanation.method], self._others[explanation.method]
        if other is None or self._cancelled():
            return
        frame, value_range = self._cine[number], self._cine.value_range
        if explanation.method not in self._seen:
            self._seen.add(explanation.method)
            self._print_estimate(number, explanation)
        try:
            check = cross_check(
                explanation,
                explainer,
                frame,
                value_range,
                progress=lambda done, total: self._progress.update(
                    self._task,
                    description=f"Cross-check of {explainer.method.title}",
                    completed=done,
                    total=total,
                    visible=True,
                ),
                cancelled=self._cancelled,
            )
        except Cancelled:
            return
        self._add_rows(number, explanation, check)

    def write(self, folder: Path) -> None:
        """Write ``crosscheck.csv``.

        Raises:
            OSError: if it cannot be written.
        """
        with whole_file(folder / "crosscheck.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def show(self) -> None:
        """Print the times, the table of a single frame, and which methods grad-cam does not have."""
        table = Table(
            *("class", "method", "stage", "largest difference", "correlation", "grad-cam", "why"),
            title="Cross-check with grad-cam (differences as a share of the map's maximum)",
        )
        for row in self.rows:
            difference, correlation, seconds = (
                row[name] for name in ("largest_difference", "correlation", "seconds_theirs")
            )
            table.add_row(
                *(str(row[name]) for name in ("class", "method", "stage")),
                "–" if difference is None else f"{difference:.1e}",
                "–" if correlation is None else f"{correlation:.5f}",
                "–" if seconds is None else f"{seconds:.2f} s",
                row["note"] or "the same but for rounding",
            )
        if len({row["frame"] for row in self.rows}) == 1:
            self._console.print(table)
        for summary in self._summaries:
            self._console.print(summary, soft_wrap=True, markup=False)
        for name, other in self._others.items():
            if other is None:
                title = self._explainers[name].method.title
                self._console.print(f"{title}: grad-cam does not have this method.", markup=False)

    def _print_estimate(self, number: int, explanation: Explanation) -> None:
        from napari_segcam.explanation.crosscheck import estimate_cross_check

        explainer = self._explainers[explanation.method]
        seconds = estimate_cross_check(explanation, explainer, self._cine[number], self._cine.value_range)
        self._console.print(
            f"Cross-check of {explainer.method.title}: grad-cam runs the network for each stage, about "
            f"{duration(seconds * self._explanations)}. Ctrl-C stops it.",
            markup=False,
        )

    def _add_rows(self, number: int, explanation: Explanation, check: CrossCheck) -> None:
        from napari_segcam.explanation.external.external_method import version_of
        from napari_segcam.reporting.sheets import class_name_of

        other = self._others[explanation.method]
        assert other is not None
        package, version = other.distribution, version_of(other.distribution)
        key = {"frame": number, "class": class_name_of(explanation), "method": explanation.method}
        for stage in check.stages:
            self.rows.append(
                key
                | {
                    "stage": stage.stage,
                    "largest_difference": stage.largest_difference,
                    "correlation": stage.correlation,
                    "seconds_ours": round(check.seconds_ours, 4),
                    "seconds_theirs": None if stage.seconds is None else round(stage.seconds, 4),
                    "package": package,
                    "version": version,
                    "same": stage.is_same,
                    "note": stage.note,
                }
            )
        title = self._explainers[explanation.method].method.title
        same = sum(stage.is_same for stage in check.stages)
        self._summaries.append(
            f"Frame {number}, {key['class']}, {title}: {same} of {len(check.stages)} stages are the same to 0.1 % of "
            f"the maximum. All stages took {check.seconds_ours:.2f} s here, and {check.seconds_theirs:.2f} s with "
            f"{package} {version}, one stage after the other."
        )
