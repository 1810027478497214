"""The comparison of two checkpoints: all its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from napari_segcam.batch.provenance import network_record, versions
from napari_segcam.comparing.cases import RULE, case_rows
from napari_segcam.comparing.comparing import Comparing
from napari_segcam.comparing.mask_comparison import Row
from napari_segcam.comparing.ranking import DifferentFrame, most_different
from napari_segcam.comparing.summary import ClassSummary, summaries
from napari_segcam.comparing.words import sentences
from napari_segcam.errors import SegcamError
from napari_segcam.statistics.interval import CONFIDENCE, RESAMPLES
from napari_segcam.version import __version__

_LISTED = 50


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints compared on some images. All differences are B − A.

    Attributes:
        rows: one for each frame and class, with the columns of ``comparison.csv``.
        cases: one for each case and class, with the columns of ``cases.csv``.
        classes: the summary of each class: means over cases with their intervals, and counts.
        most_different: rows of the frames that differ most, first by the Dice of A and B.
        errors: by image, of those that could not be compared.
        record: what was compared and how, in plain values; also the content of ``comparison.json``.
        pictured: the frames to show of each class, by its name.
    """

    rows: list[Row]
    cases: list[Row]
    classes: list[ClassSummary]
    most_different: list[Row]
    errors: Mapping[str, str]
    record: Mapping[str, Any] = field(repr=False)
    pictured: Mapping[str, Sequence[DifferentFrame]] = field(repr=False)


def finished(
    comparing: Comparing, on_image: Callable[[str, str], None] = lambda _name, _error: None
) -> Comparison | None:
    """Compare all images and return the comparison; None if it was cancelled before the last one.

    Args:
        comparing: what to compare.
        on_image: called after each image with its name and its error.

    Raises:
        SegcamError: if no image could be compared.
    """
    rows: list[Row] = []
    errors: dict[str, str] = {}
    images = []
    for image in comparing:
        on_image(image.name, image.error)
        rows += image.rows
        if image.error:
            errors[image.name] = image.error
        else:
            images.append(dict(image.record))
    if len(images) + len(errors) < len(comparing.images):
        return None
    if not rows:
        count = len(comparing.images)
        raise SegcamError(f"None of the {count} images could be compared; the first: {next(iter(errors.values()), '')}")
    cases = case_rows(rows)
    classes = summaries(rows, cases, comparing.options.seed)
    ranked = most_different(rows)
    record = {
        "format": 1,
        "napari_segcam": __version__,
        "a": {**network_record(comparing.a), "threshold": comparing.thresholds[0]},
        "b": {**network_record(comparing.b), "threshold": comparing.thresholds[1]},
        "options": asdict(comparing.options),
        "interval": {"over": "cases", "confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": comparing.options.seed},
        "rule_of_cases": RULE,
        "found": comparing.found,
        "notes": list(comparing.notes),
        "classes": [{**summary.as_dict(), "in_words": sentences(summary)} for summary in classes],
        "frames_that_differ": len(ranked),
        "most_different": [_place(row) for row in ranked[:_LISTED]],
        "images": images,
        "errors": errors,
        "versions": versions(),
    }
    names = [summary.name for summary in classes]
    pictured = {name: comparing.different.of_class(name) for name in names}
    return Comparison(rows, cases, classes, ranked, errors, record, pictured)


def _place(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("case", "image", "frame", "class", "dice", "disagreement")}
