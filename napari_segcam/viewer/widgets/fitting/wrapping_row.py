"""A row of widgets that goes on in the next line where it is narrow."""

from __future__ import annotations

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtWidgets import QCheckBox, QLayout, QLayoutItem, QSizePolicy, QWidget


class WrappingRow(QLayout):
    """Lays widgets out side by side, as wide as the row; those that do not fit are in lines below.

    Widgets that expand get the free room, otherwise all that can grow.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)

    # What Qt asks for

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        lines = self._lines(width)
        return sum(height for _, _, height in lines) + self._gap() * max(0, len(lines) - 1)

    def sizeHint(self) -> QSize:  # noqa: N802
        items = self._shown()
        width = sum(item.sizeHint().width() for item in items) + self._gap() * max(0, len(items) - 1)
        return QSize(width, max((item.sizeHint().height() for item in items), default=0))

    def minimumSize(self) -> QSize:  # noqa: N802
        items = self._shown()
        return QSize(
            max((item.minimumSize().width() for item in items), default=0),
            max((item.minimumSize().height() for item in items), default=0),
        )

    def setGeometry(self, rectangle: QRect) -> None:  # noqa: N802
        super().setGeometry(rectangle)
        lines = self._lines(rectangle.width())
        spare = rectangle.height() - sum(height for _, _, height in lines) - self._gap() * max(0, len(lines) - 1)
        y = rectangle.y()
        for items, widths, height in lines:
            line_height = height + (max(0, spare) if len(lines) == 1 else 0)
            x = rectangle.x()
            for item, width in zip(items, widths, strict=True):
                item.setGeometry(QRect(x, y, width, line_height))
                x += width + self._gap()
            y += line_height + self._gap()

    # The lines

    def _gap(self) -> int:
        return max(0, self.spacing())

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _lines(self, width: int) -> list[tuple[list[QLayoutItem], list[int], int]]:
        """Return the items of each line, their widths, and its height."""
        lines: list[list[QLayoutItem]] = []
        used = 0
        for item in self._shown():
            needed = item.minimumSize().width()
            if not lines or used + self._gap() + needed > width:
                lines.append([item])
                used = needed
            else:
                lines[-1].append(item)
                used += self._gap() + needed
        laid = []
        for items in lines:
            widths = _widths(items, width - self._gap() * (len(items) - 1))
            laid.append((items, widths, max(map(_height, items, widths))))
        return laid


def _height(item: QLayoutItem, width: int) -> int:
    return item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()


def _widths(items: list[QLayoutItem], room: int) -> list[int]:
    """Return the widths of items in a line: their hints if these fit, and a fair share of the rest."""
    least = [min(item.minimumSize().width(), room) for item in items]
    hints = [max(item.sizeHint().width(), low) for item, low in zip(items, least, strict=True)]
    wanted, free = sum(hints) - sum(least), room - sum(least)
    if free <= wanted:
        share = max(0.0, free / wanted) if wanted else 0.0
        return [low + int((hint - low) * share) for low, hint in zip(least, hints, strict=True)]
    widths, growing = hints, _growing(items)
    left = room - sum(widths)
    while growing and left > 0:  # the narrowest first, until they are as wide as the next
        narrowest = min(widths[index] for index in growing)
        lowest = [index for index in growing if widths[index] == narrowest]
        higher = [widths[index] for index in growing if widths[index] > narrowest]
        step = min(left // len(lowest), min(higher, default=room) - narrowest)
        if step <= 0:
            widths[lowest[0]] += left
            break
        for index in lowest:
            widths[index] += step
        left = room - sum(widths)
    return widths


def _growing(items: list[QLayoutItem]) -> list[int]:
    expanding = [index for index, item in enumerate(items) if item.expandingDirections() & Qt.Orientation.Horizontal]
    if expanding:
        return expanding
    grow = QSizePolicy.PolicyFlag.GrowFlag.value
    return [
        index
        for index, item in enumerate(items)
        if (widget := item.widget()) is not None
        and not isinstance(widget, QCheckBox)  # a click beside its text does nothing
        and widget.sizePolicy().horizontalPolicy().value & grow
    ]
