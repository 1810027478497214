"""First page: what was read, and the main numbers in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from napari_segcam.number_format import UNDEFINED, counted
from napari_segcam.reporting.report.document import RESEARCH_ONLY, Block, Bullets, Facts, Paragraph, Table
from napari_segcam.review.agreement.median import median, quartiles
from napari_segcam.review.report.collecting import RaterWork
from napari_segcam.review.report.pages.estimate_text import in_words, interval_text, kappa_text, share_text
from napari_segcam.review.report.pages.plots import verdict_plots
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import Number
from napari_segcam.review.report.timing import case_seconds
from napari_segcam.version import __version__

_INTERVAL = (
    "A 95% interval is the range in which the number would plausibly be if other cases of the same kind were read. "
    "A wide interval means: too few cases to be sure. Everything is counted over cases, since the frames of one cine "
    "resemble each other."
)
_COLUMNS = ("rater", "done", "masks accepted", "95% interval", "typical time", "half of the cases")


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
                    "; ".join(f"{point.name}: SHA-256 {', '.join(point.sha256)}" for point in project.checkpoints),
                ),
                ("Report written", f"{written.isoformat(' ', 'minutes')}, napari-segcam {__version__}"),
            )
        ),
    ]
    if not numbers.review.raters:
        return [*blocks, Paragraph("No rater has begun, so there are no numbers yet.")]
    items = [*_progress(numbers), *_acceptance(numbers), *_agreement(numbers), *_heatmaps(numbers)]
    return [*blocks, Bullets(tuple(items)), *verdict_plots(numbers), *_raters(numbers), Paragraph(_INTERVAL, note=True)]


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
    for checkpoint in numbers.review.checkpoints:
        shares = [
            number
            for number in _of(numbers.rate_numbers, "acceptance", scope="case")
            if number.checkpoint == checkpoint and number.estimate.value is not None
        ]
        where = f", checkpoint {checkpoint}" if len(numbers.review.checkpoints) > 1 else ""
        if not shares:
            text = f"No case has a verdict on its whole mask yet{_of_frames(numbers, checkpoint)}."
            items.append((f"Acceptance{where}", text))
            continue
        shares.sort(key=lambda number: number.estimate.value or 0)
        low, high = shares[0], shares[-1]
        text = f"{low.rater} accepted the mask as it is in {_share_of(low)}"
        if len(shares) > 1:
            others = f", the fewest of all raters; {high.rater} in {_share_of(high)}, the most"
            text += others if len(shares) > 2 else f"; {high.rater} in {_share_of(high)}"
        items.append((f"Acceptance{where}", f"{text}."))
    return items


def _of_frames(numbers: ReviewNumbers, checkpoint: str) -> str:
    """Return how many of the single frames that were rated each rater accepted; empty without any."""
    texts = [
        f"{number.rater} accepted {in_words(number.estimate, share_text)} of {counted(number.estimate.n, 'frame')}"
        for number in _of(numbers.rate_numbers, "acceptance", scope="frame")
        if number.checkpoint == checkpoint and number.estimate.value is not None
    ]
    return f". Of the frames that were rated, {'; '.join(texts)}" if texts else ""


def _share_of(number: Number) -> str:
    estimate = number.estimate
    count = round((estimate.value or 0) * estimate.n)
    return f"{count} of {counted(estimate.n, 'case')}: {in_words(estimate, share_text)}"


def _agreement(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    if len(numbers.review.raters) < 2:
        return [("Agreement", "There is one rater, so agreement between raters is undefined.")]
    measure = "fleiss_kappa" if len(numbers.review.raters) > 2 else "cohen_kappa"
    title = "Fleiss’ κ" if measure == "fleiss_kappa" else "Cohen’s κ"
    items = []
    for number in _of(numbers.agreement_numbers, measure, scope="case", about="mask"):
        if number.rater == number.other_rater:
            continue  # two readings of one rater
        where = f", checkpoint {number.checkpoint}" if len(numbers.review.checkpoints) > 1 else ""
        estimate = number.estimate
        text = f"{title} of the verdicts on masks is {in_words(estimate, kappa_text)}"
        text += f", over {counted(estimate.n, 'case')} that all rated" if estimate.value is not None else ""
        text += ". 0 is what chance alone gives, 1 is full agreement."
        if estimate.lower is not None and estimate.lower <= 0:
            text += " The interval reaches 0: raters may agree no better than by chance."
        items.append((f"Agreement between raters{where}", text))
    return items


def _heatmaps(numbers: ReviewNumbers) -> list[tuple[str, str]]:
    changes = _of(numbers.rate_numbers, "verdict_changed_by_heatmap", scope="verdict")
    total = sum(number.estimate.n for number in changes)
    if not total:
        text = "Nobody gave a verdict first and saw the heatmap afterwards, so its effect is unknown."
        return [("Heatmaps", text)]
    changed = sum(round((number.estimate.value or 0) * number.estimate.n) for number in changes)
    return [("Heatmaps", f"{changed} of {counted(total, 'verdict')} changed after the heatmap was seen.")]


def _raters(numbers: ReviewNumbers) -> list[Block]:
    """Return a table with a row a rater; with a column for the checkpoint if there are two."""
    several = len(numbers.review.checkpoints) > 1
    rows = []
    for number in _of(numbers.rate_numbers, "acceptance", scope="case"):
        work = next(work for work in numbers.review.raters if work.rater == number.rater)
        estimate = number.estimate
        count = round((estimate.value or 0) * estimate.n)
        accepted = UNDEFINED if estimate.value is None else f"{share_text(estimate.value)} ({count} of {estimate.n})"
        name = (number.rater, number.checkpoint) if several else (number.rater,)
        rows.append((*name, _done(work), accepted, interval_text(estimate, share_text), *_time(numbers, work)))
    columns = (_COLUMNS[0], *(("checkpoint",) if several else ()), *_COLUMNS[1:])
    caption = (
        "Each rater. Accepted: of the cases with a verdict on the whole mask. Typical time: median of finished cases."
    )
    return [Table(columns, tuple(rows), frozenset({"rater", "checkpoint"}), caption)]


def _done(work: RaterWork) -> str:
    done = sum(work.state.of(reading).status == "done" for reading in work.readings)
    return f"{done} of {len(work.readings)}"


def _time(numbers: ReviewNumbers, work: RaterWork) -> tuple[str, str]:
    seconds = case_seconds(numbers.review, work, is_done=True)
    middle, spread = median(seconds).value, quartiles(seconds)
    if middle is None or spread is None:
        return UNDEFINED, UNDEFINED
    return f"{middle:.0f} s", f"{spread[0]:.0f} to {spread[1]:.0f} s"


def _of(numbers: Sequence[Number], measure: str, scope: str, about: str = "") -> list[Number]:
    return [
        number
        for number in numbers
        if number.measure == measure and number.scope == scope and about in ("", number.about)
    ]
