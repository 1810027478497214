"""Style of the PDF: page, fonts, paragraph styles, and text that is safe in reportlab's markup."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from napari_segcam.reporting.report.document import Cell, Link
from napari_segcam.reporting.report.text import drawable, font_file, shorten_middle

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
"""A4, in points."""
MARGIN = 48.0
WIDTH = PAGE_WIDTH - 2 * MARGIN

FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"
MONOSPACE = "DejaVuSansMono"
INK, SOFT, LINE, LINK, WARN = "#1b2127", "#5a6570", "#dde2e7", "#0b5c8f", "#9a3b00"


def register_fonts() -> None:
    """Register matplotlib's DejaVu fonts with reportlab, whose own fonts have Latin letters only."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name in (FONT, BOLD, MONOSPACE):
        pdfmetrics.registerFont(TTFont(name, str(font_file(name))))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def styles() -> dict[str, ParagraphStyle]:
    """Return paragraph styles by name."""
    from reportlab.lib.styles import ParagraphStyle

    body = ParagraphStyle("body", fontName=FONT, fontSize=8.6, leading=12.6, textColor=INK, spaceAfter=5)

    def style(name: str, **changes: object) -> ParagraphStyle:
        return ParagraphStyle(name, parent=body, **changes)

    heading = {"fontName": BOLD, "keepWithNext": 1}
    return {
        "body": body,
        "title": style("title", fontName=BOLD, fontSize=20, leading=25, spaceAfter=4),
        "subtitle": style("subtitle", fontSize=10.5, leading=14, textColor=SOFT, spaceAfter=14),
        "section": style("section", fontSize=14, leading=18, spaceBefore=16, spaceAfter=8, **heading),
        "subheading": style("subheading", fontSize=10, leading=14, spaceBefore=10, spaceAfter=5, **heading),
        "contents": style("contents", leading=13, spaceAfter=1),
        "note": style("note", fontSize=7.6, leading=10.6, textColor=SOFT),
        "caption": style("caption", fontSize=7.6, leading=10.6, textColor=SOFT, spaceBefore=3, spaceAfter=8),
        "table caption": style(
            "table caption", fontSize=7.6, leading=10.6, textColor=SOFT, spaceBefore=6, spaceAfter=4, keepWithNext=1
        ),
        "warning": style(
            "warning",
            fontName=BOLD,
            textColor=WARN,
            borderColor=WARN,
            borderWidth=0.8,
            borderPadding=(6, 8, 7, 8),
            leftIndent=8,
            rightIndent=8,
            spaceBefore=8,
            spaceAfter=16,
        ),
        "item": style("item", leftIndent=10, bulletIndent=0, spaceAfter=4),
        "code": style("code", fontName=MONOSPACE, fontSize=7.6, leading=11, backColor="#f5f7f9", borderPadding=5),
        "cell": style("cell", fontSize=7.2, leading=9.4, spaceAfter=0),
        "number": style("number", fontSize=7.2, leading=9.4, spaceAfter=0, alignment=2),
        "head": style("head", fontName=BOLD, fontSize=7.2, leading=9.4, spaceAfter=0),
        "number head": style("number head", fontName=BOLD, fontSize=7.2, leading=9.4, spaceAfter=0, alignment=2),
    }


def markup(cell: Cell) -> str:
    """Return a text or link in reportlab's markup; all of the text is escaped."""
    if isinstance(cell, str):
        return escape(drawable(cell))
    return f"<a href={quoteattr('#' + cell.anchor)} color={quoteattr(LINK)}>{escape(drawable(cell.text))}</a>"


def cell_markup(cell: Cell, longest: int) -> str:
    """Return ``markup`` for a table cell; long text loses its middle, as a row cannot be higher than a page."""
    if isinstance(cell, str):
        return markup(shorten_middle(cell, longest))
    return markup(Link(shorten_middle(cell.text, longest), cell.anchor))
