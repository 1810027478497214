"""The line of a problem: the last message that can be mended, with the button that mends it, until it is closed."""

from __future__ import annotations

import napari
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from napari_segcam.viewer.first_steps.close_button import close_button
from napari_segcam.viewer.mendable_errors import MENDS, OFFERED
from napari_segcam.viewer.review.session import ReviewSession

_DONE_BY_CLICK = frozenset({"show_stages", "choose_folders"})  # nothing else would tell that it is mended
_DONE_BY_NETWORK = frozenset({"load_checkpoint", "describe_network", "edit_card", "use_cpu", "use_any_device"})
_DONE_BY_IMAGE = frozenset({"open_image"})


class _Text:
    """Every text of the line."""

    WORDS = "⚠ {message}"
    CLOSE_NAME = "Close the message"
    CLOSE_TIP = "Close this message"


class MendLine(QWidget):
    """Shows what ``mendable_errors.OFFERED`` keeps; it ends when a network or an image comes, or when it is closed.

    Args:
        session: of the window.

    Attributes:
        text: that is shown; empty if nothing is.
        words: the message.
        mend: the button.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self.text = ""
        self._session = session
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.mend = QPushButton()
        self.close_button = close_button(_Text.CLOSE_NAME, _Text.CLOSE_TIP)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self.words, 1)
        self._layout.addWidget(self.mend)
        self._layout.addWidget(self.close_button)
        self.mend.clicked.connect(self._act)
        self.close_button.clicked.connect(lambda: OFFERED.show(""))
        OFFERED.changed.connect(self._on_offer)
        session.network_changed.connect(self._on_network)
        session.image_changed.connect(self._on_image)
        self._on_offer()

    def height_in(self, width: int) -> int:
        """Return the height in pixels that the line needs in this width; 0 without a message."""
        if not self.text:
            return 0
        buttons = (self.mend.sizeHint(), self.close_button.sizeHint())
        room = width - sum(size.width() for size in buttons) - 2 * self._layout.spacing()
        return max(self.words.heightForWidth(max(1, room)), *(size.height() for size in buttons))

    def _on_offer(self) -> None:
        offer = MENDS.get(self._action_of(OFFERED.text))
        current = napari.current_viewer()
        is_here = current is None or current is self._session.viewer  # the button acts on the current window
        self.text = OFFERED.text if offer is not None and is_here else ""
        if offer is not None and self.text:
            self.words.setText(_Text.WORDS.format(message=self.text))
            self.mend.setText(offer.label)
        self.setVisible(bool(self.text))
        self.changed.emit()

    def _act(self) -> None:
        offer = MENDS.get(self._action_of(self.text))
        if offer is not None:
            offer.mend(self.text)
        self._end(_DONE_BY_CLICK)

    def _on_network(self) -> None:
        self._end(_DONE_BY_NETWORK)

    def _on_image(self) -> None:
        if self._session.image is not None:
            self._end(_DONE_BY_IMAGE)

    def _end(self, actions: frozenset[str]) -> None:
        if self._action_of(self.text) in actions:
            OFFERED.show("")

    @staticmethod
    def _action_of(text: str) -> str:
        return getattr(text, "action", "")
