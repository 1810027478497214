"""The threshold in a magicgui widget: a probability, or the model card's."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import FloatSpinBox

CARDS_OWN = "the model card's"


class ThresholdBox(FloatSpinBox):
    """A probability between 0.01 and 0.99; at its lowest position the value is None, for the model card's threshold."""

    def __init__(self, **options: Any) -> None:
        options |= {"min": 0.0, "max": 0.99, "step": 0.01}
        if options.get("value") is None:
            options["value"] = 0.0
        super().__init__(**options)
        native = self.native
        if hasattr(native, "setSpecialValueText"):  # Qt; in a notebook the lowest position reads 0
            native.setSpecialValueText(CARDS_OWN)

    def get_value(self) -> float | None:
        """Return the probability, or None for the model card's."""
        return super().get_value() or None

    def set_value(self, value: Any) -> None:
        """Set a probability; None stands for the model card's."""
        super().set_value(0.0 if value is None else value)
