"""Cases: every rater's verdict on each case, those on which raters differ first."""

from __future__ import annotations

from napari_segcam.number_format import UNDEFINED, counted
from napari_segcam.reporting.report.document import Paragraph, Section, Table
from napari_segcam.review.report.ratings import Question, case_rating
from napari_segcam.review.report.review_numbers import ReviewNumbers

_MOST = 400


def cases_section(numbers: ReviewNumbers) -> Section:
    """Return a table of the first readings: a row a case, a column a rater."""
    review = numbers.review
    rows: list[tuple[int, tuple[str, ...]]] = []
    for case in review.project.cases:
        for checkpoint in review.checkpoints:
            cells, values = [], set()
            for work in review.raters:
                state = work.of(case)
                verdict = case_rating(state, case, Question("mask", checkpoint))
                if verdict.value is not None:
                    values.add(verdict.value)
                cells.append(str(verdict.value) if verdict.value else _why(verdict.reason, state.status))
            differ = len(values) > 1
            name = (case.name, checkpoint) if len(review.checkpoints) > 1 else (case.name,)
            rows.append((0 if differ else 1, (*name, *cells, "differ" if differ else "")))
    differing = sum(order == 0 for order, _ in rows)
    rows.sort(key=lambda row: row[0])
    names = ("case", "checkpoint") if len(review.checkpoints) > 1 else ("case",)
    columns = (*names, *(work.rater for work in review.raters), "raters")
    caption = f"Verdicts on the masks in the first readings; raters differ on {counted(differing, 'case')}."
    if len(rows) > _MOST:
        caption += f" {len(rows) - _MOST} more are in cases.csv."
    shown = tuple(row for _, row in rows[:_MOST])
    table = Table(columns, shown, frozenset(columns), caption, sortable=True)
    return Section("cases", "Cases", [table] if rows else [Paragraph("The project has no cases.")])


def _why(reason: str, status: str) -> str:
    return status if status in ("new", "problem") else f"{UNDEFINED} ({reason})"
