"""The run bar: run on some or all frames, see the progress, stop."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import row


class _Text:
    """Every text of the run bar; ``{frame}`` is "frame", or "image" in a folder of stills."""

    SCOPES = (("All {frame}s", "all"), ("Visited {frame}s", "visited"), ("Current {frame}", "current"))
    SCOPE_TIP = (
        "All {frame}s: the current {frame} first, then those after it, then the rest.\n"
        "Visited {frame}s: each {frame} that you go to, and a few after it.\n"
        "Current {frame}: this one alone."
    )
    PROGRESS = "%v of %m"
    STOP = "Stop"
    RUNNING = "{title} …"


class RunBar(QWidget):
    """A button that runs on the chosen frames; during a run, the progress and Stop; below, a message."""

    requested = Signal(str)
    refreshed = Signal()

    def __init__(self, session: ReviewSession, kind: str, verb: str) -> None:
        super().__init__()
        self._session = session
        self._kind = kind
        self._word = ""
        self.run = QPushButton(verb)
        self.scope = Choice()
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setFormat(_Text.PROGRESS)
        self.cancel = QPushButton(_Text.STOP)
        self.message = Words()
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.message.setMinimumHeight(2 * self.message.fontMetrics().lineSpacing())
        self.run.clicked.connect(lambda: self.requested.emit(self.scope.value))
        self.cancel.clicked.connect(session.cancel)

        # Two pages of one size: nothing around them moves when a run begins.
        self._pages = QStackedWidget()
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._pages.addWidget(row(self.run, self.scope))
        self._pages.addWidget(row(self.progress, self.cancel))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        layout.addWidget(self.message)
        session.job_changed.connect(Throttle(self.refresh, self).ask)
        self._timer = QTimer(self)  # shows what a frame that takes minutes reports on the way
        self._timer.setSingleShot(True)
        self._timer.setInterval(1500)  # each refresh redraws the window, so frames of a second do not need it
        self._timer.timeout.connect(self.refresh)
        for changed in (session.network_changed, session.image_changed, session.layers_changed):
            changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        session = self._session
        missing = session.missing()
        self._pages.setCurrentIndex(int(session.is_busy))
        (self._timer.start if session.is_busy else self._timer.stop)()
        set_usable(self.run, missing)
        self._offer_scopes(frame_word(session.image))
        self.scope.setVisible(session.image is None or session.image.ndim > 2)
        if session.is_busy:
            self._show_progress(*session.progress)
            self._show_message(_Text.RUNNING.format(title=session.title))
        else:
            self._show_message(missing or session.outcomes.get(self._kind, ""))
        self.refreshed.emit()

    def _offer_scopes(self, word: str) -> None:
        if word != self._word:
            self._word = word
            self.scope.offer([(label.format(frame=word), scope) for label, scope in _Text.SCOPES])
            self.scope.setToolTip(_Text.SCOPE_TIP.format(frame=word))

    def _show_progress(self, done: int, total: int) -> None:
        bar = self.progress
        if (done, total) == (bar.value(), bar.maximum()):
            return
        bar.setUpdatesEnabled(False)  # otherwise each call repaints the window at once
        bar.setRange(0, total)
        bar.setValue(done)
        bar.setUpdatesEnabled(True)

    def _show_message(self, text: str) -> None:
        if self.message.text() != text:
            self.message.setText(text)
