"""The card form: where the user sets what the weights of a network do not tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.settings_text import parse_yaml
from napari_segcam.viewer.drawing.colormaps import class_colors
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.layout import form
from napari_segcam.viewer.widgets.model_card.class_table import ClassTable
from napari_segcam.viewer.widgets.model_card.output_form import OutputForm

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.network.network import Network

_NORMALIZATIONS = (
    ("ImageNet's mean and std", "imagenet"),
    ("0 to 1", "unit"),
    ("z-score of the image", "zscore"),
    ("own mean and std", "custom"),
    ("as stored", "none"),
)
_RULES = (("padded", "pad"), ("resized", "resize"), ("letterboxed", "letterbox"))
_LARGEST = 8192
_OVERLAP = (("exclude each other", False), ("may overlap", True))
# What else is assumed are options of the architecture.
_WITH_A_FIELD = ("normalization", "classes_overlap", "encoder", "output", "output_activation")


class CardForm(QWidget):
    """Edits a network's card; what the user has not touched stays as it is, and assumed where it was."""

    edited = Signal()
    recolored = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._card = ModelCard()
        self._touched: set[str] = set()
        self.normalization = Choice("How the values of a frame are scaled before the network sees them, as in training")
        self.mean, self.std = QLineEdit(), QLineEdit()
        for line, what in ((self.mean, "mean"), (self.std, "std")):
            line.setPlaceholderText(what)
            line.setToolTip(
                "For values from 0 (black) to 1 (white): one number, or one per channel with commas between"
            )
        self.rule = Choice(
            "Padded: pixels keep their size. Resized: stretched to the size. "
            "Letterboxed: resized with the aspect ratio kept, and padded."
        )
        self.size_y, self.size_x = QSpinBox(), QSpinBox()
        for side, what in ((self.size_y, "Height"), (self.size_x, "Width")):
            side.setRange(0, _LARGEST)
            side.setSpecialValueText(f"{what.lower()}: auto")
            side.setToolTip(f"{what} in pixels; auto: the frame's own, to the nearest that the network can take")
        self.overlap = Choice(
            "Exclude each other: every pixel has one class, the likeliest, and the first is the background (softmax). "
            "May overlap: each class is cut at the threshold by itself, as an organ and the lesion in it (sigmoid)"
        )
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setSingleStep(0.05)
        self.threshold.setToolTip("Probability above which a pixel belongs to the mask")
        self.notes = QLineEdit()
        self.notes.setPlaceholderText("what users should know")
        self.options: dict[str, QLineEdit] = {}
        self._rows = form(
            ("normalization", self.normalization),
            ("size", self.rule),
            ("classes", self.overlap),
            ("threshold", self.threshold),
            ("notes", self.notes),
        )
        self._custom = _side_by_side(self.mean, self.std)
        self._sides = _side_by_side(self.size_y, self.size_x)
        self._rows.insertRow(2, self._sides)
        self._rows.insertRow(1, self._custom)
        self._rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)  # options have long names
        self.output = OutputForm(self._rows)
        self.classes = ClassTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._rows)
        layout.addWidget(self.classes)

        self.normalization.chosen.connect(self._touches("normalization"))
        self.mean.textEdited.connect(self._touches("normalization"))
        self.std.textEdited.connect(self._touches("normalization"))
        self.rule.chosen.connect(self._touches("size"))
        self.size_y.valueChanged.connect(self._touches("size"))
        self.size_x.valueChanged.connect(self._touches("size"))
        self.overlap.chosen.connect(self._touches("classes_overlap"))
        self.threshold.valueChanged.connect(self._touches("threshold"))
        self.notes.textEdited.connect(self._touches("notes"))
        self.output.edited.connect(self._touches("output"))
        self.classes.renamed.connect(self._touches("class_names"))
        self.classes.recolored.connect(self._touches("class_colors"))
        self.classes.recolored.connect(self.recolored)

    def show_card(self, network: Network, colors: Sequence[str]) -> None:
        """Show the card of a network, and the colors that its classes are drawn in."""
        card = self._card = network.card
        assumed = dict(network.assumed)
        if "normalization" in assumed:  # the same again, once chosen, is no longer assumed
            label = next(label for label, name in _NORMALIZATIONS if name == card.normalization)
            self.normalization.offer([(f"assumed: {label}", None), *_NORMALIZATIONS])
            self.normalization.setCurrentIndex(0)
        else:
            self.normalization.offer(_NORMALIZATIONS, card.normalization)
        for line, numbers in ((self.mean, card.mean), (self.std, card.std)):
            line.setText(", ".join(f"{number:g}" for number in numbers))
        self.rule.offer(_RULES, card.size.rule)
        for side, pixels in ((self.size_y, card.size.height), (self.size_x, card.size.width)):
            side.setSingleStep(network.stride)
            side.setValue(pixels or 0)
        self.threshold.setValue(card.threshold)
        self.threshold.setEnabled(network.segments and not network.has_background)
        self.notes.setText(card.notes)
        self.output.show_output(network)
        self._offer_options({name: value for name, value in assumed.items() if name not in _WITH_A_FIELD})
        self._offer_overlap(network)
        first_drawn = int(network.has_background) if network.segments else network.classes
        drawn = class_colors(network.classes, colors, overlap=network.classes_overlap)
        self.classes.offer(network.class_names, drawn, first_drawn)
        self._touched.clear()
        self._refresh()

    @property
    def has_edits(self) -> bool:
        """Whether anything was changed that takes effect only once the network is loaded with it."""
        return bool(self._touched - {"class_colors"})

    def card(self) -> ModelCard:
        """The card with what the user has changed.

        Raises:
            SegcamError: if that is not understood, or does not go together.
        """
        fields: dict[str, Any] = self.output.fields()
        if "normalization" in self._touched and self.normalization.value is not None:
            fields["normalization"] = self.normalization.value
            is_custom = fields["normalization"] == "custom"
            if is_custom or self._card.mean:
                fields |= {name: _parts(line) if is_custom else () for name, line in self._statistics()}
        if "size" in self._touched:
            sides = {"height": self.size_y.value(), "width": self.size_x.value()}
            is_padded = self.rule.value == "pad"
            fields["size"] = {"rule": self.rule.value} | {k: v for k, v in sides.items() if v and not is_padded}
        if "classes_overlap" in self._touched and self.overlap.value is not None:
            fields["classes_overlap"] = self.overlap.value
        if "threshold" in self._touched:
            fields["threshold"] = self.threshold.value()
        if "notes" in self._touched:
            fields["notes"] = self.notes.text()
        if "options" in self._touched:
            typed = {name: _typed(name, line) for name, line in self.options.items() if line.text().strip()}
            fields["options"] = {**self._card.options, **typed}
        if self._touched & {"class_names", "class_colors"}:
            fields["class_names"] = self.classes.names()
        if "class_colors" in self._touched:
            fields["class_colors"] = self.classes.colors()
        return make_card(fields, self._card)

    def _statistics(self) -> tuple[tuple[str, QLineEdit], tuple[str, QLineEdit]]:
        return ("mean", self.mean), ("std", self.std)

    def _offer_overlap(self, network: Network) -> None:
        """Whether the classes overlap, of several."""
        self._rows.setRowVisible(self.overlap, network.classes > 1)
        if "classes_overlap" in network.assumed:  # the same again, once chosen, is no longer assumed
            self.overlap.offer([(f"assumed: {_OVERLAP[0][0]}", None), *_OVERLAP])
            self.overlap.setCurrentIndex(0)
        else:
            self.overlap.offer(_OVERLAP, network.classes_overlap)

    def _offer_options(self, assumed: dict[str, str]) -> None:
        """One row for each option of the architecture that the weights leave open."""
        for line in self.options.values():
            self._rows.removeRow(line)
        self.options = {}
        for name, value in assumed.items():
            line = self.options[name] = QLineEdit()
            line.setPlaceholderText(f"assumed: {value}")
            line.setToolTip(f"An argument of the architecture that leaves no trace in the weights: {name}")
            line.textEdited.connect(self._touches("options"))
            self._rows.addRow(name.replace("_", " "), line)

    def _touches(self, field: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            self._touched.add(field)
            self._refresh()

        return note

    def _refresh(self) -> None:
        self._custom.setVisible(self.normalization.value == "custom")
        self._sides.setVisible(self.rule.value != "pad")
        self.edited.emit()


def _side_by_side(*widgets: QWidget) -> QWidget:
    held = QWidget()
    row = QHBoxLayout(held)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    return held


def _parts(line: QLineEdit) -> list[str]:
    return [part.strip() for part in line.text().split(",")]


def _typed(name: str, line: QLineEdit) -> Any:
    """What was typed for an option, as YAML writes values: ``bilinear``, ``[6, 12, 18]``."""
    try:
        return parse_yaml(line.text())
    except ValueError as error:
        raise SegcamError(f"What was typed for {name} is not understood: {error}.") from error
