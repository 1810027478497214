"""The button that closes a line above the canvas."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton, QSizePolicy


def close_button(name: str, tip: str) -> QPushButton:
    """Return a button with a cross, as wide as that needs in any font.

    Args:
        name: what a screen reader says.
        tip: its tooltip.
    """
    button = QPushButton("✕")
    button.setToolTip(tip)
    button.setAccessibleName(name)
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return button
