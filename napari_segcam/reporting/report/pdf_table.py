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
_HEAD = 55.0  # longer headings are broken between words
_LONGEST, _LONGEST_FACT = 600, 3000


def facts_table(facts: Facts, styles: dict[str, ParagraphStyle]) -> list[Flowable]:
    """Return a table with names on the left and their values on the right."""
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
    """Return a caption and a table, whose head is repeated on every page."""
    from reportlab.platypus import LongTable, Paragraph

    widths = _widths(table)
    are_text = [name in table.text_columns for name in table.columns]
    head = [
        Paragraph(markup(name), styles["head" if is_text else "number head"])
        for name, is_text in zip(table.columns, are_text, strict=True)
    ]
    body = [
        [
            _cell(cell, width, styles["cell" if is_text else "number"])
            for cell, width, is_text in zip(row, widths, are_text, strict=True)
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
        *(("ALIGN", (index, 0), (index, -1), "RIGHT") for index, is_text in enumerate(are_text) if not is_text),
        *_padding(1.6),
    ]
    grid = LongTable([head, *body], colWidths=widths, repeatRows=1, style=style, spaceAfter=10)
    return [*([Paragraph(markup(table.caption), styles["table caption"])] if table.caption else []), grid]


def _cell(cell: Cell, width: float, style: ParagraphStyle) -> object:
    """Return text that fits on one line as it is, which is many times faster than a paragraph, else a paragraph."""
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.platypus import Paragraph

    if isinstance(cell, str) and stringWidth(text := drawable(cell), FONT, _SIZE) < width - _PADDING:
        return text
    return Paragraph(cell_markup(cell, _LONGEST), style)


def _widths(table: Table) -> list[float]:
    """Return the width of each column, in points.

    Numbers get the width they need. Text columns share the rest by their longest text, up to ``_WIDEST`` points; where
    that is too little for all, their longest words come first, so that no short word is broken.
    """
    from reportlab.pdfbase.pdfmetrics import stringWidth

    needed, least = [], []
    for index, name in enumerate(table.columns):
        head = max(stringWidth(word, BOLD, _SIZE) for word in name.split())
        texts = [_text(row[index]) for row in table.rows]
        widest = max((stringWidth(text, FONT, _SIZE) for text in texts), default=0.0)
        if name in table.text_columns:
            words = {word for text in texts for word in text.split()}
            word = max((stringWidth(word, FONT, _SIZE) for word in words), default=0.0)
            least.append(max(head, min(word, _WIDEST)) + _PADDING + 1)
            widest = min(widest, _WIDEST)
        needed.append(max(head, min(stringWidth(name, BOLD, _SIZE), _HEAD), widest) + _PADDING + 1)
    are_text = [name in table.text_columns for name in table.columns]
    wanted = [width for width, is_text in zip(needed, are_text, strict=True) if is_text]
    room = WIDTH - sum(needed) + sum(wanted)
    shared = iter(_share(room, wanted, least))
    return [next(shared) if is_text else width for width, is_text in zip(needed, are_text, strict=True)]


def _share(room: float, wanted: Sequence[float], least: Sequence[float]) -> list[float]:
    """Divide the room among columns by what they want; if it is too little, by what they want beyond the least."""
    if sum(least) < room < sum(wanted):
        stretch = (room - sum(least)) / (sum(wanted) - sum(least))
        return [low + stretch * (width - low) for width, low in zip(wanted, least, strict=True)]
    return [width * room / sum(wanted) for width in wanted]


def _text(cell: Cell) -> str:
    return drawable(cell if isinstance(cell, str) else cell.text)


def _padding(vertical: float) -> Sequence[tuple[object, ...]]:
    all_cells = ((0, 0), (-1, -1))
    return [
        ("TOPPADDING", *all_cells, vertical),
        ("BOTTOMPADDING", *all_cells, vertical),
        ("LEFTPADDING", *all_cells, 2),
        ("RIGHTPADDING", *all_cells, 5),
    ]
