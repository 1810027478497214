"""What else a validation adds to the report of its run: failures, doubt, the model card and the CLAIM checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_segcam.files import whole_file, write_table
from napari_segcam.reporting.report.document import Addition, Block, Bullets, Plot
from napari_segcam.reporting.report.finished_run import FinishedRun
from napari_segcam.reporting.run_format import Row
from napari_segcam.validating.failures.analysis import FailureAnalysis, analyze_failures
from napari_segcam.validating.failures.doubt_curve import doubt_curve
from napari_segcam.validating.failures.kinds import FailureLimits
from napari_segcam.validating.failures.shared import shared_rows
from napari_segcam.validating.failures.sorting import failure_rows
from napari_segcam.validating.figures import by_class, frames_of
from napari_segcam.validating.pages.doubt_plot import doubt_section
from napari_segcam.validating.pages.failures_section import failure_point, failures_section
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.pages.writing import write_plots
from napari_segcam.validating.publishing.claim import claim_answers, claim_rows
from napari_segcam.validating.publishing.material import Material
from napari_segcam.validating.publishing.model_card_page import card_markdown, card_parts, network_name
from napari_segcam.validating.publishing.sections import card_section, claim_section
from napari_segcam.validating.publishing.signed_text import is_changed, signed
from napari_segcam.validating.rows import Rows
from napari_segcam.validating.validate import Validation


@dataclass(frozen=True)
class FurtherSections:
    """Sections of a report, with the files beside it.

    Attributes:
        addition: to the report.
        plots: by their file name, without suffix.
        tables: by their file name.
        texts: by their file name.
    """

    addition: Addition
    plots: Mapping[str, Plot]
    tables: Mapping[str, Rows]
    texts: Mapping[str, str]


def further_sections(
    validation: Validation,
    run: FinishedRun,
    anonymous: bool = False,
    linked: bool = False,
    limits: FailureLimits | None = None,
) -> FurtherSections:
    """Return what a validation adds to the report of its run besides its own section.

    Args:
        validation: of the run.
        run: that the report is of.
        anonymous: whether numbers replace the names of cases and images.
        linked: whether images have pages of their own.
        limits: where failure begins.
    """
    names = Names(validation.assigned, anonymous)
    analysis = analyze_failures(run, validation, limits)
    frames = by_class(frames_of(run, validation.assigned))
    of_doubt, plots = doubt_section(frames)
    curves = [curve for each in frames.values() if (curve := doubt_curve(each)) is not None]
    material = Material(run, validation, analysis, curves, anonymous)
    parts, answers = card_parts(material), claim_answers(material)
    point = failure_point(analysis)
    front: list[Block] = [Bullets((point,))] if point else []
    sections = [
        failures_section(analysis, run, names, linked),
        of_doubt,
        card_section(parts),
        claim_section(answers),
    ]
    tables = {**_tables(analysis, names), "claim_2024.csv": claim_rows(answers)}
    texts = {"model_card.md": card_markdown(parts, network_name(material))}
    return FurtherSections(Addition(front, sections), plots, tables, texts)


def joined(one: Addition, other: Addition) -> Addition:
    """Return two additions as one, in this order."""
    return Addition([*one.front, *other.front], [*one.sections, *other.sections])


def write_further(folder: Path, further: FurtherSections) -> list[Path]:
    """Write the tables, texts and plots of further sections; earlier files of the same names are replaced.

    A text that its author has changed since is kept, and the new one is written beside it: ``model_card_new.md``.

    Args:
        folder: that is written to.
        further: to be written.

    Returns:
        The files, without the plots.

    Raises:
        SegcamError: if a file cannot be written.
    """
    written = []
    for name, rows in further.tables.items():
        written.append(folder / name)
        write_table(written[-1], rows.columns, rows)
    for name, text in further.texts.items():
        path = folder / name
        while is_changed(path):
            path = path.with_stem(f"{path.stem}_new")
        written.append(path)
        with whole_file(path) as part:
            part.write_text(signed(text), encoding="utf-8", newline="\n")
    write_plots(folder, further.plots)
    return written


def _tables(analysis: FailureAnalysis, names: Names) -> dict[str, Rows]:
    failures = failure_rows(analysis.cases, analysis.nearest, names.case)
    shared = shared_rows(analysis.shared)
    tables = {"validation_failures.csv": Rows(failures.columns, _named(failures, names))}
    return tables | ({"validation_shared.csv": shared} if shared else {})


def _named(rows: Sequence[Row], names: Names) -> list[Row]:
    hidden = {"image": ""} if names.anonymous else {}
    return [{**row, "case": names.case(row["case"]), **hidden} for row in rows]
