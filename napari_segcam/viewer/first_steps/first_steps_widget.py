"""The First steps: a line above the canvas says what comes next, with its buttons; above it, a problem can stay."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QDockWidget,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.closed_panels import FIRST_STEPS, is_closed, set_closed
from napari_segcam.viewer.docks import dock, dock_names
from napari_segcam.viewer.dropped_files.asked_files import ask_for_images
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.first_steps.close_button import close_button
from napari_segcam.viewer.first_steps.mend_line import MendLine
from napari_segcam.viewer.first_steps.sample_run import STAGES, SampleRun
from napari_segcam.viewer.first_steps.situation import situation_of
from napari_segcam.viewer.first_steps.steps import Action, Step, Words, step_of
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.questions.offers_controller import OffersController
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.fitting.fitted import Fitted
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.widgets.layout import row

_MARGIN = 12  # pixels at the end of the words
_WORDS_WIDTH = 260  # pixels that the words need at least beside the buttons; else they have a line of their own


class _Text:
    """Texts besides those of the steps."""

    PROGRESS = "%v of %m"
    CLOSE_NAME = "Close the first steps"
    CLOSE_TIP = "Close the first steps. To bring them back: Plugins ▸ SegCAM ▸ First steps (SegCAM)."


_TIPS = {
    Action.SAMPLE: "Open a simulated cine with its network: the mask, and where the network looked (Alt+Y)",
    Action.OPEN: "DICOM, video, TIFF, PNG, research formats (Alt+O)",
    Action.LOAD: "A file with the weights of a segmentation network (Alt+K)",
    Action.EXPLAIN: "As Explain in the Grad-CAM tab: the frame in view first (Alt+E)",
    Action.EXPLAIN_STILL: "As Explain in the Grad-CAM tab (Alt+E)",
    Action.CHECK: "As Check this map in the Grad-CAM tab, or Shift+C",
}
_SHORTCUTS = {
    Action.SAMPLE: "Alt+Y",
    Action.OPEN: "Alt+O",
    Action.LOAD: "Alt+K",
    Action.EXPLAIN: "Alt+E",
    Action.EXPLAIN_STILL: "Alt+E",
}


class FirstStepsWidget(Fitted, QWidget):
    """What comes next, in one line; it steps aside when nothing does, and can be closed for good.

    Above it, a problem that can be mended stays with its button, also after the line has stepped aside or was closed.

    Attributes:
        step: that is shown.
        sample: opens and explains the sample.
        words: the line.
        problem: the line of a problem, if there is one.
        buttons: one for each action; those of the step are visible.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        for name in dock_names(FIRST_STEPS):  # napari keeps the place that the user chooses later
            get_settings().application.plugin_widget_positions.setdefault(name, "top")
        self.session = session_of(napari_viewer)
        self._evidence = controller_of(self.session, EvidenceController)
        self.sample = SampleRun(self.session, self._explain, self)
        self.step = Step("")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.progress = QProgressBar()
        self.progress.setFixedWidth(160)
        self.progress.setFormat(_Text.PROGRESS)
        self.progress.setAccessibleName(FIRST_STEPS)
        self.buttons = {action: QPushButton(action.value) for action in Action}
        for action, button in self.buttons.items():
            button.setToolTip(_TIPS.get(action, ""))
            button.setShortcut(_SHORTCUTS.get(action, ""))
            button.clicked.connect(lambda _checked=False, action=action: self._act(action))
        self.close_button = close_button(_Text.CLOSE_NAME, _Text.CLOSE_TIP)
        self.close_button.clicked.connect(self._close_for_good)
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._row = row(self.progress, *self.buttons.values(), space, self.close_button)
        self._steps = QWidget()
        self._lines = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._steps)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.addWidget(self.words)
        self._lines.addWidget(self._row, 1)
        self.problem = MendLine(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.problem)
        layout.addWidget(self._steps)
        self._follow()
        self.refresh()
        self.sample.prepare()

    def _follow(self) -> None:
        """Refresh when anything changes on which the step depends."""
        session, evidence = self.session, self._evidence
        project = controller_of(session, ProjectController)
        offers, questions = controller_of(session, OffersController), controller_of(session, QuestionsController)
        soon = Throttle(self.refresh, self).ask
        for changed in (
            *(session.network_changed, session.image_changed, session.layers_changed, session.job_changed),
            *(session.view_changed, session.figures_changed, evidence.changed, evidence.progress_changed),
            *(offers.changed, questions.changed, project.opened, project.closed),
        ):
            changed.connect(soon)
        self.sample.changed.connect(self.refresh)
        self.problem.changed.connect(self._show_problem)
        self.sample.finished.connect(self._show_heat)

    # Showing

    def refresh(self) -> None:
        """Show the step that comes next."""
        step = self._next_step()
        if step == self.step:
            return
        was_last, self.step = self.step.is_last or not self.step.words, step
        self.words.setText(step.words)
        had_focus = any(button.hasFocus() for button in self.buttons.values())
        for action, button in self.buttons.items():
            button.setVisible(action in step.actions)
        self.progress.setVisible(step.progress is not None)
        if step.progress is not None:
            done, total = step.progress
            self.progress.setRange(0, total)
            self.progress.setValue(done)
        self.fit()
        if had_focus:
            self._focus()
        if step.is_last and not was_last:
            self.step_aside()

    def step_aside(self) -> None:
        """Hide the panel if nothing comes next, except for a problem."""
        place = self._dock()
        if self.step.is_last and place is not None:
            place.setVisible(bool(self.problem.text))
            self.fit()

    def _show_problem(self) -> None:
        """Show the panel while there is a problem, and hide it after that if nothing comes next or it was closed."""
        self.fit()
        place = self._dock()
        if place is not None and (self.problem.text or self.step.is_last or is_closed(FIRST_STEPS)):
            place.setVisible(bool(self.problem.text))

    def _next_step(self) -> Step:
        stage = self.sample.stage
        if stage is not None:
            return Step(Words.BUSY.format(title=STAGES[stage]), (Action.STOP,), (stage, len(STAGES)))
        return step_of(situation_of(self.session))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        place = self._dock()
        if place is not None and place.minimumHeight() > 0:  # its title would be higher than its line
            place.setMinimumHeight(0)
            place.setTitleBarWidget(QWidget(place))
        if is_closed(FIRST_STEPS) and not self.problem.text:  # the user has opened it from the menu
            set_closed(FIRST_STEPS, False)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return a width in which the words are above the buttons, and the height that they need now."""
        margins = self.layout().contentsMargins()
        return QSize(
            self._row.minimumSizeHint().width() + margins.left() + margins.right(), super().minimumSizeHint().height()
        )

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # a button has another size, such as in a larger font
            self.fit()
        return done

    def fit(self) -> None:
        """Put the words beside the buttons, or above them in a narrow window, and be as high as that needs."""
        self._steps.setVisible(self._has_steps())
        margins = self.layout().contentsMargins()
        room = self.width() - margins.left() - margins.right()
        buttons = self._row.sizeHint()
        one_line = self.words.fontMetrics().horizontalAdvance(self.words.text()) + _MARGIN
        beside = min(one_line, room - buttons.width() - self._lines.spacing())
        is_beside = beside >= min(one_line, _WORDS_WIDTH)
        across, down = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._lines.setDirection(across if is_beside else down)
        self.words.setFixedWidth(max(1, beside if is_beside else room))
        words = self.words.heightForWidth(max(1, beside if is_beside else room))
        if is_beside:
            steps = max(words, buttons.height())
        else:
            steps = words + self._lines.spacing() + self._row.heightForWidth(room)
        heights = [
            *([self.problem.height_in(room)] if self.problem.text else []),
            *([steps] if self._has_steps() else []),
        ]
        height = sum(heights) + self.layout().spacing() * (len(heights) - 1) + margins.top() + margins.bottom()
        if height != self.height() or self.minimumHeight() != height:
            self.setFixedHeight(height)
            if (place := self._dock()) is not None:
                place.setMinimumHeight(0)  # Qt keeps that of the higher panel
        for layout in (self.layout(), self._lines):
            layout.activate()  # now, so that the new words are never drawn in the old place

    def _has_steps(self) -> bool:
        """Return whether the line of steps is shown: not while the panel is there for a problem alone."""
        return not (self.problem.text and (self.step.is_last or is_closed(FIRST_STEPS)))

    # What the buttons do

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        focused = self.focusWidget()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focused, QPushButton):
            focused.click()
        elif event.key() == Qt.Key.Key_Escape:
            self._focus_canvas()
        else:
            super().keyPressEvent(event)

    def _act(self, action: Action) -> None:
        if action is Action.SAMPLE:
            self.sample.start()
        elif action is Action.OPEN:
            ask_for_images(self.session.viewer)
        elif action is Action.LOAD:
            self._raise("Checkpoint").browse_file.click()
        elif action is Action.CHECKPOINT:
            self._raise("Checkpoint").setFocus()
        elif action in (Action.EXPLAIN, Action.EXPLAIN_STILL):
            self._explain()
        elif action is Action.CHECK:
            self._raise("Grad-CAM")
            self._evidence.start_check()
        else:
            self._stop()

    def _stop(self) -> None:
        if self.sample.stage is not None:
            self.sample.stop()
        elif self._evidence.check is not None:
            self._evidence.stop_check()
        else:
            self.session.cancel()

    def _explain(self) -> None:
        gradcam: GradCamWidget = self._raise("Grad-CAM")
        gradcam.run_bar.requested.emit("all")

    def _show_heat(self) -> None:
        if self.session.figures():
            self._raise("Grad-CAM")

    def _close_for_good(self) -> None:
        set_closed(FIRST_STEPS, True)
        self._show_problem()
        self._focus_canvas()

    def _raise(self, name: str) -> Any:
        """Bring a widget's tab to the front and return the widget."""
        place, widget = dock(self.session.viewer, name, tabify=True)
        place.raise_()
        return widget

    def _focus(self) -> None:
        """Keep the keyboard in the panel if one of its buttons had it."""
        button = next((self.buttons[action] for action in self.step.actions), None)
        if button is not None:
            button.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self._focus_canvas()

    def _focus_canvas(self) -> None:
        if (canvas := canvas_of(self.session.viewer)) is not None:
            canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _dock(self) -> QDockWidget | None:
        parent: Any = self.parentWidget()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        return parent
