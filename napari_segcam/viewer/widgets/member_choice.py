"""The choice of the member of an ensemble whose heatmaps are shown, and the button for where the members disagree."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_segcam.viewer.ensemble.disagreement_pixels import DisagreementPixels
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.pixel_layer_button import PixelLayerButton


class _Text:
    """Every text of the widget."""

    TIP = (
        "Whose heatmaps are shown, for the mask of all members together.\n"
        "All members: the mean of theirs, weighted by how sure each is of the class in the region."
    )
    ALL = "All {count} members"
    ONE = "{number}: {name}"
    SHOW = "Disagreement"
    SHOW_TIP = (
        "A layer that shows where the members disagree: the standard deviation of their probabilities, from 0 to 0.5.\n"
        "The cine strip shows the disagreement of each frame: 1 − the mean Dice of the members' masks."
    )


class MemberChoice(QWidget):
    """What only an ensemble has, in the Grad-CAM widget; hidden for one network."""

    LABEL = "Members"

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._session = session
        self.member = Choice(_Text.TIP)
        pixels = controller_of(session, DisagreementPixels)
        self.show_pixels = PixelLayerButton(_Text.SHOW, _Text.SHOW_TIP, pixels)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.member, 1)
        layout.addWidget(self.show_pixels)
        for signal in (session.record_changed, session.image_changed):
            signal.connect(self.show_pixels.refresh)

    @property
    def value(self) -> int | None:
        """Number of the chosen member; None for all together, and for one network."""
        return self.member.value if self.has_members else None

    @property
    def has_members(self) -> bool:
        """Whether the network is an ensemble."""
        return self._session.network is not None and bool(self._session.network.members_in_words)

    def offer_members(self) -> None:
        """Offer the members of the network, if it is an ensemble."""
        names = getattr(self._session.network, "member_names", ())
        members = [
            (_Text.ONE.format(number=number, name=name), number - 1) for number, name in enumerate(names, start=1)
        ]
        self.member.offer([(_Text.ALL.format(count=len(members)), None), *members])
        for index, (label, _) in enumerate(members, start=1):
            self.member.setItemData(index, label, Qt.ItemDataRole.ToolTipRole)
        self.show_pixels.refresh()
