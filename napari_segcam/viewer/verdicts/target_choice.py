"""The target of verdicts that the reader has chosen; it follows the reader from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.click.shapes import pixel_at
from napari_segcam.viewer.verdicts.target import SCOPES, Finding, Marks, Scope, Target, finding_at, mask_in_view

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class TargetChoice(QObject):
    """What the next verdict is about.

    Attributes:
        scope: a frame, a range, a finding or the whole case.
        marks: of the range.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.scope: Scope = "frame"
        self.marks = Marks()
        self._is_spent = False  # the range has its verdict, and ends with the next step
        session.frame_changed.connect(self._on_frame)

    @property
    def frame(self) -> int:
        """The frame in view."""
        return self._session.current_frame()

    @property
    def frame_count(self) -> int:
        """How many frames the image has; 0 without one."""
        record = self._session.record
        return 0 if record is None else len(record)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What can be chosen: a still is judged as a whole, or one of its findings."""
        return SCOPES if self.frame_count > 1 else ("case", "finding")

    def target(self) -> Target:
        """Return what the next verdict is about; a finding is missing from it where there is none."""
        if self.scope == "finding":
            return Target(self.frame, self.frame, self.finding())
        if self.scope == "case" or self.frame_count <= 1:
            return Target()
        return Target(*(self.marks.span(self.frame) if self.scope == "range" else (self.frame, self.frame)))

    def finding(self) -> Finding | None:
        """Return the finding under the cursor, or the largest in the frame in view; None where there is none."""
        session, mask = self._session, self._mask()
        if session.image is None or mask is None:
            return None
        return finding_at(mask, pixel_at(session.image, session.viewer.cursor.position))

    @property
    def has_mask(self) -> bool:
        """Whether the mask of the frame in view is known, blank or not."""
        return self._mask() is not None

    def choose(self, scope: Scope) -> None:
        """Let verdicts be about this from now on; a range without marks begins at the frame in view."""
        self.scope, self._is_spent = scope, False
        if scope != "range":
            self.marks = Marks()
        elif self.marks.is_blank:
            self.marks.start = self.frame
        self.changed.emit()

    def choose_next(self) -> None:
        """Go from the frame to the range, the finding, the case, and back."""
        index = self.scopes.index(self.scope) if self.scope in self.scopes else -1
        self.choose(self.scopes[(index + 1) % len(self.scopes)])

    def mark_start(self) -> None:
        """Let a range begin at the frame in view."""
        self._mark(start=self.frame, end=self.marks.end)

    def mark_end(self) -> None:
        """Let a range end at the frame in view."""
        self._mark(start=self.marks.start, end=self.frame)

    def reset(self) -> None:
        """Start with another image."""
        self.marks, self._is_spent = Marks(), False
        self.scope = "frame" if self.frame_count > 1 else "case"
        self.changed.emit()

    def note_verdict(self) -> None:
        """Note that the range has its verdict: it stays until the next step, so that the verdict can be changed."""
        self._is_spent = self.scope == "range"

    def _mask(self) -> NDArray[np.bool_] | None:
        review = self._session.review
        return None if review is None else mask_in_view(review, self.frame)

    def _mark(self, *, start: int | None, end: int | None) -> None:
        if self.frame_count <= 1:
            return
        if self._is_spent:  # a new range
            start, end = (self.frame if value == self.frame else None for value in (start, end))
        self.marks, self._is_spent, self.scope = Marks(start, end), False, "range"
        self.changed.emit()

    def _on_frame(self, _frame: int) -> None:
        if self._is_spent:
            self.marks, self._is_spent, self.scope = Marks(), False, "frame"
        self.changed.emit()
