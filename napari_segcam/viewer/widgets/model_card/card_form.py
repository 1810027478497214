"""The card form: the user sets what the weights of a network do not say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import STATISTICS, ModelCard, make_card
from napari_segcam.network.settings_text import parse_yaml
from napari_segcam.viewer.drawing.colormaps import class_colors
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.fitting.roomy_spin_box import RoomySpinBox
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.layout import form, row
from napari_segcam.viewer.widgets.model_card.class_table import ClassTable
from napari_segcam.viewer.widgets.model_card.output_form import OutputForm

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.network.network import Network

_LARGEST_SIDE = 8192
# These have their own rows; all other assumptions are options of the architecture.
_FIELDS_WITH_ROWS = ("normalization", "classes_overlap", "encoder", "output", "output_activation")


class _Text:
    """Every text of the form."""

    NORMALIZATION = "Normalization"
    NORMALIZATION_TIP = (
        "How pixel values are scaled for the network. It must be the same as in training.\n"
        "ImageNet: by the mean and standard deviation of ImageNet.\n"
        "Z-score: by those of each image.\n"
        "Percentiles: the image's darkest pixel becomes 0 and its brightest 1, or percentiles that the card gives.\n"
        "Custom: by the mean and standard deviation that you enter.\n"
        "None: values as they are stored."
    )
    NORMALIZATIONS = (
        ("ImageNet", "imagenet"),
        ("0 to 1", "unit"),
        ("Z-score", "zscore"),
        ("Percentiles", "percentile"),
        ("Custom", "custom"),
        ("None", "none"),
    )
    MEAN, STD = "Mean", "Std"
    STATISTICS_TIP = "For values from 0 (black) to 1 (white): one number, or one per channel, separated by commas"
    SIZE = "Size"
    SIZE_TIP = (
        "Padded: pixels keep their size.\nResized: stretched to the given size.\n"
        "Letterboxed: resized with the aspect ratio kept, then padded.\n"
        "Tiles: pixels keep their size, and large images are seen in tiles of the given size."
    )
    SIZES = (("Padded", "pad"), ("Resized", "resize"), ("Letterboxed", "letterbox"), ("Tiles", "tiles"))
    NO_THRESHOLD = "This network has a background class: in each pixel, the most probable class wins."
    NO_MASK = "This network classifies the whole image: it has no mask."
    CHANNEL_ORDER = "Channel order"
    CHANNEL_ORDER_TIP = (
        "The order in which the network takes the colors: BGR if training read color images with OpenCV.\n"
        "Gray frames are the same in both."
    )
    CHANNEL_ORDERS = (("RGB", "rgb"), ("BGR", "bgr"))
    HEIGHT, WIDTH = "Height", "Width"
    AUTO_SIDE = "{side}: auto"
    SIDE_TIP = "{side} in pixels. Auto: that of the frame, or the nearest that the network accepts."
    CLASSES = "Classes"
    CLASSES_TIP = (
        "Exclude each other: each pixel has one class, the most likely one; the first class is the background "
        "(softmax).\n"
        "May overlap: each class has its own mask, for example an organ and a lesion in it (sigmoid)."
    )
    OVERLAP = (("Exclude each other", False), ("May overlap", True))
    THRESHOLD = "Mask threshold"
    THRESHOLD_TIP = "A pixel belongs to the mask if its probability is above this value"
    COLOR_TABLE = "Color table …"
    COLOR_TABLE_TIP = (
        "Take the names and colors of the classes from a table:\n"
        "CSV (name,r,g,b or name,color), a label file of ITK-SNAP, or JSON."
    )
    NOTES = "Notes"
    NOTES_HINT = "What users should know"
    ASSUMED = "Assumed: {value}"
    OPTION_TIP = "A setting of the architecture that the weights do not show: {name}"
    BAD_OPTION = "The value of {name} is not understood: {error}."


class CardForm(QWidget):
    """Edits a network's model card. Fields that the user does not touch keep their values, assumed or not."""

    edited = Signal()
    recolored = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._card = ModelCard()
        self._touched: set[str] = set()
        self.normalization = Choice(_Text.NORMALIZATION_TIP)
        self.mean, self.std = HintedField(), HintedField()
        for line, hint in ((self.mean, _Text.MEAN), (self.std, _Text.STD)):
            line.setPlaceholderText(hint)
            line.setToolTip(_Text.STATISTICS_TIP)
        self.rule = Choice(_Text.SIZE_TIP)
        self.size_y, self.size_x = RoomySpinBox(), RoomySpinBox()
        for box, side in ((self.size_y, _Text.HEIGHT), (self.size_x, _Text.WIDTH)):
            box.setRange(0, _LARGEST_SIDE)
            box.setSpecialValueText(_Text.AUTO_SIDE.format(side=side))
            box.setToolTip(_Text.SIDE_TIP.format(side=side))
        self.channel_order = Choice(_Text.CHANNEL_ORDER_TIP)
        self.overlap = Choice(_Text.CLASSES_TIP)
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setSingleStep(0.05)
        self.threshold.setToolTip(_Text.THRESHOLD_TIP)
        self.notes = HintedField()
        self.notes.setPlaceholderText(_Text.NOTES_HINT)
        self.options: dict[str, QLineEdit] = {}
        self._rows = form(
            (_Text.NORMALIZATION, self.normalization),
            (_Text.SIZE, self.rule),
            (_Text.CHANNEL_ORDER, self.channel_order),
            (_Text.CLASSES, self.overlap),
            (_Text.THRESHOLD, self.threshold),
            (_Text.NOTES, self.notes),
        )
        self._custom = row(self.mean, self.std)
        self._sides = row(self.size_y, self.size_x)
        self._rows.insertRow(2, self._sides)
        self._rows.insertRow(1, self._custom)
        self._rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)  # options have long names
        self.output = OutputForm(self._rows)
        self.classes = ClassTable()
        self.color_table = QPushButton(_Text.COLOR_TABLE)
        self.color_table.setToolTip(_Text.COLOR_TABLE_TIP)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._rows)
        layout.addWidget(self.classes)
        layout.addWidget(self.color_table, alignment=Qt.AlignmentFlag.AlignLeft)

        self.normalization.chosen.connect(self._touches("normalization"))
        self.mean.textEdited.connect(self._touches("normalization"))
        self.std.textEdited.connect(self._touches("normalization"))
        self.rule.chosen.connect(self._touches("size"))
        self.size_y.valueChanged.connect(self._touches("size"))
        self.size_x.valueChanged.connect(self._touches("size"))
        self.channel_order.chosen.connect(self._touches("channel_order"))
        self.overlap.chosen.connect(self._touches("classes_overlap"))
        self.threshold.valueChanged.connect(self._touches("threshold"))
        self.notes.textEdited.connect(self._touches("notes"))
        self.output.edited.connect(self._touches("output"))
        self.classes.renamed.connect(self._touches("class_names"))
        self.classes.recolored.connect(self._touches("class_colors"))
        self.classes.recolored.connect(self.recolored)

    def show_card(self, network: Network, colors: Sequence[str]) -> None:
        """Show the card of a network, and the colors of its classes."""
        card = self._card = network.card
        assumed = dict(network.assumed)
        self._offer_assumable(self.normalization, _Text.NORMALIZATIONS, card.normalization, "normalization" in assumed)
        for line, numbers in ((self.mean, card.mean), (self.std, card.std)):
            line.setText(", ".join(f"{number:g}" for number in numbers))
        self.rule.offer(_Text.SIZES, card.size.rule)
        self._rows.setRowVisible(self.channel_order, card.input_channels == 3)
        self.channel_order.offer(_Text.CHANNEL_ORDERS, card.channel_order)
        for box, pixels in ((self.size_y, card.size.height), (self.size_x, card.size.width)):
            box.setSingleStep(network.stride)
            box.setValue(pixels or 0)
        self.threshold.setValue(card.threshold)
        no_threshold = _Text.NO_THRESHOLD if network.has_background else _Text.NO_MASK
        set_usable(self.threshold, None if network.segments and not network.has_background else no_threshold)
        self.notes.setText(card.notes)
        self.notes.setCursorPosition(0)
        self.output.show_output(network)
        self._offer_options({name: value for name, value in assumed.items() if name not in _FIELDS_WITH_ROWS})
        self._rows.setRowVisible(self.overlap, network.classes > 1)
        self._offer_assumable(self.overlap, _Text.OVERLAP, network.classes_overlap, "classes_overlap" in assumed)
        first_drawn = int(network.has_background) if network.segments else network.classes
        shown_colors = class_colors(network.classes, colors, overlap=network.classes_overlap)
        self.classes.offer(network.class_names, shown_colors, first_drawn)
        self._touched.clear()
        self._refresh()

    def field(self, name: str) -> QWidget:
        """Return the widget in which a field of the card, or an option of the architecture, is set."""
        fields: dict[str, QWidget] = {
            "normalization": self.normalization,
            "size": self.rule,
            "classes_overlap": self.overlap,
            "channel_order": self.channel_order,
            "output": self.output.output,
            "output_activation": self.output.activation,
        }
        return self.options.get(name) or fields.get(name, self.classes)

    @property
    def has_edits(self) -> bool:
        """Whether there are changes that take effect only when the network is loaded again."""
        return bool(self._touched - {"class_colors"})

    def card(self) -> ModelCard:
        """Return the card with the user's changes.

        Raises:
            SegcamError: if an entry is not understood, or entries contradict each other.
        """
        fields: dict[str, Any] = self.output.fields()
        if "normalization" in self._touched and self.normalization.value is not None:
            fields["normalization"] = self.normalization.value
            if fields["normalization"] != self._card.normalization:
                fields |= {name: value for name, value in STATISTICS.items() if name in self._card.model_fields_set}
            if fields["normalization"] == "custom":
                fields |= {"mean": _parts(self.mean), "std": _parts(self.std)}
        if "size" in self._touched:
            sides = {"height": self.size_y.value(), "width": self.size_x.value()}
            is_padded = self.rule.value == "pad"
            fields["size"] = {"rule": self.rule.value}
            fields["size"] |= {name: side for name, side in sides.items() if side and not is_padded}
            if self.rule.value == "tiles" and self._card.size.overlap is not None:
                fields["size"]["overlap"] = self._card.size.overlap
        if "channel_order" in self._touched:
            fields["channel_order"] = self.channel_order.value
        if "classes_overlap" in self._touched and self.overlap.value is not None:
            fields["classes_overlap"] = self.overlap.value
        if "threshold" in self._touched:
            fields["threshold"] = self.threshold.value()
        if "notes" in self._touched:
            fields["notes"] = self.notes.text()
        if "options" in self._touched:
            typed = {name: _option_value(name, line) for name, line in self.options.items() if line.text().strip()}
            fields["options"] = {**self._card.options, **typed}
        if self._touched & {"class_names", "class_colors"}:
            fields["class_names"] = self.classes.names()
        if "class_colors" in self._touched:
            fields["class_colors"] = self.classes.colors()
        return make_card(fields, self._card)

    def _offer_assumable(
        self, choice: Choice, choices: Sequence[tuple[str, Any]], value: Any, is_assumed: bool
    ) -> None:
        """Offer values; if the present one is assumed, choosing it makes it certain."""
        if not is_assumed:
            choice.offer(choices, value)
            return
        label = next(label for label, offered in choices if offered == value)
        choice.offer([(_Text.ASSUMED.format(value=label), None), *choices])
        choice.setCurrentIndex(0)

    def _offer_options(self, assumed: dict[str, str]) -> None:
        """Show one row for each setting of the architecture that the weights do not show."""
        for line in self.options.values():
            self._rows.removeRow(line)
        self.options = {}
        for name, value in assumed.items():
            line = self.options[name] = HintedField()
            line.setPlaceholderText(_Text.ASSUMED.format(value=value))
            line.setToolTip(_Text.OPTION_TIP.format(name=name))
            line.textEdited.connect(self._touches("options"))
            self._rows.addRow(name.replace("_", " ").capitalize(), line)

    def _touches(self, field: str) -> Callable[..., None]:
        def touch(*_: Any) -> None:
            self._touched.add(field)
            self._refresh()

        return touch

    def _refresh(self) -> None:
        self._custom.setVisible(self.normalization.value == "custom")
        self._sides.setVisible(self.rule.value != "pad")
        self.edited.emit()


def _parts(line: QLineEdit) -> list[str]:
    return [part.strip() for part in line.text().split(",")]


def _option_value(name: str, line: QLineEdit) -> Any:
    """Return the value typed for an option, in YAML: ``bilinear``, ``[6, 12, 18]``."""
    try:
        return parse_yaml(line.text())
    except ValueError as error:
        raise SegcamError(_Text.BAD_OPTION.format(name=name, error=error)) from error
