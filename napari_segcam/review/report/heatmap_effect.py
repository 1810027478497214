"""Effect of the heatmap: whether verdicts on the mask change once it is seen, and differ where it is hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_share
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.rows import Number


@dataclass(frozen=True)
class Reconsidered:
    """A verdict on a mask that was given before the heatmap was seen, and what became of it afterwards.

    Attributes:
        case: its identifier.
        before: the verdict without the heatmap.
        after: the verdict that holds, with it.
    """

    case: str
    before: str
    after: str


def reconsidered(work: RaterWork, review: Review, checkpoint: str) -> list[Reconsidered]:
    """Return a rater's verdicts on masks that were given without the heatmap, where it was seen later.

    A verdict that was not given again after the heatmap came into view was kept. Repeats count like first readings.
    """
    found = []
    for reading, state in work.state.readings.items():
        if reading.case not in review.cases:
            continue
        given = [verdict for verdict in state.given if verdict.about == "mask" and verdict.checkpoint == checkpoint]
        for key in dict.fromkeys(_key(verdict) for verdict in given):
            same = [verdict for verdict in given if _key(verdict) == key]
            blind = [verdict for verdict in same if not verdict.saw_heatmap]
            before = blind[-1] if blind else None
            if before is None or before.value is None:
                continue
            later = [verdict for verdict in same if verdict.n > before.n and verdict.saw_heatmap]
            if later and later[-1].value is None:
                continue  # taken back, and not given again
            if later or _saw_heatmap_after(state, before):
                after = later[-1].value if later else before.value
                found.append(Reconsidered(reading.case, before.value, str(after)))
    return found


def heatmap_effects(review: Review, bootstrap: Bootstrap) -> Iterator[Number]:
    """Yield how often each rater changed a verdict after seeing the heatmap, and acceptance with and without it."""
    for work in review.raters:
        for checkpoint in review.checkpoints:
            pairs = reconsidered(work, review, checkpoint)
            changed = (
                clustered_share([pair.before != pair.after for pair in pairs], [pair.case for pair in pairs], bootstrap)
                if pairs
                else Estimate.undefined("no verdict was given before the heatmap was seen, and the heatmap seen later")
            )
            yield _number("verdict_changed_by_heatmap", work, checkpoint, changed)
            for change, count in sorted(Counter((pair.before, pair.after) for pair in pairs).items()):
                estimate = Estimate(float(count), n=len(pairs), cases=changed.cases, interval="none: a count")
                yield _number("verdicts_before_and_after", work, checkpoint, estimate, " → ".join(change))
            for saw, name in ((False, "heatmap not seen"), (True, "heatmap seen")):
                units = _values(work, review, checkpoint, saw)
                share = (
                    clustered_share([value == "accept" for _, value in units], [case for case, _ in units], bootstrap)
                    if units
                    else Estimate.undefined("no verdict was given so")
                )
                yield _number("acceptance_by_heatmap", work, checkpoint, share, name)


def _values(work: RaterWork, review: Review, checkpoint: str, saw: bool) -> list[tuple[str, str]]:
    """Return the case and value of each verdict that holds for a mask of a first reading, given with or without it."""
    return [
        (case.id, verdict.value)
        for case in review.project.cases
        for verdict in work.of(case).verdicts
        if verdict.about == "mask"
        and verdict.checkpoint == checkpoint
        and verdict.saw_heatmap == saw
        and verdict.value is not None
    ]


def _key(verdict: Verdict) -> tuple[object, ...]:
    return verdict.first, verdict.last, verdict.finding


def _saw_heatmap_after(state: ReadingState, verdict: Verdict) -> bool:
    return any(shown.heatmaps and shown.n > verdict.n for shown in state.shown)


def _number(measure: str, work: RaterWork, checkpoint: str, value: Estimate, category: str = "") -> Number:
    return Number(measure, value, "mask", "verdict", checkpoint, rater=work.rater, category=category)
