"""How the cases of a new review are read: what is hidden, in which order, and why a mask can be rejected."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QLineEdit

from napari_segcam.review.project_file import REASONS, Settings
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.roomy_spin_box import RoomySpinBox
from napari_segcam.viewer.widgets.layout import row

_MOST_SEEDS = 1_000_000


class _Text:
    """Every text of the form."""

    TITLE = "How the cases are read"
    PREDICTION = "Hide the prediction until the reader has answered or drawn"
    HEATMAPS = "Heatmaps"
    HEATMAPS_TIP = "Heatmaps that come after a first verdict show whether they change it: both verdicts are kept"
    HEATMAP_CHOICES = (
        ("shown at once", "never"),
        ("shown after a first verdict", "until verdict"),
        ("not shown", "always"),
    )
    SHUFFLE = "Shuffle the cases, with the seed"
    SHUFFLE_TIP = "Each reader gets an order of their own; the same seed gives the same orders"
    REPEATS = "Read again"
    REPEATS_TIP = (
        "So many cases are mixed in a second time, to see how well a reader agrees with themselves. All cases are then "
        "called by their number, so that a second reading looks like a new case."
    )
    REPEATS_SUFFIX = " cases"
    REASONS = "Reasons to reject"
    REASONS_TIP = "Separated by commas"
    NO_REASONS = "Give one reason to reject a mask at least, and none of them twice."
    TOO_LONG = "A reason to reject is too long: use a few words."


class BlindingForm(QGroupBox):
    """Chooses the settings of a new review."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(_Text.TITLE)
        self.prediction = QCheckBox(_Text.PREDICTION)
        self.heatmaps = Choice(_Text.HEATMAPS_TIP)
        self.heatmaps.offer(_Text.HEATMAP_CHOICES)
        self.shuffle = QCheckBox(_Text.SHUFFLE)
        self.shuffle.setToolTip(_Text.SHUFFLE_TIP)
        self.seed = RoomySpinBox()
        self.seed.setRange(0, _MOST_SEEDS)
        self.seed.setEnabled(False)
        self.repeats = RoomySpinBox()
        self.repeats.setRange(0, 10_000)
        self.repeats.setSuffix(_Text.REPEATS_SUFFIX)
        self.repeats.setToolTip(_Text.REPEATS_TIP)
        self.reasons = QLineEdit(", ".join(REASONS))
        self.reasons.setCursorPosition(0)
        self.reasons.setToolTip(_Text.REASONS_TIP)
        layout = QFormLayout(self)
        layout.addRow(self.prediction)
        layout.addRow(_Text.HEATMAPS, self.heatmaps)
        layout.addRow(row(self.shuffle, self.seed))
        layout.addRow(_Text.REPEATS, self.repeats)
        layout.addRow(_Text.REASONS, self.reasons)
        self.shuffle.toggled.connect(self.seed.setEnabled)
        self.reasons.textChanged.connect(lambda _text: self.changed.emit())

    def problem(self) -> str:
        """Return what is wrong, in words; empty if nothing is."""
        reasons = self._reasons()
        if not reasons or len({reason.casefold() for reason in reasons}) < len(reasons):
            return _Text.NO_REASONS
        return _Text.TOO_LONG if max(len(reason) for reason in reasons) > 60 else ""

    def settings(self) -> Settings:
        """Return the settings; only while there is no problem."""
        return Settings(
            reasons=self._reasons(),
            hide_prediction=self.prediction.isChecked(),
            hide_heatmaps=self.heatmaps.value,
            shuffle_seed=self.seed.value() if self.shuffle.isChecked() else None,
            repeats=self.repeats.value(),
        )

    def _reasons(self) -> tuple[str, ...]:
        return tuple(reason for part in self.reasons.text().split(",") if (reason := part.strip()))
