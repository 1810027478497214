"""Writing a validation: its tables, its criteria and its plots, beside the report of its run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from napari_segcam.files import json_bytes, remove_file, whole_file, write_table
from napari_segcam.reporting.report.document import Plot
from napari_segcam.validating.criteria.checking import overall
from napari_segcam.validating.differences import DIFFERENCE_COLUMNS
from napari_segcam.validating.methods import METHOD_COLUMNS
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.pages.page import Plots
from napari_segcam.validating.subgroups import SUBGROUP_COLUMNS
from napari_segcam.validating.summaries import CASE_COLUMNS, METRIC_COLUMNS
from napari_segcam.validating.validate import Validation
from napari_segcam.version import __version__

_FILES = (
    *(
        f"validation_{name}.csv"
        for name in ("metrics", "cases", "subgroups", "differences", "methods", "failures", "shared")
    ),
    "criteria.json",
)


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
    if validation.methods:
        written.append(folder / "validation_methods.csv")
        write_table(written[-1], METHOD_COLUMNS, validation.methods)
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
    write_plots(folder, plots)
    return written


def write_plots(folder: Path, plots: Mapping[str, Plot]) -> None:
    """Write plots as SVG and PNG into ``plots`` within a folder.

    Raises:
        SegcamError: if a file cannot be written.
    """
    for name, plot in plots.items():
        for suffix, data in (("svg", plot.svg), ("png", plot.png)):
            with whole_file(folder / "plots" / f"{name}.{suffix}") as path:
                path.write_bytes(data)


def remove_earlier(folder: Path, written: Collection[Path], plots: Collection[str]) -> None:
    """Remove what an earlier report in the same folder has and this one has not: else it would seem to belong to it.

    Args:
        folder: of the report.
        written: the files of this report.
        plots: the names of its plots.

    Raises:
        SegcamError: if a file cannot be removed.
    """
    tables = [folder / name for name in _FILES]
    of_plots = [path for path in (folder / "plots").glob("validation_*") if path.suffix in (".svg", ".png")]
    for path in tables + [path for path in of_plots if path.stem not in plots]:
        if path not in written:
            remove_file(path)
