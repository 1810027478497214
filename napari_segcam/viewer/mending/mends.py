"""The buttons beside messages, and what each does in the window."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import napari
from qtpy.QtGui import QGuiApplication

from napari_segcam.errors import Mend
from napari_segcam.viewer.closed_panels import FIRST_STEPS
from napari_segcam.viewer.docks import dock, dock_names
from napari_segcam.viewer.dropped_files.asked_files import ask_for_images
from napari_segcam.viewer.mendable_errors import MENDS, OFFERED, Offer

_COMMAND = re.compile(r"pip install .+$")


def offer_mends() -> None:
    """Let messages offer what mends them from now on."""
    OFFERED.show("")  # that of an earlier window
    if MENDS:
        return
    for action, offer in OFFERS.items():
        MENDS[action] = offer
    OFFERED.changed.connect(_keep_in_sight)


def _keep_in_sight() -> None:
    """Open the panel that keeps the button, if the window has none: the notification is gone after seconds."""
    viewer: Any = napari.current_viewer()
    if OFFERED.text and viewer is not None and dock_names(FIRST_STEPS)[0] not in viewer.window.dock_widgets:
        dock(viewer, FIRST_STEPS)


def _in_window(act: Callable[[Any], object]) -> Callable[[str], object]:
    """Return what acts on the current window; nothing where there is none any more."""

    def mend(_message: str) -> None:
        viewer = napari.current_viewer()
        if viewer is not None:
            act(viewer)

    return mend


def _copy_command(message: str) -> None:
    """Copy the command that the message ends with."""
    found = _COMMAND.search(message)
    clipboard = QGuiApplication.clipboard()
    if found is not None and clipboard is not None:
        clipboard.setText(found[0].rstrip("."))


def _show(viewer: Any, name: str) -> Any:
    """Bring a widget to the front, and return it."""
    place, widget = dock(viewer, name, tabify=True)
    place.raise_()
    return widget


def _load_checkpoint(viewer: Any) -> None:
    _show(viewer, "Checkpoint").browse_file.click()


def _describe_network(viewer: Any) -> None:
    checkpoint = _show(viewer, "Checkpoint")
    checkpoint.advanced.expand()
    checkpoint.architecture_form.setFocus()


def _edit_card(viewer: Any) -> None:
    _show(viewer, "Checkpoint").editing.expand()


def _use_device(viewer: Any, device: str) -> None:
    """Choose a device in the Checkpoint widget, as the user would; the network is loaded again there."""
    choice = _show(viewer, "Checkpoint").device
    index = choice.findData(device)
    choice.setCurrentIndex(index)
    choice.activated.emit(index)


OFFERS: dict[Mend, Offer] = {
    "choose_folders": Offer(
        "Choose the folders again …", _in_window(lambda viewer: _show(viewer, "Export").run.click())
    ),
    "copy_command": Offer("Copy the command", _copy_command),
    "describe_network": Offer("Describe the network", _in_window(_describe_network)),
    "edit_card": Offer("Show what the network expects", _in_window(_edit_card)),
    "load_checkpoint": Offer("Load a checkpoint …", _in_window(_load_checkpoint)),
    "open_image": Offer("Open a cine …", _in_window(ask_for_images)),
    "show_stages": Offer("Show the stages", _in_window(lambda viewer: _show(viewer, "Grad-CAM"))),
    "use_any_device": Offer("Use any device", _in_window(lambda viewer: _use_device(viewer, "auto"))),
    "use_cpu": Offer("Use the CPU", _in_window(lambda viewer: _use_device(viewer, "cpu"))),
}
