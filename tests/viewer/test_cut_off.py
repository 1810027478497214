"""The search for texts that are cut off finds what is planted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from tests.viewer.cut_off import cut_off

LONG = "Measure the effect of burned-in graphics"


@pytest.fixture
def shown(qtbot: QtBot) -> Callable[..., QWidget]:
    """A function that shows widgets at given places, or below each other, in one of this size."""

    def show(*parts: QWidget, width: int = 300, height: int = 200, lay_out: bool = True) -> QWidget:
        box = QWidget()
        if lay_out:
            layout = QVBoxLayout(box)
            for part in parts:
                layout.addWidget(part)
        for part in parts:
            part.setParent(box)
        qtbot.addWidget(box)
        box.setMinimumSize(1, 1)
        box.show()
        box.setFixedSize(width, height)
        return box

    return show


def label(text: str, *, wraps: bool = False) -> QLabel:
    made = QLabel(text)
    made.setWordWrap(wraps)
    return made


def combo(text: str) -> QComboBox:
    made = QComboBox()
    made.addItem(text)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(3)
    return made


def tool(text: str) -> QToolButton:
    made = QToolButton()
    made.setText(text)
    return made


def placeholder(text: str, field: QLineEdit | QPlainTextEdit) -> QWidget:
    field.setPlaceholderText(text)
    return field


def progress(text: str) -> QProgressBar:
    made = QProgressBar()
    made.setFormat(text)
    made.setValue(30)
    return made


def table(text: str, tip: str = "") -> QTableWidget:
    made = QTableWidget(1, 1)
    made.setHorizontalHeaderLabels(["A"])
    item = QTableWidgetItem(text)
    item.setToolTip(tip)
    made.setItem(0, 0, item)
    made.setWordWrap(False)
    made.setColumnWidth(0, 60)
    return made


def header(text: str) -> QTableWidget:
    made = QTableWidget(0, 1)
    made.setHorizontalHeaderLabels([text])
    made.setColumnWidth(0, 50)
    return made


def tabs(*titles: str) -> QTabWidget:
    made = QTabWidget()
    made.setElideMode(Qt.TextElideMode.ElideRight)
    for title in titles:
        made.addTab(QWidget(), title)
    return made


def spin(value: int, width: int) -> QSpinBox:
    made = QSpinBox()
    made.setRange(0, 10**9)
    made.setValue(value)
    made.setSuffix(" MB")
    made.setFixedWidth(width)
    return made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: label(LONG), LONG[:20]),
        (lambda: label(f"<b>{LONG}</b> and much more"), "Measure"),
        (lambda: label("Pneumonoultramicroscopicsilicovolcanoconiosis.pth", wraps=True), "Pneumono"),
        (lambda: label("<i>Pneumonoultramicroscopicsilicovolcanoconiosis.pth</i>", wraps=True), "Pneumono"),
        (lambda: QPushButton(LONG), LONG[:20]),
        (lambda: QCheckBox(LONG), LONG[:20]),
        (lambda: tool(LONG), LONG[:20]),
        (lambda: combo(LONG), LONG[:20]),
        (lambda: placeholder(LONG, QLineEdit()), LONG[:20]),
        (lambda: progress(LONG), LONG[:20]),
        (lambda: table(LONG), LONG[:20]),
        (lambda: header("Likeliest other"), "Likeliest"),
        (lambda: tabs("Checkpoint", "Segmentation", "Grad-CAM", "Export"), "Segmentation"),
        (lambda: spin(123_456_789, 60), "123456789"),
    ],
)
def test_a_text_without_room_is_found(shown: Callable[..., QWidget], make: Callable[[], QWidget], words: str) -> None:
    faults = cut_off(shown(make(), width=150))
    assert any("is cut" in fault and words in fault for fault in faults), faults
    part = make()
    if not isinstance(part, QTableWidget) and not isinstance(part, QSpinBox):  # their widths are fixed above
        assert cut_off(shown(part, width=700)) == []


def test_wrapped_text_without_height_is_found(shown: Callable[..., QWidget]) -> None:
    part = label(" ".join([LONG] * 4), wraps=True)
    part.setFixedHeight(20)
    assert "height" in cut_off(shown(part, width=220))[0]
    assert cut_off(shown(label(" ".join([LONG] * 4), wraps=True), width=220)) == []
    field = placeholder(" ".join([LONG] * 4), QPlainTextEdit())
    field.setFixedHeight(30)
    assert "height" in cut_off(shown(field, width=220))[0]


def test_what_a_user_typed_may_be_longer_than_its_field(shown: Callable[..., QWidget]) -> None:
    field = QLineEdit(LONG * 3)
    assert cut_off(shown(field)) == []


def test_a_control_outside_of_its_parent_is_found(shown: Callable[..., QWidget]) -> None:
    button = QPushButton("Stop")
    box = shown(button, lay_out=False)
    button.setGeometry(260, 10, 80, 30)
    assert cut_off(box) == ['QPushButton "Stop" is beside the 300×200 of QWidget']
    button.setGeometry(10, 185, 80, 30)
    assert cut_off(box) == ['QPushButton "Stop" is above or below the 300×200 of QWidget']
    button.setGeometry(10, 150, 80, 30)
    assert cut_off(box) == []


@pytest.mark.parametrize(("size", "found"), [((260, 900), []), ((600, 100), ["sideways", "is beside"])])
def test_scrolling_down_is_fine_and_sideways_is_not(
    shown: Callable[..., QWidget], size: tuple[int, int], found: list[str]
) -> None:
    content = QWidget()
    layout = QVBoxLayout(content)
    layout.addWidget(QPushButton("First"), alignment=Qt.AlignmentFlag.AlignRight)
    layout.addStretch()
    layout.addWidget(QPushButton("Last"), alignment=Qt.AlignmentFlag.AlignRight)
    content.setMinimumSize(*size)
    area = QScrollArea()
    area.setWidget(content)
    faults = " ".join(cut_off(shown(area, width=320)))
    assert all(words in faults for words in found), faults
    assert bool(faults) == bool(found), faults


def test_neighbors_over_each_other_are_found(shown: Callable[..., QWidget]) -> None:
    first, second = QPushButton("First"), QPushButton("Second")
    box = shown(first, second, lay_out=False)
    first.setGeometry(10, 10, 100, 30)
    second.setGeometry(80, 20, 100, 30)
    faults = cut_off(box)
    assert len(faults) == 1
    assert "overlaps" in faults[0]
    second.setGeometry(110, 10, 100, 30)
    assert cut_off(box) == []


def test_what_is_hidden_is_not_looked_at(shown: Callable[..., QWidget]) -> None:
    button = QPushButton(LONG)
    box = shown(button, width=100)
    assert cut_off(box)
    button.hide()
    assert cut_off(box) == []


def test_a_row_that_is_squeezed_is_found(shown: Callable[..., QWidget]) -> None:
    row = QWidget()
    layout = QHBoxLayout(row)
    for text in ("Click", "Box", "Lasso", "Back to mask"):
        layout.addWidget(QPushButton(text))
    box = shown(row, width=160)
    assert cut_off(box)
    box.setFixedWidth(600)
    assert cut_off(box) == []
