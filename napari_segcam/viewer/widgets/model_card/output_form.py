"""The output form: which of a network's outputs is read, and what that ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout

from napari_segcam.viewer.widgets.choice import Choice

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.network.network import Network

_ACTIVATIONS = (
    ("logits", "none"),
    ("sigmoid", "sigmoid"),
    ("softmax", "softmax"),
    ("log of a sigmoid", "log_sigmoid"),
    ("log of a softmax", "log_softmax"),
    ("tanh (−1 to 1)", "tanh"),
)


class OutputForm(QObject):
    """Asks for both; what the user has not touched stays as it was found.

    Args:
        rows: the form that it adds its rows to.
    """

    edited = Signal()

    def __init__(self, rows: QFormLayout) -> None:
        super().__init__()
        self._touched: set[str] = set()
        self.output = Choice("Which of the network's outputs is read; the stages are those that it depends on")
        self.activation = Choice(
            "What the network's own forward ends in. A sigmoid or softmax is undone, since masks are cut from another"
        )
        self._rows = rows
        rows.addRow("output", self.output)
        rows.addRow("ends in", self.activation)
        for name, choice in (("output", self.output), ("output_activation", self.activation)):
            choice.chosen.connect(lambda _value, name=name: self._touch(name))

    def show_output(self, network: Network) -> None:
        """Show how the output of a network is read."""
        output, card = network.output, network.card
        names = [(name, name) for name in output.choices]
        self._offer(self.output, names, card.output, output.name, "output" in network.assumed)
        self._rows.setRowVisible(self.output, len(names) > 1)
        is_assumed = "output_activation" in network.assumed
        self._offer(self.activation, _ACTIVATIONS, card.output_activation, output.activation, is_assumed)
        self._touched.clear()

    def fields(self) -> dict[str, Any]:
        """The card's fields that the user has changed; None for what is to be found again."""
        values = {"output": self.output.value, "output_activation": self.activation.value}
        return {name: value for name, value in values.items() if name in self._touched}

    def _offer(self, choice: Choice, known: Any, given: str | None, found: str, is_assumed: bool) -> None:
        """Offer what is known, and first what was found, which stays open where it is chosen."""
        label = next((label for label, name in known if name == found), found)
        first = "found by evidence" if given is not None else f"{'assumed' if is_assumed else 'found'}: {label}"
        choice.offer([(first, None), *known])
        choice.setCurrentIndex(max(choice.findData(given), 0) if given is not None else 0)

    def _touch(self, name: str) -> None:
        self._touched.add(name)
        self.edited.emit()
