"""A grid of tiles, one for each possible answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtWidgets import QGridLayout, QWidget

from napari_segcam.viewer.questions.picture_maker import PictureMaker
from napari_segcam.viewer.widgets.questions.answer_tile import AnswerTile

_SHORT = {2: 16, 3: 10}  # characters of a label that fits one line, by the number of columns


class AnswerGrid(QWidget):
    """Tiles of answers.

    Args:
        maker: of the pictures.
        on_click: called with the number of the tile.
    """

    def __init__(self, maker: PictureMaker, on_click: Callable[[int], None]) -> None:
        super().__init__()
        self._maker, self._on_click = maker, on_click
        self.tiles: list[AnswerTile] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)

    def offer(self, labels: Sequence[str], columns: int) -> None:
        """Show tiles with these labels in place of the earlier ones."""
        for tile in self.tiles:
            self._grid.removeWidget(tile)
            tile.deleteLater()
        self.tiles = [self._tile(index, label) for index, label in enumerate(labels)]
        is_long = any(len(label) > _SHORT[columns] for label in labels)
        for index, tile in enumerate(self.tiles):
            tile.lines = 2 if is_long else 1
            self._grid.addWidget(tile, index // columns, index % columns)

    def refresh(self, chosen: int | None) -> None:
        """Mark the chosen tile, and show the pictures that there are."""
        for index, tile in enumerate(self.tiles):
            tile.setChecked(index == chosen)
            picture = self._maker.pictures.get(index)
            if picture is not None and self._maker.is_new(index):
                tile.show_picture(picture.pixels, picture.words, picture.failure)
            else:
                tile.show_old()

    def _tile(self, index: int, label: str) -> AnswerTile:
        tile = AnswerTile(label)
        tile.clicked.connect(lambda: self._on_click(index))
        return tile
