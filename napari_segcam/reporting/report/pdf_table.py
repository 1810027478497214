"""Tables of the PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_segcam.reporting.report.document import Cell, Facts, Table
from napari_segcam.reporting.report.pdf_style import BOLD, FONT, INK, LINE, WIDTH, cell_markup, markup
from napari_segcam.reporting.report.text import drawable

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Flowable

_SIZE = 7.2
_LEADING = 9.4
_PADDING = 7.0
_WIDEST = 150.0
_HEAD = 55.0  # headings that are longer are broken between words
_LONGEST, _LONGEST_FACT = 600, 3000


def facts_table(facts: Facts, styles: dict[str, ParagraphStyle]) -> list[Flowable]:
    """Names on the left, what they stand for on the right."""
    from reportlab.platypus import Paragraph
    from reportlab.platypus import Table as Grid

    rows = [
        [Paragraph(markup(name), styles["note"]), Paragraph(cell_markup(value, _LONGEST_FACT), styles["cell"])]
        for name, value in facts.rows
    ]
    line = ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE)
    style = [line, ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, -1), 0)]
    return [Grid(rows, colWidths=[WIDTH * 0.28, WIDTH * 0.72], style=[*style, *_padding(2.5)], spaceAfter=10)]


def data_table(table: Table, styles: dict[str, ParagraphStyle]) -> list[Flowable]:
    """A table under its caption, its head repeated on every page."""
    from reportlab.platypus import LongTable, Paragraph

    widths = _widths(table)
    is_wordy = [name in table.wordy for name in table.columns]
    head = [
        Paragraph(markup(name), styles["head" if wordy else "number head"])
        for name, wordy in zip(table.columns, is_wordy, strict=True)
    ]
    body = [
        [
            _cell(cell, width, styles["cell" if wordy else "number"])
            for cell, width, wordy in zip(row, widths, is_wordy, strict=True)
        ]
        for row in table.rows
    ]
    style = [
        ("FONT", (0, 0), (-1, -1), FONT, _SIZE, _LEADING),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, INK),
        *(("ALIGN", (place, 0), (place, -1), "RIGHT") for place, wordy in enumerate(is_wordy) if not wordy),
        *_padding(1.6),
    ]
    grid = LongTable([head, *body], colWidths=widths, repeatRows=1, style=style, spaceAfter=10)
    return [*([Paragraph(markup(table.caption), styles["table caption"])] if table.caption else []), grid]


def _cell(cell: Cell, width: float, style: ParagraphStyle) -> object:
    """What fits on one line is drawn as it is, which is many times faster than a paragraph and knows no markup."""
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.platypus import Paragraph

    if isinstance(cell, str) and stringWidth(text := drawable(cell), FONT, _SIZE) < width - _PADDING:
        return text
    return Paragraph(cell_markup(cell, _LONGEST), style)


def _widths(table: Table) -> list[float]:
    """Numbers get the width they need; words share the rest by their longest text, up to ``_WIDEST`` points."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    needed = []
    for place, name in enumerate(table.columns):
        word = max(stringWidth(word, BOLD, _SIZE) for word in name.split())
        head = max(word, min(stringWidth(name, BOLD, _SIZE), _HEAD))
        widest = max((stringWidth(_text(row[place]), FONT, _SIZE) for row in table.rows), default=0.0)
        is_wordy = name in table.wordy
        needed.append(max(head, min(widest, _WIDEST) if is_wordy else widest) + _PADDING + 1)
    words = sum(width for width, name in zip(needed, table.columns, strict=True) if name in table.wordy)
    stretch = (WIDTH - sum(needed) + words) / words
    return [
        width * stretch if name in table.wordy else width for width, name in zip(needed, table.columns, strict=True)
    ]


def _text(cell: Cell) -> str:
    return drawable(cell if isinstance(cell, str) else cell.text)


def _padding(vertical: float) -> Sequence[tuple[object, ...]]:
    every = ((0, 0), (-1, -1))
    return [
        ("TOPPADDING", *every, vertical),
        ("BOTTOMPADDING", *every, vertical),
        ("LEFTPADDING", *every, 2),
        ("RIGHTPADDING", *every, 5),
    ]
