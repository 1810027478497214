"""The Verdict widget: what the reader decides about the mask and the heatmap in view."""

from __future__ import annotations

from typing import ClassVar

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from napari_segcam.review.log.events import HEATMAP_VALUES, MASK_VALUES
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.layers.frame_names import frame_in_words, frame_word
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.verdicts.target import Scope, Target
from napari_segcam.viewer.verdicts.verdict_keys import (
    END_KEY,
    GRADES,
    HEATMAP_KEYS,
    MASK_KEYS,
    NOTE_KEY,
    SCOPE_KEY,
    START_KEY,
    TAKE_BACK_KEY,
    grade_key,
)
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingCheckBox
from napari_segcam.viewer.widgets.layout import form, panel, row, scrolled_panel
from napari_segcam.viewer.widgets.verdicts.blinding_panel import BlindingPanel
from napari_segcam.viewer.widgets.verdicts.note_field import NoteField
from napari_segcam.viewer.widgets.verdicts.reason_boxes import ReasonBoxes
from napari_segcam.viewer.widgets.verdicts.value_buttons import ValueButtons


class _Text:
    """Every text of the widget; ``{frame}`` is "frame", or "image" in a folder of stills."""

    ABOUT = "About"
    ABOUT_TIP = (
        "What the next verdict is about ({key} goes to the next).\n"
        "Range: from the {frame} marked with {start} to the one in view, or to the one marked with {end}.\n"
        "Finding: the connected part of the mask under the cursor, or the largest one."
    )
    SCOPES: ClassVar[dict[str, str]] = {"frame": "This {frame}", "case": "Whole case"}
    STILL = "This image"
    RANGE = "{Frame}s {first}–{last}"
    RANGE_UNMARKED = "A range of {frame}s"
    FINDING = "Finding {number} of {count} ({pixels} px)"
    NO_FINDING = "A finding (none here)"
    UNKNOWN_FINDING = "A finding (not computed)"
    MASK = "Mask"
    MASK_VALUES: ClassVar[dict[str, str]] = {"accept": "Accept", "correct": "Correct", "reject": "Reject"}
    MASK_TIPS: ClassVar[dict[str, str]] = {
        "accept": "The mask is right as it is",
        "correct": "The mask needs a correction; painting in it gives this verdict by itself",
        "reject": "The mask is wrong; give one reason or more below",
    }
    GRADE = "Quality"
    GRADE_TIP = "Grade {grade} of 5, where 1 is poor and 5 is excellent ({key})"
    HEATMAP = "Heatmap"
    HEATMAP_VALUES: ClassVar[dict[str, str]] = {
        "plausible": "Plausible",
        "implausible": "Implausible",
        "cannot tell": "Can't tell",
    }
    HEATMAP_TIPS: ClassVar[dict[str, str]] = {
        "plausible": "The heat of the stage in view is where it should be",
        "implausible": "The heat of the stage in view is not where it should be",
        "cannot tell": "It cannot be said whether the heat is where it should be",
    }
    SHOW_HEATMAP = "Show the heatmap of a stage first (K): the verdict is about what is seen."
    NO_HEATMAP = "none is shown"
    HIDDEN_HEATMAP = "hidden"
    NOTE = "Note"
    NOTE_TIP = "A note on what the verdict is about ({key}). Esc goes back to the image."
    TAKE_BACK = "Take back"
    TAKE_BACK_TIP = "Take the verdict that holds here back ({key})"
    DONE = "Done, next case"
    DONE_TIP = "Mark the case as done and go to the next (Ctrl+Enter)"
    GOES_ON = "Go on by itself after the last verdict"
    NONE_YET = "No verdict here yet."
    OPEN = "{count} of {total} {frame}s with a finding have no verdict yet."
    COMPLETE = "Every finding has a verdict."


