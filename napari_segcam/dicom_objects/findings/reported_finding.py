"""A reported finding: one finding in one frame, with what is measured and what a reader says about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_segcam.measuring.finding_size import FindingSize

VerdictValue = Literal["accept", "correct", "reject"]
Origin = Literal["network", "edited", "reader"]
"""Who made a mask: the network, the network and then a reader, or a reader alone."""


@dataclass(frozen=True)
class ReaderVerdict:
    """What a reader says about a mask.

    Attributes:
        value: of the verdict.
        reasons: of a rejection.
        about: what it was given on: one finding, or the whole mask of the frame.
    """

    value: VerdictValue
    reasons: tuple[str, ...] = ()
    about: Literal["finding", "mask"] = "mask"


@dataclass(frozen=True)
class ReportedFinding:
    """One finding in one frame.

    Attributes:
        frame: its number in the cine, from 0.
        class_name: of the finding.
        number: among the findings of its class in the frame, from 1, in the order of ``numbered_components``.
        size: as ``measure_finding`` gives it.
        tracking_id: what it is called in all frames in which it is the same, such as "fibroid 1".
        tracking_uid: the same, unique in the world.
        probability: mean of the network's probability of the class over its pixels; None where there is none.
        no_probability: why there is none, in words.
        origin: who made the mask of this class in this frame.
        verdict: of the reader; None where there is none.
        notes: what a reader of the report should know, in sentences without a period.
    """

    frame: int
    class_name: str
    number: int
    size: FindingSize
    tracking_id: str
    tracking_uid: str
    probability: float | None = None
    no_probability: str = ""
    origin: Origin = "network"
    verdict: ReaderVerdict | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrameVerdicts:
    """What a reader says about the mask of one frame.

    Attributes:
        mask: the verdict on all of it; None if there is none.
        findings: verdicts on single findings, each with the row and the column of a pixel in the finding.
    """

    mask: ReaderVerdict | None = None
    findings: tuple[tuple[tuple[int, int], ReaderVerdict], ...] = ()
