"""Writing a validation: its tables, its criteria and its plots, beside the report of its run."""

from __future__ import annotations

from pathlib import Path

from napari_segcam.files import json_bytes, whole_file, write_table
from napari_segcam.validating.criteria.checking import overall
from napari_segcam.validating.differences import DIFFERENCE_COLUMNS
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.pages.page import Plots
from napari_segcam.validating.subgroups import SUBGROUP_COLUMNS
from napari_segcam.validating.summaries import CASE_COLUMNS, METRIC_COLUMNS
from napari_segcam.validating.validate import Validation
from napari_segcam.version import __version__


def write_validation(folder: Path, validation: Validation, plots: Plots, anonymous: bool = False) -> list[Path]:
    """Write the tables of a validation, ``criteria.json`` if there are criteria, and plots as SVG and PNG of 300 dpi.

    Args:
        folder: that is written to; earlier files of the same names are replaced.
        validation: to be written.
        plots: by their file names.
        anonymous: whether numbers replace the names of cases.

    Returns:
        The files, without the plots.

    Raises:
        SegcamError: if a file cannot be written.
    """
    metrics, cases = folder / "validation_metrics.csv", folder / "validation_cases.csv"
    write_table(metrics, METRIC_COLUMNS, validation.metrics)
    names = Names(validation.assigned, anonymous)
    write_table(cases, CASE_COLUMNS, ({**row, "case": names.case(row["case"])} for row in validation.cases))
    written = [metrics, cases]
    if validation.subgroups:
        written.append(folder / "validation_subgroups.csv")
        write_table(written[-1], SUBGROUP_COLUMNS, validation.subgroups)
    if validation.differences:
        written.append(folder / "validation_differences.csv")
        write_table(written[-1], DIFFERENCE_COLUMNS, validation.differences)
    if validation.criteria:
        written.append(folder / "criteria.json")
        content = {
            "napari_segcam": __version__,
            "outcome": overall(row["outcome"] for row in validation.criteria),
            "seed": validation.seed,
            "cases": validation.assigned.how,
            "missing_cases": len(validation.assigned.missing),
            "images_without_a_case": len(validation.assigned.without_case),
            "duplicated_patients": len(validation.assigned.duplicates),
            "criteria": list(validation.criteria),
        }
        with whole_file(written[-1]) as path:
            path.write_bytes(json_bytes(content, indent=2))
    for name, plot in plots.items():
        for suffix, data in (("svg", plot.svg), ("png", plot.png)):
            with whole_file(folder / "plots" / f"{name}.{suffix}") as path:
                path.write_bytes(data)
    return written
