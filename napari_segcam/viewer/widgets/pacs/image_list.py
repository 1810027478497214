"""The images of one series, side by side, to choose some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_segcam.viewer.pacs.pictures import SIDE, Pictures

if TYPE_CHECKING:
    from napari_segcam.imaging.dicomweb.found import FoundInstance

_HEIGHT = SIDE + 36
_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"  # ultrasound


class ImageList(QListWidget):
    """Small pictures with their number of frames; ``chosen`` gives one that is opened by a double click or Enter."""

    chosen = Signal(object)
    seen = Signal()  # other images are in sight

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.instances: list[FoundInstance] = []
        self._pictures = pictures
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setFlow(QListWidget.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListWidget.Movement.Static)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setFixedHeight(_HEIGHT)
        self.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemActivated.connect(lambda item: self.chosen.emit(self.instances[self.row(item)]))
        self.horizontalScrollBar().valueChanged.connect(lambda _value: self.seen.emit())
        pictures.changed.connect(self._on_picture)

    def show_instances(self, instances: Sequence[FoundInstance]) -> None:
        """Show these images, none of them selected."""
        self.instances = list(instances)
        self.clear()
        blank = QPixmap(SIDE, SIDE)
        blank.fill(Qt.GlobalColor.transparent)
        for number, instance in enumerate(self.instances, start=1):
            words = f"{instance.number or number}: {frames_in_words(instance)}"
            item = QListWidgetItem(QIcon(self._pictures.pictures.get(instance.uid, blank)), words)
            item.setToolTip(f"{words}\n{instance.columns} × {instance.rows} pixels" if instance.rows else words)
            self.addItem(item)
        self.seen.emit()

    def selected(self) -> list[FoundInstance]:
        """Return the selected images, in the order of the list."""
        return [self.instances[row] for row in sorted(self.row(item) for item in self.selectedItems())]

    def in_sight(self) -> list[FoundInstance]:
        """Return the images that are in sight."""
        sight = self.viewport().rect()
        return [
            instance
            for row, instance in enumerate(self.instances)
            if self.visualItemRect(self.item(row)).intersects(sight)
        ]

    def _on_picture(self, uid: str) -> None:
        for row, instance in enumerate(self.instances):
            if instance.uid == uid and uid in self._pictures.pictures:
                self.item(row).setIcon(QIcon(self._pictures.pictures[uid]))


def frames_in_words(instance: FoundInstance) -> str:
    """Return what an instance is: a cine of so many frames, a still, or no image."""
    if not instance.is_image:
        return "no image"
    if instance.frames > 1:
        return f"{instance.frames} frames"
    return "cine" if instance.sop_class_uid == _MULTI_FRAME else "still"  # some servers do not count frames
