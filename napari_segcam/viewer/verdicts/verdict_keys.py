"""The keys of verdicts and of blinded reading."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.verdicts.target_choice import TargetChoice
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Press = Callable[["ReviewSession"], object]

MASK_KEYS = {"accept": "F2", "correct": "F3", "reject": "F4"}
HEATMAP_KEYS = {"plausible": "F5", "implausible": "F6", "cannot tell": "F7"}
NOTE_KEY, TAKE_BACK_KEY = "F8", "F9"
SCOPE_KEY, START_KEY, END_KEY = "Shift+S", ",", "."
FOUND_KEY, NOT_FOUND_KEY, DRAW_KEY, DRAWN_KEY = "Shift+F", "Shift+O", "Shift+T", "Shift+E"
GRADES = range(1, 6)
REASONS = range(1, 10)


def grade_key(grade: int) -> str:
    """Return the key of a grade."""
    return f"Ctrl+{grade}"


def reason_key(number: int) -> str:
    """Return the key of a reason, by its number from 1; empty beyond the ninth."""
    return f"Alt+{number}" if number in REASONS else ""


def _verdicts(session: ReviewSession) -> VerdictsController:
    return controller_of(session, VerdictsController)


def _choice(session: ReviewSession) -> TargetChoice:
    return _verdicts(session).choice


def _blinding(session: ReviewSession) -> BlindingController:
    return controller_of(session, BlindingController)


def _give(value: str, session: ReviewSession) -> None:
    _verdicts(session).give(value)


def _give_on_heatmap(value: str, session: ReviewSession) -> None:
    _verdicts(session).give_on_heatmap(value)


def _grade(value: int, session: ReviewSession) -> None:
    _verdicts(session).grade(value)


def _reason(number: int, session: ReviewSession) -> None:
    _verdicts(session).toggle_reason_number(number)


VERDICT_KEYS: tuple[tuple[str, str, Press], ...] = (
    (MASK_KEYS["accept"], "Accept the mask", partial(_give, "accept")),
    (MASK_KEYS["correct"], "The mask needs a correction (painting says so too)", partial(_give, "correct")),
    (MASK_KEYS["reject"], "Reject the mask", partial(_give, "reject")),
    *((reason_key(number), "Give a reason of the rejection", partial(_reason, number)) for number in REASONS),
    *((grade_key(grade), "Grade the mask, 1 (poor) to 5", partial(_grade, grade)) for grade in GRADES),
    (HEATMAP_KEYS["plausible"], "The heatmap is plausible", partial(_give_on_heatmap, "plausible")),
    (HEATMAP_KEYS["implausible"], "The heatmap is implausible", partial(_give_on_heatmap, "implausible")),
    (HEATMAP_KEYS["cannot tell"], "The heatmap cannot be judged", partial(_give_on_heatmap, "cannot tell")),
    (NOTE_KEY, "Write a note", lambda session: _verdicts(session).note_wanted.emit()),
    (TAKE_BACK_KEY, "Take the verdict back", lambda session: _verdicts(session).take_back()),
    (START_KEY, "Begin a range of frames for the next verdict", lambda session: _choice(session).mark_start()),
    (END_KEY, "End the range of frames", lambda session: _choice(session).mark_end()),
    (
        SCOPE_KEY,
        "Judge the frame, a range, a finding or the case",
        lambda session: _verdicts(session).choice.choose_next(),
    ),
    (FOUND_KEY, "Blinded: there is a finding", lambda session: _blinding(session).answer(True)),
    (NOT_FOUND_KEY, "Blinded: there is no finding", lambda session: _blinding(session).answer(False)),
    (DRAW_KEY, "Blinded: draw the finding", lambda session: _blinding(session).draw()),
    (DRAWN_KEY, "Blinded: the drawing is done", lambda session: _blinding(session).answer(None)),
)
"""Each key, what it does in the user's words, and what is called."""
