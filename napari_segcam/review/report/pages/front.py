"""First page: what was read, and the main numbers in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from napari_segcam.reporting.report.document import RESEARCH_ONLY, Block, Bullets, Facts, Paragraph
from napari_segcam.reporting.report.text import counted
from napari_segcam.review.agreement.median import median, quartiles
from napari_segcam.review.report.pages.estimate_text import in_words, kappa_text, share_text
from napari_segcam.review.report.pages.plots import verdict_plots
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import Number
from napari_segcam.review.report.timing import finished_seconds
from napari_segcam.version import __version__


def front_blocks(numbers: ReviewNumbers, written: datetime) -> list[Block]:
    """Return the first page of the report."""
    project = numbers.review.project
    blocks: list[Block] = [
        Paragraph(
            f"{RESEARCH_ONLY}. The numbers describe how these raters read these cases; they do not show who is right.",
            warning=True,
        ),
        *(Paragraph(warning, warning=True) for warning in numbers.warnings),
        Facts(
            (
                ("Project", project.title),
                ("Cases", str(len(project.cases))),
                ("Raters", ", ".join(work.rater for work in numbers.review.raters) or "none yet"),
                (
                    "Checkpoints",
                    "; ".join(f"{point.name}: SHA-256 {', '.join(point.sha256)}" for point in project.checkpoints)
                    or "none",
                ),
                ("Report written", f"{written.isoformat(' ', 'minutes')}, napari-segcam {__version__}"),
            )
        ),
    ]
    if not numbers.review.raters:
        return [*blocks, Paragraph("No rater has begun, so there are no numbers yet.")]
    items = [
        *_progress(numbers),
        *_acceptance(numbers),
        *_agreement(numbers),
        *_heatmaps(numbers),
        *_time(numbers),
    ]
    return [*blocks, Bullets(tuple(items)), *verdict_plots(numbers), Paragraph(_INTERVAL, note=True)]


_INTERVAL = (
    "A 95% interval is the range in which the number would plausibly lie if other cases of the same kind were read. "
    "A wide interval means: too few cases to be sure. Everything is counted over cases, since the frames of one cine "
    "resemble each other."
)


def _progress(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    counts = [number for number in numbers.rate_numbers if number.measure == "readings"]
    done = sum(int(number.estimate.value or 0) for number in counts if number.category == "done")
    total = sum(number.estimate.n for number in counts if number.category == "done")
    problems = sum(int(number.estimate.value or 0) for number in counts if number.category == "problem")
    text = f"{done} of {counted(total, 'reading')} {'is' if done == 1 else 'are'} done"
    text += f"; {counted(problems, 'reading')} had a problem" if problems else ""
    return [("Progress", f"{text}. A reading is one rater reading one case.")]


def _acceptance(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    items = []
    for number in _of(numbers.rate_numbers, "acceptance", scope="case"):
        name = f"{number.rater} on checkpoint {number.checkpoint}" if _several(numbers) else number.rater
        if number.estimate.value is None:
            text = "no case has a verdict on its whole mask yet"
        else:
            count = round(number.estimate.value * number.estimate.n)
            text = f"accepted the mask as it is in {count} of {counted(number.estimate.n, 'case')}: "
            text += in_words(number.estimate, share_text)
        items.append((f"Acceptance, {name}", f"{text}."))
    return items


def _agreement(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    if len(numbers.review.raters) < 2:
        return [("Agreement", "there is one rater, so agreement between raters is undefined.")]
    measure = "fleiss_kappa" if len(numbers.review.raters) > 2 else "cohen_kappa"
    title = "Fleiss’ κ" if measure == "fleiss_kappa" else "Cohen’s κ"
    items = []
    for number in _of(numbers.agreement_numbers, measure, scope="case", about="mask"):
        if number.rater == number.other_rater:
            continue  # two readings of one rater
        where = f", checkpoint {number.checkpoint}" if _several(numbers) else ""
        estimate = number.estimate
        text = f"{title} of the verdicts on masks is {in_words(estimate, kappa_text)}"
        text += f", over {counted(estimate.n, 'case')} that all rated" if estimate.value is not None else ""
        text += ". 0 is what chance alone gives, 1 is full agreement."
        if estimate.lower is not None and estimate.lower <= 0:
            text += " The interval reaches 0: with so few cases, raters may agree no better than by chance."
        items.append((f"Agreement between raters{where}", text))
    return items


def _heatmaps(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    changes = _of(numbers.rate_numbers, "verdict_changed_by_heatmap", scope="verdict")
    total = sum(number.estimate.n for number in changes)
    if not total:
        return [("Heatmaps", "no verdict was given before the heatmap was seen, so its effect is unknown.")]
    changed = sum(round((number.estimate.value or 0) * number.estimate.n) for number in changes)
    return [("Heatmaps", f"{changed} of {counted(total, 'verdict')} changed after the heatmap was seen.")]


def _time(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    items = []
    for work in numbers.review.raters:
        seconds = finished_seconds(numbers.review, work)
        middle, spread = median(seconds).value, quartiles(seconds)
        if middle is None or spread is None:
            continue
        items.append(
            (
                f"Time, {work.rater}",
                f"a typical case takes {middle:.0f} s (median of {counted(len(seconds), 'finished case')}); half of "
                f"them take {spread[0]:.0f} to {spread[1]:.0f} s.",
            )
        )
    return items


def _of(numbers: Sequence[Number], measure: str, scope: str, about: str = "") -> list[Number]:
    return [
        number
        for number in numbers
        if number.measure == measure and number.scope == scope and about in ("", number.about)
    ]


def _several(numbers: ReviewNumbers) -> bool:
    return len(numbers.review.checkpoints) > 1
