"""The verdict on a network: what the evidence on some images says, in words and in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from napari_segcam.reporting.evidence_summary.shares import Share, number
from napari_segcam.reporting.evidence_summary.summary import EvidenceSummary, of_frames, summaries
from napari_segcam.reporting.evidence_summary.words import doubt_sentence, few_draws, sentences
from napari_segcam.reporting.report.evidence.section import doubt_curve
from napari_segcam.reporting.run_format import Row

_MOST_DOUBTFUL = 5


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of one class.

    Attributes:
        summary: the counts.
        sentences: in words.
        doubt: the measure, and the area under its risk–coverage curve; None if doubt was not measured.
        doubtful: image, frame and doubt of the most doubtful frames.
    """

    summary: EvidenceSummary
    sentences: tuple[str, ...]
    doubt: Mapping[str, Any] | None
    doubtful: tuple[tuple[str, int, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        first = self.summary.first
        return {
            "class": self.summary.class_name,
            "frames": self.summary.frames,
            "tests": self.summary.tests,
            "shown_first": first.stage if first else None,
            "verdict": list(self.sentences),
            "stages": [_plain(stage) for stage in self.summary.stages],
            "maps": [{**_plain(one), "lift": one.lift} for one in self.summary.maps],
            "overlays": _plain(self.summary.overlays) if self.summary.overlays else None,
            "doubt": dict(self.doubt) if self.doubt else None,
            "most_doubtful": [
                {"image": image, "frame": frame, "doubt": doubt} for image, frame, doubt in self.doubtful
            ],
        }


def verdicts(rows: Sequence[Row], draws: int) -> list[Verdict]:
    """Return the verdict on each class in rows of results.

    Args:
        rows: of all frames, methods and stages.
        draws: of the null of faithfulness.
    """
    return [_verdict(each, [row for row in rows if row["class"] == each.class_name], draws) for each in summaries(rows)]


def _verdict(summary: EvidenceSummary, rows: Sequence[Row], draws: int) -> Verdict:
    words = sentences(summary)
    found = doubt_curve(rows)
    doubtful = _most_doubtful(rows)
    if found is not None:
        words.append(doubt_sentence(*found))
        frames = {str(row["image"]) for row in rows if row["frame"]}  # of cines
        listed = ", ".join(
            f"{image}{f', frame {frame}' if image in frames else ''} ({doubt:.2f})" for image, frame, doubt in doubtful
        )
        words.append(f"The most doubtful masks: {listed}.")
    if summary.tests and few_draws(draws):
        words.append(few_draws(draws))
    doubt = None
    if found is not None:
        measure, curve = found
        doubt = {"measure": measure, **(asdict(curve) | {"ratio": curve.ratio} if curve else {"area": None})}
    return Verdict(summary, tuple(words), doubt, doubtful)


def _most_doubtful(rows: Sequence[Row]) -> tuple[tuple[str, int, float], ...]:
    known = [
        (str(row["image"]), int(row["frame"]), doubt)
        for row in of_frames(rows)
        if (doubt := number(row, "doubt")) is not None
    ]
    return tuple(sorted(known, key=lambda frame: -frame[2])[:_MOST_DOUBTFUL])


def _plain(part: Any) -> dict[str, Any]:
    """Return a part of a summary in plain values; shares become count and total."""
    return {
        name: {"count": value.count, "total": value.total} if isinstance(value, Share) else value
        for name, value in ((name, getattr(part, name)) for name in part.__dataclass_fields__)
    }