class VerdictWidget(QWidget):
    """Give verdicts with a click or a key, see what was given, and go on."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session = session_of(napari_viewer)
        self.controller = controller_of(session, VerdictsController)
        self._blinding = controller_of(session, BlindingController)
        self.blinding = BlindingPanel(session, self._blinding)
        self.message = Words()
        self.scope = Choice()
        self.mask = ValueButtons(
            dict(_Text.MASK_VALUES), [f"{_Text.MASK_TIPS[value]} ({MASK_KEYS[value]})" for value in MASK_VALUES]
        )
        self.reasons = ReasonBoxes()
        self.grades = ValueButtons(
            {grade: str(grade) for grade in GRADES},
            [_Text.GRADE_TIP.format(grade=grade, key=grade_key(grade)) for grade in GRADES],
        )
        self.heatmap = ValueButtons(
            dict(_Text.HEATMAP_VALUES),
            [f"{_Text.HEATMAP_TIPS[value]} ({HEATMAP_KEYS[value]})" for value in HEATMAP_VALUES],
        )
        self.stage = Words()
        self.note = NoteField()
        self.note.setToolTip(_Text.NOTE_TIP.format(key=NOTE_KEY))
        self.given = Words()
        self.take_back = QPushButton(_Text.TAKE_BACK)
        self.take_back.setToolTip(_Text.TAKE_BACK_TIP.format(key=TAKE_BACK_KEY))
        self.done = QPushButton(_Text.DONE)
        self.done.setToolTip(_Text.DONE_TIP)
        self.goes_on = WrappingCheckBox(_Text.GOES_ON)
        self.progress = Words()
        for button in (self.take_back, self.done, self.goes_on):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the image
        self._form = form(
            (_Text.ABOUT, self.scope),
            (_Text.MASK, self.mask),
            ("", self.reasons),
            (_Text.GRADE, self.grades),
            (_Text.HEATMAP, self.heatmap),
            ("", self.stage),
            (_Text.NOTE, self.note),
        )
        self._judging = QWidget()
        panel(self._judging, self._form, self.given, row(self.take_back, self.done), self.goes_on, self.progress)
        self._judging.layout().setContentsMargins(0, 0, 0, 0)
        scrolled_panel(self, self.message, self.blinding, self._judging).addStretch(1)
        self._connect()
        self._word = ""
        self._noted: tuple[Reading, Target] | None = None  # what the note is about
        self.refresh()

    def _connect(self) -> None:
        controller = self.controller
        self.scope.chosen.connect(controller.choice.choose)
        self.mask.chosen.connect(self._give)
        self.reasons.toggled.connect(self._toggle_reason)
        self.grades.chosen.connect(controller.grade)
        self.heatmap.chosen.connect(controller.give_on_heatmap)
        self.note.written.connect(self._keep_note)
        self.note.left.connect(self._leave_note)
        self.take_back.clicked.connect(controller.take_back)
        self.done.clicked.connect(controller.done_and_next)
        self.goes_on.toggled.connect(lambda on: setattr(controller, "goes_on", on))
        controller.note_wanted.connect(self._write_note)
        refresh = Throttle(self.refresh, self).ask
        for changed in (controller.changed, self._blinding.changed, self.session.record_changed):
            changed.connect(refresh)
        self.session.image_changed.connect(refresh)
        self.session.reviews.changed.connect(refresh)  # a mask is computed, shown or hidden

    def refresh(self) -> None:
        """Show what can be given, and what was."""
        controller = self.controller
        missing = controller.missing()
        _say(self.message, "" if self._blinding.hidden.prediction else missing)
        self.blinding.refresh()
        self._judging.setVisible(not missing)
        if missing:
            self.note.keep()
            return
        given = controller.given
        verdict, heat, stage = given.on_mask(), given.on_heatmap(), given.stage()
        self._offer_scopes()
        self.mask.show_value(None if verdict is None else verdict.value)
        self.reasons.offer(controller.reasons)
        self.reasons.show_given(() if verdict is None else verdict.reasons)
        self.grades.show_value(given.grade())
        self.heatmap.set_usable(_Text.SHOW_HEATMAP if stage is None else None)
        self.heatmap.show_value(None if heat is None else heat.value)
        self.stage.setText(stage or (_Text.HIDDEN_HEATMAP if self._blinding.hidden.heatmaps else _Text.NO_HEATMAP))
        self._show_note()
        words, unseen = given.frame_words(self.session.current_frame()), controller.unseen()
        for judges in (self.mask, self.grades):  # disabled boxes are lower: all below them would jump
            judges.set_usable(unseen)
        given_words = f"{self._here()}: {words}" if words else ""
        _say(self.given, ". ".join(filter(None, (given_words, unseen))) or _Text.NONE_YET)
        set_usable(self.take_back, _Text.NONE_YET if verdict is None else None)
        self._show_progress()

    def _offer_scopes(self) -> None:
        choice, word = self.controller.choice, frame_word(self.session.image)
        if word != self._word:
            self._word = word
            self.scope.setToolTip(
                _Text.ABOUT_TIP.format(key=SCOPE_KEY, frame=word, start=f'"{START_KEY}"', end=f'"{END_KEY}"')
            )
        self.scope.offer([(self._scope_label(scope), scope) for scope in choice.scopes], choice.scope)

    def _scope_label(self, scope: Scope) -> str:
        choice, word = self.controller.choice, frame_word(self.session.image)
        if scope == "range":
            if choice.scope != "range":
                return _Text.RANGE_UNMARKED.format(frame=word)
            first, last = choice.marks.span(choice.frame)
            return _Text.RANGE.format(Frame=word.capitalize(), first=first, last=last)
        if scope == "finding":
            finding = choice.finding()
            if finding is None:
                return _Text.NO_FINDING if choice.has_mask else _Text.UNKNOWN_FINDING
            return _Text.FINDING.format(number=finding.number, count=finding.count, pixels=finding.pixels)
        if choice.frame_count <= 1:
            return _Text.STILL
        return _Text.SCOPES[scope].format(frame=word)

    def _here(self) -> str:
        if self.controller.choice.frame_count <= 1:
            return _Text.STILL
        words = frame_in_words(self.session.image, self.session.current_frame())
        return f"{words[:1].upper()}{words[1:]}"

    def _show_progress(self) -> None:
        controller, record = self.controller, self.session.record
        is_complete = controller.given.is_complete
        total = 0 if record is None else int(record.findings().sum())
        count = len(controller.given.open_frames())
        text = _Text.COMPLETE if is_complete else ""
        if not is_complete and controller.choice.frame_count > 1 and total and count:
            text = _Text.OPEN.format(count=count, total=total, frame=frame_word(self.session.image))
        _say(self.progress, text)
        if self.done.isDefault() != is_complete:
            self.done.setDefault(is_complete)

    def _give(self, value: str | None) -> None:
        if value is None:
            self.controller.take_back()
        else:
            self.controller.give(value)
        self.refresh()  # the button that was clicked shows what holds

    def _toggle_reason(self, reason: str) -> None:
        self.controller.toggle_reason(reason)
        self.refresh()  # the box shows what holds

    def _show_note(self) -> None:
        """Show the note on what is in view, and keep what was written about something else."""
        reading, target = self.controller.reading, self.controller.choice.target()
        noted = None if reading is None else (reading, Target(target.first, target.last))
        if noted != self._noted:
            self.note.keep()
            self._noted = noted
        self.note.show_note(self.controller.given.note())

    def _keep_note(self, text: str) -> None:
        if self._noted is not None:
            self.controller.write_note(text, *self._noted)

    def _write_note(self) -> None:
        if not self.controller.missing():
            self.note.setFocus()

    def _leave_note(self) -> None:
        canvas = canvas_of(self.session.viewer)
        if canvas is not None:
            canvas.setFocus()


def _say(label: QLabel, text: str) -> None:
    if text != label.text():
        label.setText(text)
    label.setVisible(bool(text))
