"""Messages that offer what mends the problem: a button beside the message, where it names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.utils import notifications
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

__all__ = ["MENDS", "OFFERED", "Offer", "Offered", "show_error", "show_info", "show_warning"]

MENDS: dict[str, Offer] = {}
"""What mends a problem, by the name of the action; ``session_of`` fills it in."""


@dataclass(frozen=True)
class Offer:
    """A button beside a message.

    Attributes:
        label: on the button.
        mend: called with the message when it is clicked.
    """

    label: str
    mend: Callable[[str], object]


class Offered(QObject):
    """The last message that offers a button: napari's own notification is gone after seconds.

    Attributes:
        text: of the message; empty without one. It has an ``action``.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def show(self, text: str) -> None:
        """Keep a message until another one, or an empty text, replaces it."""
        if text or self.text:
            self.text = text
            self.changed.emit()


OFFERED = Offered()


def show_error(text: str) -> None:
    """Show an error, with a button if the text names what mends it."""
    _show(text, notifications.NotificationSeverity.ERROR, notifications.show_error)


def show_warning(text: str) -> None:
    """Show a warning, with a button if the text names what mends it."""
    _show(text, notifications.NotificationSeverity.WARNING, notifications.show_warning)


def _show(text: str, severity: notifications.NotificationSeverity, plainly: Callable[[str], object]) -> None:
    offer = MENDS.get(getattr(text, "action", ""))
    if offer is None:
        plainly(text)
        return

    def act(_notification: Any) -> None:
        offer.mend(text)

    notifications.notification_manager.dispatch(
        notifications.Notification(str(text), severity, actions=((offer.label, act),))
    )
    OFFERED.show(text)
