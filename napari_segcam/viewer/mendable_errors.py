"""Messages that offer what mends the problem: a button beside the message, where it names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.utils import notifications
from napari.utils.notifications import show_info

__all__ = ["MENDS", "Offer", "show_error", "show_info", "show_warning"]

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
