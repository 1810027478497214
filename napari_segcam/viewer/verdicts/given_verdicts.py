"""The verdicts that were given on what is in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.review.frame_verdicts import FrameVerdict, frame_verdicts, grade_in_words, verdict_in_words
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.verdicts.open_review import OpenReview, reading_in_view, state_in_view
from napari_segcam.viewer.verdicts.target import Target
from napari_segcam.viewer.verdicts.target_choice import TargetChoice

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class GivenVerdicts:
    """Reads the state of the reading in view."""

    def __init__(self, session: ReviewSession, project: OpenReview, choice: TargetChoice) -> None:
        self._session = session
        self._project = project
        self._choice = choice

    @property
    def state(self) -> ReadingState:
        """The state of the reading in view; a blank one without it."""
        return state_in_view(self._project) or ReadingState()

    def exact(self, target: Target) -> Verdict | None:
        """Return the verdict on the mask on just this target, or None."""
        key = (target.first, target.last, target.number)
        fitting = [one for one in self.state.verdicts if one.about == "mask" and one.checkpoint == "A"]
        return next((one for one in reversed(fitting) if (one.first, one.last, one.finding) == key), None)

    def on_mask(self) -> Verdict | None:
        """Return the verdict on the mask that holds: on the finding or the range, the frame in view, or the case."""
        target = self._choice.target()
        if self._choice.scope in ("range", "finding"):
            return self.exact(target)
        return self.state.verdict_at(None if target.first is None else self._choice.frame)

    def on_heatmap(self) -> Verdict | None:
        """Return the verdict on the heatmap that is shown, or None."""
        stage, target = self.stage(), self._choice.target()
        if stage is None:
            return None
        return self.state.verdict_at(None if target.first is None else self._choice.frame, "heatmap", stage=stage)

    def grade(self) -> int | None:
        """Return the grade of the frame in view, or of the case."""
        grade = self.state.grade_at(None if self._choice.target().first is None else self._choice.frame)
        return None if grade is None else grade.value

    def note(self) -> str:
        """Return the note on just the target; empty where there is none."""
        target, notes = self._choice.target(), self.state.notes
        return next((note.text for note in notes if (note.first, note.last) == (target.first, target.last)), "")

    def stage(self) -> str | None:
        """Return the stage whose heatmap is judged: the topmost visible one."""
        heated = self._session.view.heated
        return heated[-1] if heated else None

    def row(self) -> NDArray[np.uint8]:
        """Return the verdict of each frame, ``(T,)`` of ``FrameVerdict``."""
        return frame_verdicts(self.state, self._choice.frame_count)

    def open_frames(self) -> NDArray[np.intp]:
        """Return the frames with a finding that have no verdict yet; all without one where nothing was found."""
        record, row = self._session.record, self.row()
        if record is None:
            return np.empty(0, np.intp)
        findings = record.findings()
        findings[sorted(record.edited)] = True
        wanted = findings if findings.any() else np.ones(len(record), bool)
        return np.flatnonzero(wanted & (row == FrameVerdict.NONE))

    @property
    def is_complete(self) -> bool:
        """Whether all is computed, and no frame with a finding is open; without findings, one verdict is enough."""
        record = self._session.record
        if record is None or reading_in_view(self._project) is None or not (record.states == FrameState.DONE).all():
            return False
        has_finding = bool(record.findings().any() or record.edited)
        return len(self.open_frames()) == 0 if has_finding else bool(self.row().any())

    def frame_words(self, frame: int) -> str:
        """Return what was decided about a frame, in words; empty if nothing was."""
        state = self.state
        verdict, grade = state.verdict_at(frame), state.grade_at(frame)
        others = [one for one in state.verdicts if one is not verdict and (one.first is None or _covers(one, frame))]
        findings = [one for one in others if one.about == "mask" and one.finding is not None]
        heat = [one for one in others if one.about == "heatmap"]
        parts = [verdict_in_words(one, state) for one in ([verdict] if verdict else []) + findings + heat]
        return ", ".join([*parts, *([grade_in_words(grade)] if grade else [])])


def _covers(verdict: Verdict, frame: int) -> bool:
    return verdict.first is not None and verdict.last is not None and verdict.first <= frame <= verdict.last
