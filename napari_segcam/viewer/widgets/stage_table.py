"""The stage table: which stages get a heatmap, and what is known of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QBrush
from qtpy.QtWidgets import QHeaderView, QStyle, QTreeWidget, QTreeWidgetItem

from napari_segcam.viewer.drawing.theme_colors import quiet
from napari_segcam.viewer.evidence.stage_rows import CHANCE_TIP, INFLUENCE_TIP, RATIO_TIP, StageRow
from napari_segcam.viewer.widgets.fitting.fitted import Fitted

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.network.network import Network

NAME, INFLUENCE, RATIO, CHANCE = range(4)
_STAGE = Qt.ItemDataRole.UserRole
_SAMPLES = {INFLUENCE: "Influence", RATIO: "26,055", CHANCE: "0.77, p 0.01"}  # as wide as their columns
_LONG_NAME = "decoder_x_0_4"  # longer ones, such as names of layers, lose their beginning
_PADDING = 11  # pixels


class _Text:
    """Every text of the table; ``{frame}`` is "frame", or "image" in a folder of stills."""

    COLUMNS = ("Stage", "Influence", "In / out", "Chance")
    TIP = (
        "The stages that get a heatmap, in the order in which the network runs them.\n"
        "Gray: takes no part in the mask. Italic: in this {frame} the heatmap repeats the mask."
    )
    STAGE_TIP = "{channels} channels at stride {stride}"


class StageTable(Fitted, QTreeWidget):
    """A row for each stage of the network, with a check box; those that take no part are gray."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, str] = {}
        self._rows: Mapping[str, StageRow] = {}
        self.setRootIsDecorated(False)
        self.setHeaderLabels(list(_Text.COLUMNS))
        header = self.header()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in _SAMPLES:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        header.setStretchLastSection(False)
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)  # stages differ in the end of their names
        self.name_frames("frame")

    def fit(self) -> None:
        """Nothing depends on the width: the names are stretched."""

    def fit_font(self) -> None:
        """Give figures and names of stages their room: a table that is narrower cannot be read."""
        width = self.fontMetrics().horizontalAdvance
        for column, sample in _SAMPLES.items():
            self.header().resizeSection(column, width(sample) + _PADDING)
        style = self.style()
        box = style.pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth) + 2 * _PADDING
        names = max((min(width(name), width(_LONG_NAME)) for name in self.names()), default=0)
        figures = sum(self.header().sectionSize(column) for column in _SAMPLES)
        bar = style.pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.setMinimumWidth(box + names + figures + bar + 2 * self.frameWidth())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:  # another theme has another gray
            self.show_rows(self._rows)

    def offer(self, network: Network) -> None:
        """Show the stages of a network, unchecked."""
        self.clear()
        for stage in network.stages:
            item = QTreeWidgetItem([stage.name, "", "", ""])
            item.setData(NAME, _STAGE, stage.name)
            self._kinds[stage.name] = _Text.STAGE_TIP.format(channels=stage.channels, stride=stage.stride)
            item.setToolTip(NAME, self._kinds[stage.name])
            self.addTopLevelItem(item)
        self.fit_font()

    def names(self) -> list[str]:
        """Names of all stages."""
        return [name for name, _ in self._items()]

    def checked(self) -> tuple[str, ...]:
        """Names of the checked stages."""
        return tuple(name for name, item in self._items() if item.checkState(NAME) == Qt.CheckState.Checked)

    def check(self, names: Collection[str]) -> None:
        """Check these stages, and no others."""
        for name, item in self._items():
            item.setCheckState(NAME, Qt.CheckState.Checked if name in names else Qt.CheckState.Unchecked)

    def show_rows(self, rows: Mapping[str, StageRow]) -> None:
        """Show what is known of each stage."""
        self._rows = rows
        for name, item in self._items():
            row = rows.get(name, StageRow())
            for column, text, tip in (
                (NAME, name, "\n".join(part for part in (name, self._kinds[name], row.name_tip) if part)),
                (INFLUENCE, row.influence, row.influence_tip),
                (RATIO, row.ratio, row.ratio_tip),
                (CHANCE, row.chance, row.chance_tip),
            ):
                if item.text(column) != text:
                    item.setText(column, text)
                if item.toolTip(column) != tip:
                    item.setToolTip(column, tip)
            if item.font(NAME).italic() != row.is_echo:
                font = item.font(NAME)
                font.setItalic(row.is_echo)
                item.setFont(NAME, font)
            brush = QBrush(quiet(self)) if row.takes_part is False else QBrush()
            if item.foreground(NAME) != brush:
                for column in range(self.columnCount()):
                    item.setForeground(column, brush)

    def name_frames(self, word: str) -> None:
        """Speak of frames, or of images if these come from a folder of stills."""
        self.setToolTip(_Text.TIP.format(frame=word))
        for column, tip in ((INFLUENCE, INFLUENCE_TIP), (RATIO, RATIO_TIP), (CHANCE, CHANCE_TIP)):
            self.headerItem().setToolTip(column, tip.format(frame=word))

    def _items(self) -> list[tuple[str, QTreeWidgetItem]]:
        items = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return [(item.data(NAME, _STAGE), item) for item in items]
