"""The order in which Tab reaches controls that are made later than those around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget


def tab_through(container: QWidget, controls: Sequence[QWidget]) -> None:
    """Let Tab go through controls in this order, at the place of the widget that holds them.

    Qt puts a control that is made later behind all others of the window.

    Args:
        container: holds the controls.
        controls: in the order in which they are seen.
    """
    before = container.previousInFocusChain()
    while before is not container and (not _takes_tab(before) or container.isAncestorOf(before)):
        before = before.previousInFocusChain()
    first = () if before is container else (before,)
    for earlier, later in pairwise((*first, *controls)):
        if earlier.window() is later.window():
            QWidget.setTabOrder(earlier, later)


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and not widget.isWindow()
