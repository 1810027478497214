"""Parts that several widgets are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.session import ReviewSession


class Choice(QComboBox):
    """A combo box of labelled values that keeps its choice when the values change."""

    chosen = Signal(object)

    def __init__(self, tooltip: str = "") -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda _index: self.chosen.emit(self.value))

    @property
    def value(self) -> Any:
        return self.currentData()

    def offer(self, choices: Sequence[tuple[str, Any]], chosen: Any = None) -> None:
        """Offer these (label, value) pairs; what was chosen stays so where it is still there."""
        wanted = self.value if chosen is None else chosen
        with QSignalBlocker(self):
            self.clear()
            for label, value in choices:
                self.addItem(label, value)
        # By identity first: comparing layers compares their data.
        at = next((i for i, (_, value) in enumerate(choices) if value is wanted), -1)
        if at < 0:
            at = next((i for i, (_, v) in enumerate(choices) if type(v) is type(wanted) and v == wanted), 0)
        self.setCurrentIndex(at if choices else -1)


class ImageChoice(Choice):
    """The image layer of the session, the same in every widget."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__("The image layer that is segmented and explained")
        self._session = session
        self.chosen.connect(session.choose_image)
        session.layers_changed.connect(self._offer)
        session.image_changed.connect(self._offer)
        self._offer()

    def _offer(self) -> None:
        self.offer([(layer.name, layer) for layer in self._session.images()], self._session.image)


class RunBar(QWidget):
    """The run buttons; while a job runs its progress and Cancel instead; and what is missing, in words."""

    requested = Signal(str)

    def __init__(self, session: ReviewSession, kind: str, verb: str) -> None:
        super().__init__()
        self._session = session
        self._kind = kind
        self.this_frame = QPushButton(f"{verb} this frame")
        self.all_frames = QPushButton("All frames")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.cancel = QPushButton("Cancel")
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.this_frame.clicked.connect(lambda: self.requested.emit("this"))
        self.all_frames.clicked.connect(lambda: self.requested.emit("all"))
        self.cancel.clicked.connect(session.cancel)

        buttons = QHBoxLayout()
        for widget in (self.this_frame, self.all_frames, self.progress, self.cancel):
            buttons.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        for changed in (session.job_changed, session.network_changed, session.image_changed, session.layers_changed):
            changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        session, job = self._session, self._session.job
        missing = session.missing()
        is_still = session.image is not None and session.image.ndim == 2
        self.this_frame.setVisible(job is None)
        self.all_frames.setVisible(job is None and not is_still)
        self.this_frame.setEnabled(missing is None)
        self.all_frames.setEnabled(missing is None)
        self.progress.setVisible(job is not None)
        self.cancel.setVisible(job is not None)
        if job is not None:
            self.progress.setRange(0, job.total if job.total > 1 else 0)
            self.progress.setValue(session.done)
            self.progress.setFormat("%v of %m")
            self.cancel.setEnabled(not job.cancelled)
            self.message.setText("Cancelling after this frame …" if job.cancelled else f"{job.title} …")
        else:
            self.message.setText(missing or session.outcomes.get(self._kind, ""))


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """A form of labelled widgets that fits a narrow dock."""
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for label, widget in rows:
        layout.addRow(label, widget)
    return layout


def panel(widget: QWidget, *contents: Any) -> None:
    """Fill a dock widget from top to bottom with layouts and widgets."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(6, 4, 6, 4)
    layout.setSpacing(4)
    for content in contents:
        add: Callable[[Any], None] = layout.addWidget if isinstance(content, QWidget) else layout.addLayout
        add(content)
