"""Paired differences between the CAM methods of a run, case by case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median

from napari_segcam.reporting.evidence_summary.shares import number
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.cases import Cases
from napari_segcam.validating.paired import PAIRED_COLUMNS, paired_cells
from napari_segcam.validating.rows import Rows

METHOD_COLUMNS: dict[str, type] = {
    "class": str,
    "figure": str,
    "method": str,
    "other_method": str,
    **PAIRED_COLUMNS,
    "better": int,
    "worse": int,
}
"""The columns of ``validation_methods.csv``, with the type of a defined value."""

FIGURES = {"faithfulness": 1, "share": 0, "sanity": -1, "stability": 1, "off_scan": -1}
"""The figures of a map that are compared: 1 if high values are good, −1 if low ones are, 0 if none is.

All are bounded, so that no mean of them explodes, as that of ``ratio`` would.
"""

_Frame = tuple[str, object]
_Values = dict[_Frame, float]


def method_rows(run: FinishedRun, cases: Cases, seed: int = 0) -> Rows:
    """Return one row for each class, figure and method but the first, with the columns of ``METHOD_COLUMNS``.

    A difference is that of a method minus the first method of the run, between the medians of a case over the frames in
    which both have the figure. Of each method the map is taken that a reader sees first: that of the stage to show
    first. The interval is of the mean over the cases.

    Args:
        run: with evidence for several methods; there are no rows without.
        cases: of the run.
        seed: of the intervals.
    """
    values: dict[tuple[str, str, str], _Values] = {}
    for image in run.images:
        for row in image.rows if image.name in cases.of_image else ():
            if not row.get("shown_first") or row["shown_first"] != row["stage"]:
                continue
            for figure in FIGURES:
                value = number(row, figure)
                if value is not None and math.isfinite(value):
                    key = (str(row["class"]), figure, str(row["method"]))
                    values.setdefault(key, {})[image.name, row["frame"]] = value
    methods = list(dict.fromkeys(str(row["method"]) for image in run.images for row in image.rows))
    classes = list(dict.fromkeys(name for name, _, _ in values))
    return Rows(
        METHOD_COLUMNS,
        (
            _row(name, figure, (method, methods[0]), (this, other), cases.of_image, seed)
            for name in classes
            for figure in FIGURES
            for method in methods[1:]
            if (this := values.get((name, figure, method))) and (other := values.get((name, figure, methods[0])))
        ),
    )


def _row(
    class_name: str,
    figure: str,
    methods: tuple[str, str],
    values: tuple[_Values, _Values],
    case_of: Mapping[str, str],
    seed: int,
) -> Row:
    both: dict[str, list[_Frame]] = {}
    for frame in values[0]:
        if frame in values[1]:
            both.setdefault(case_of[frame[0]], []).append(frame)
    pairs = [
        (median(values[0][frame] for frame in frames), median(values[1][frame] for frame in frames))
        for frames in both.values()
    ]
    differences = [this - other for this, other in pairs]
    sign = FIGURES[figure]
    return {
        "class": class_name,
        "figure": figure,
        "method": methods[0],
        "other_method": methods[1],
        **paired_cells(pairs, seed),
        "better": sum(sign * each > 0 for each in differences) if sign else None,
        "worse": sum(sign * each < 0 for each in differences) if sign else None,
    }
