"""Sections of the report: one for each kind of number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_segcam.number_format import UNDEFINED
from napari_segcam.reporting.report.document import Block, Paragraph, Section, Subheading, Table
from napari_segcam.review.report.pages.estimate_text import COLUMNS, estimate_cells, text_for
from napari_segcam.review.report.progress import STATUSES
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import Number

Columns = Sequence[tuple[str, Callable[[Number], str]]]

_TITLES = {
    "acceptance": "accepted",
    "correction": "corrected",
    "rejection": "rejected",
    "cohen_kappa": "Cohen’s κ",
    "weighted_kappa": "weighted κ",
    "fleiss_kappa": "Fleiss’ κ",
    "krippendorff_alpha": "Krippendorff’s α",
    "observed_agreement": "same rating",
    "dice": "Dice",
    "dice_with_prediction": "Dice with the prediction",
    "both_accepted_frames": "frames that both accepted",
    "corrected_frames": "corrected frames",
    "area_change": "change of the area",
    "verdict_changed_by_heatmap": "verdict changed",
    "verdicts_before_and_after": "before → after",
    "acceptance_by_heatmap": "accepted",
    "median_seconds": "median",
    "seconds_lower_quartile": "lower quartile",
    "seconds_upper_quartile": "upper quartile",
    "mean_grade": "mean grade",
    "first_answer_agrees": "agrees with the prediction",
    "dice_of_first_drawing": "Dice of the first drawing",
}


def progress_section(numbers: ReviewNumbers) -> Section:
    """Return how many readings of each rater have each status."""
    rows = []
    for work in numbers.review.raters:
        counts = {
            number.category: int(number.estimate.value or 0)
            for number in numbers.rate_numbers
            if number.measure == "readings" and number.rater == work.rater
        }
        rows.append((work.rater, str(sum(counts.values())), *(str(counts.get(status, 0)) for status in STATUSES)))
    caption = "Readings of each rater; a case that is mixed in again is a second reading."
    table = Table(("rater", "readings", *STATUSES), tuple(rows), frozenset({"rater"}), caption)
    return Section("progress", "Progress", [table])


def masks_section(numbers: ReviewNumbers) -> Section:
    """Return acceptance, correction and rejection, the reasons of rejections, and grades."""
    rates = [n for n in numbers.rate_numbers if n.measure in ("acceptance", "correction", "rejection")]
    reasons = [n for n in numbers.rate_numbers if n.measure == "reason"]
    grades = [n for n in numbers.rate_numbers if n.measure == "mean_grade"]
    blocks: list[Block] = [
        _table(
            rates,
            [_RATER, _CHECKPOINT, _SCOPE, ("verdict", _title)],
            "Share of the rated masks with each verdict. By case: the verdict on the whole case, or the one that all "
            "its frames share. By frame: each rated frame; its interval resamples cases.",
        )
    ]
    if reasons:
        blocks.append(
            _table(
                reasons,
                [_RATER, _CHECKPOINT, ("reason", lambda number: number.category)],
                "Share of the cases with a rejection in which each reason was given; a case can have several.",
            )
        )
    if any(number.estimate.n for number in grades):
        blocks.append(
            _table(grades, [_RATER, _CHECKPOINT, _SCOPE, ("number", _title)], "Grades of the masks, 1 (poor) to 5.")
        )
    else:
        blocks.append(Paragraph("No grade was given."))
    return Section("masks", "Verdicts on the masks", blocks)


def heatmaps_section(numbers: ReviewNumbers) -> Section:
    """Return the verdicts on heatmaps, and whether heatmaps changed verdicts on masks."""
    shares = [n for n in numbers.rate_numbers if n.measure == "share"]
    effects = [n for n in numbers.rate_numbers if n.measure == "verdict_changed_by_heatmap"]
    changes = [n for n in numbers.rate_numbers if n.measure == "verdicts_before_and_after"]
    hidden = [n for n in numbers.rate_numbers if n.measure == "acceptance_by_heatmap"]
    blocks: list[Block] = []
    if shares:
        verdict = ("verdict", lambda number: number.category)
        stage = ("stage", lambda number: number.stage or "all")
        blocks.append(_table(shares, [_RATER, _CHECKPOINT, stage, _SCOPE, verdict], "Verdicts on the heatmaps."))
    else:
        blocks.append(Paragraph("No heatmap was judged."))
    blocks += [
        Subheading("Did the heatmap change the verdict?"),
        _table(
            effects,
            [_RATER, _CHECKPOINT, ("number", _title)],
            "Of the verdicts on masks that were given before the heatmap was seen, in readings in which it was seen "
            "later: the share that is another verdict afterwards. A verdict that was not given again was kept.",
        ),
    ]
    if changes:
        counts = tuple((n.rater, n.checkpoint, n.category, str(int(n.estimate.value or 0))) for n in changes)
        columns = ("rater", "checkpoint", "before → after", "verdicts")
        caption = "The same verdicts, before and after the heatmap was seen."
        blocks.append(Table(columns, counts, frozenset(columns[:3]), caption))
    blocks.append(
        _table(
            hidden,
            [_RATER, _CHECKPOINT, ("verdicts given with", lambda number: number.category)],
            "Share of accepted masks among verdicts given with and without having seen the heatmap. These are other "
            "cases, or the same at another time: a difference can have many causes.",
        )
    )
    blocks += _first_answers(numbers)
    return Section("heatmaps", "Heatmaps and blinded reading", blocks)


def _first_answers(numbers: ReviewNumbers) -> list[Block]:
    """Return what raters answered before they saw the prediction, against it; nothing if nobody did."""
    shares = [n for n in numbers.rate_numbers if n.measure in ("first_answer_agrees", "dice_of_first_drawing")]
    counts = [n for n in numbers.rate_numbers if n.measure == "first_answers"]
    if not shares:
        return []
    caption = "First answers, before the prediction was shown: a finding or none, or a drawing, against the prediction."
    blocks: list[Block] = [Subheading("First answers"), _table(shares, [_RATER, ("number", _title)], caption)]
    if counts:
        rows = tuple((n.rater, n.category, str(int(n.estimate.value or 0)), str(n.estimate.n)) for n in counts)
        columns = ("rater", "answer and prediction", "cases", "of")
        blocks.append(Table(columns, rows, frozenset(columns[:2]), "How often each occurred."))
    return blocks


def agreement_section(numbers: ReviewNumbers) -> Section:
    """Return the agreement between raters, and of each with an earlier reading."""
    kinds = ("cohen_kappa", "weighted_kappa", "fleiss_kappa", "krippendorff_alpha", "observed_agreement")
    found = [number for number in numbers.agreement_numbers if number.measure in kinds]
    between = [number for number in found if number.rater != number.other_rater]
    within = [number for number in found if number.rater == number.other_rater]
    blocks: list[Block] = [Subheading("Between raters")]
    if not between:
        blocks.append(Paragraph("Undefined: it takes two raters."))
    blocks += _agreement_blocks(
        between,
        "Agreement of first readings. Left out: units that miss a rating. κ and α are 0 for what chance gives and 1 "
        "for full agreement; they are undefined if only one category was used.",
    )
    blocks.append(Subheading("Within a rater"))
    if not within:
        blocks.append(Paragraph("Undefined: the project mixes in no case a second time."))
    blocks += _agreement_blocks(within, "Agreement of each rater's first and second reading of repeated cases.")
    return Section("agreement", "Agreement", blocks)


def _agreement_blocks(numbers: Sequence[Number], caption: str) -> list[Block]:
    """Return a table, and in words what nobody rated twice."""
    rated = {_about(number) for number in numbers if number.estimate.n}
    shown = [number for number in numbers if _about(number) in rated]
    left_out = ("left out", lambda number: UNDEFINED if number.missing is None else str(number.missing))
    what = ("of", lambda number: f"{_about(number)}, by {number.scope}")
    columns: Columns = [("raters", _raters), _CHECKPOINT, what, ("number", _title), left_out]
    blocks: list[Block] = [_table(shown, columns, caption)] if shown else []
    for about in dict.fromkeys(_about(number) for number in numbers):
        if about not in rated:
            blocks.append(Paragraph(f"Undefined for the {about}: nothing has two ratings."))
    return blocks


def overlap_section(numbers: ReviewNumbers) -> Section:
    """Return Dice with the prediction and between raters, and what corrections changed."""
    dice = [n for n in numbers.agreement_numbers if n.measure in ("dice", "dice_with_prediction")]
    both = [n for n in numbers.agreement_numbers if n.measure == "both_accepted_frames"]
    corrections = [n for n in numbers.rate_numbers if n.measure in ("corrected_frames", "area_change")]
    class_name = ("class", lambda number: number.class_name or UNDEFINED)
    no_dice = ("both empty", lambda number: UNDEFINED if number.missing is None else str(number.missing))
    blocks: list[Block] = [
        _table(
            dice,
            [("raters", _raters), _CHECKPOINT, class_name, ("number", _title), no_dice],
            "Mean over cases of the mean Dice of a case's frames. Between raters: frames that one corrected and the "
            "other corrected or accepted. Both empty: frames without a Dice, since neither mask has a pixel.",
        )
    ]
    if both:
        rows = tuple((_raters(n), n.checkpoint, str(n.estimate.n), str(n.estimate.cases)) for n in both)
        columns = ("raters", "checkpoint", "frames", "cases")
        caption = "Frames in which both took the prediction as it is. Their masks are equal; no Dice above counts them."
        blocks.append(Table(columns, rows, frozenset({"raters", "checkpoint"}), caption))
    blocks.append(
        _table(
            corrections,
            [_RATER, class_name, ("number", _title)],
            "Corrections. Change of the area: (after − before) / before, in pixels, mean over cases.",
        )
    )
    return Section("overlap", "Masks and corrections", blocks)


def time_section(numbers: ReviewNumbers) -> Section:
    """Return the time for each case."""
    times = [n for n in numbers.rate_numbers if "seconds" in n.measure]
    caption = "Seconds at work on a case, while it was in view and the rater did something, of cases done and not done."
    of_cases = ("cases", lambda number: number.category)
    return Section("time", "Time", [_table(times, [_RATER, of_cases, ("number", _title)], caption)])


def _table(numbers: Sequence[Number], columns: Columns, caption: str) -> Table:
    used = [(title, of) for title, of in columns if title != "checkpoint" or len({n.checkpoint for n in numbers}) > 1]
    rows = tuple(
        (*(of(number) for _, of in used), *estimate_cells(number.estimate, text_for(number.measure)))
        for number in numbers
    )
    shown = COLUMNS
    if not any(row[-1] for row in rows):  # no notes
        rows, shown = tuple(row[:-1] for row in rows), COLUMNS[:-1]
    names = tuple(title for title, _ in used)
    return Table((*names, *shown), rows, frozenset({*names, "note"} - {"left out", "both empty"}), caption)


def _title(number: Number) -> str:
    return _TITLES.get(number.measure, number.measure)


def _raters(number: Number) -> str:
    if not number.other_rater:
        return number.rater
    if number.rater == number.other_rater:
        return f"{number.rater}, twice"
    return f"{number.rater} – {number.other_rater}"


def _about(number: Number) -> str:
    return f"heatmap of {number.stage}" if number.stage else number.about


_RATER = ("rater", lambda number: number.rater)
_CHECKPOINT = ("checkpoint", lambda number: number.checkpoint)
_SCOPE = ("by", lambda number: number.scope)
