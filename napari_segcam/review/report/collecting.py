"""Collecting: what all raters of a project have done, without changing or locking anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.review.log.events import AnyEvent
from napari_segcam.review.log.mask_files import read_mask
from napari_segcam.review.log.state import RaterState, ReadingState, counting, state_of
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Case
from napari_segcam.review.readings import Reading


@dataclass(frozen=True)
class RaterWork:
    """What one rater has done.

    Attributes:
        rater: the name.
        readings: all that the project asks of the rater, in the rater's order, and any others in the log.
        state: what follows from the log.
        masks: folder of the rater's masks.
        events: of the log that count, in order.
    """

    rater: str
    readings: tuple[Reading, ...]
    state: RaterState
    masks: Path
    events: tuple[AnyEvent, ...] = ()

    def of(self, case: Case, repeat: int = 1) -> ReadingState:
        """Return what the rater did with a case, which may be nothing."""
        return self.state.of(Reading(case.id, repeat))

    def labels(self, sha256: str) -> NDArray[np.uint8]:
        """Return a mask ``(Y, X)`` of the rater's.

        Raises:
            SegcamError: if its file is missing or damaged.
        """
        return read_mask(self.masks, sha256)


@dataclass(frozen=True)
class Review:
    """A project and what its raters have done.

    Attributes:
        project: that was read.
        raters: in the order of their names.
        warnings: what could not be read, in words.
    """

    project: ReviewProject
    raters: tuple[RaterWork, ...]
    warnings: list[str] = field(default_factory=list)

    @cached_property
    def cases(self) -> Mapping[str, Case]:
        """The cases by their identifiers."""
        return {case.id: case for case in self.project.cases}

    @cached_property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of the checkpoints that verdicts, grades or corrections are about; A if there are none."""
        states = [state for work in self.raters for state in work.state.readings.values()]
        names = {verdict.checkpoint for state in states for verdict in state.verdicts}
        names |= {grade.checkpoint for state in states for grade in state.grades}
        names |= {correction.checkpoint for state in states for correction in state.corrections.values()}
        return tuple(sorted(names)) or ("A",)

    def first_readings(self) -> Iterator[tuple[RaterWork, Case, ReadingState]]:
        """Yield every rater's first reading of every case, blank ones included."""
        for work in self.raters:
            for case in self.project.cases:
                yield work, case, work.of(case)


def collect(project: ReviewProject) -> Review:
    """Return what all raters of a project have done.

    A log that cannot be read, or a damaged line of one, is a warning and not an error: the others count.
    """
    known = {case.id for case in project.cases}
    works, warnings = [], []
    for rater in project.raters():
        try:
            content = project.read_log(rater)
        except SegcamError as error:
            warnings.append(f"The log of {rater} is left out: {error}")
            continue
        warnings += content.warnings
        state, events = state_of(content.events), tuple(counting(content.events))
        strange = sorted({reading.case for reading in state.readings} - known)
        if strange:
            warnings.append(
                f"The log of {rater} names cases that are not in the project, which are left out: {', '.join(strange)}."
            )
        planned = project.readings(rater)
        others = [reading for reading in sorted(state.readings) if reading.case in known and reading not in planned]
        works.append(RaterWork(rater, (*planned, *others), state, project.mask_folder(rater), events))
    return Review(project, tuple(works), warnings)
