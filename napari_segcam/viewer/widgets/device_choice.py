"""The choice of the device on which networks run; Auto is that of the preferences."""

from __future__ import annotations

from collections.abc import Callable

from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.choice import Choice

_AUTO = "auto"
_DEVICES = (("Auto", _AUTO), ("CUDA", "cuda"), ("MPS", "mps"), ("CPU", "cpu"))
_TIP = "Where the network runs. Auto: as the preferences say, or the fastest there is."


class DeviceChoice(Choice):
    """Chooses a device.

    Args:
        session: whose networks run on it.
        load_again: loads the present network again; called when Auto has become another device.
    """

    def __init__(self, session: ReviewSession, load_again: Callable[[], object]) -> None:
        super().__init__(_TIP)
        self.offer(_DEVICES)
        self._load_again = load_again
        controller = controller_of(session, PreferencesController)
        controller.moved.connect(self._on_moved)
        controller.choices.add(self)

    def _on_moved(self) -> None:
        if self.value == _AUTO:
            self._load_again()
