"""The output form: which output of a network is used, and its last activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout

from napari_segcam.network.questions.questions import ACTIVATIONS
from napari_segcam.viewer.widgets.choice import Choice

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.network.network import Network


class _Text:
    """Every text of the form."""

    OUTPUT = "Output"
    OUTPUT_TIP = "The output of the network that is used. Only stages that it depends on can be explained."
    ACTIVATION = "Activation"
    ACTIVATION_TIP = (
        "The last step of the network. A sigmoid or softmax is undone, because masks and heatmaps are computed from "
        "logits."
    )
    DETECT = "Detect"
    DETECTED = "Detected: {value}"
    ASSUMED = "Assumed: {value}"


class OutputForm(QObject):
    """Asks for output and activation. Fields that the user does not touch keep their detected values.

    Args:
        rows: the form to add the rows to.
    """

    edited = Signal()

    def __init__(self, rows: QFormLayout) -> None:
        super().__init__()
        self._touched: set[str] = set()
        self.output = Choice(_Text.OUTPUT_TIP)
        self.activation = Choice(_Text.ACTIVATION_TIP)
        self._rows = rows
        rows.addRow(_Text.OUTPUT, self.output)
        rows.addRow(_Text.ACTIVATION, self.activation)
        for name, choice in (("output", self.output), ("output_activation", self.activation)):
            choice.chosen.connect(lambda _value, name=name: self._touch(name))

    def show_output(self, network: Network) -> None:
        """Show the output and activation of a network."""
        output, card = network.output, network.card
        names = [(name, name) for name in output.choices]
        self._offer(self.output, names, card.output, output.name, "output" in network.assumed)
        self._rows.setRowVisible(self.output, len(names) > 1)
        is_assumed = "output_activation" in network.assumed
        self._offer(self.activation, ACTIVATIONS, card.output_activation, output.activation, is_assumed)
        self._touched.clear()

    def fields(self) -> dict[str, Any]:
        """Return the fields of the card that the user has changed; None means: detect it again."""
        values = {"output": self.output.value, "output_activation": self.activation.value}
        return {name: value for name, value in values.items() if name in self._touched}

    def _offer(
        self,
        choice: Choice,
        choices: Sequence[tuple[str, str]],
        set_value: str | None,
        used_value: str,
        is_assumed: bool,
    ) -> None:
        """Offer the values; the first entry leaves the value to be detected.

        Args:
            choice: the combo box to fill.
            choices: (label, value) pairs.
            set_value: what the card says; None if it says nothing.
            used_value: the value in use.
            is_assumed: whether the value in use is an assumption.
        """
        label = next((label for label, value in choices if value == used_value), used_value)
        detected = (_Text.ASSUMED if is_assumed else _Text.DETECTED).format(value=label)
        choice.offer([(detected if set_value is None else _Text.DETECT, None), *choices])
        choice.setCurrentIndex(0 if set_value is None else max(choice.findData(set_value), 0))

    def _touch(self, name: str) -> None:
        self._touched.add(name)
        self.edited.emit()
