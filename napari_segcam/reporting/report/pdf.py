"""PDF report: the same document on A4 pages, for print and archives."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from napari_segcam.files import whole_file
from napari_segcam.reporting.report import document as parts
from napari_segcam.reporting.report.pdf_style import (
    FONT,
    LINE,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    SOFT,
    WIDTH,
    cell_markup,
    markup,
    register_fonts,
    styles,
)
from napari_segcam.reporting.report.pdf_table import data_table, facts_table
from napari_segcam.reporting.report.sheets import size_of
from napari_segcam.reporting.report.text import drawable

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Flowable, Image

_SHEET_HEIGHT = 420.0
_PLOT_HEIGHT = 640.0
_CARD_WIDTH = WIDTH / 2 - 8
_CARD_HEIGHT = 140.0
_LONGEST_NAME = 300
_NEW_PAGE = {"validation", "findings", "attention", "extremes", "outliers", "overview", "limits", "images"}


def write_pdf(path: Path, document: parts.Document) -> None:
    """Write a document as PDF.

    Every text is escaped; characters that DejaVu Sans lacks are written as code points.

    Raises:
        SegcamError: if the file cannot be written.
    """
    from reportlab.platypus import SimpleDocTemplate

    register_fonts()
    with whole_file(path) as temporary:
        layout = SimpleDocTemplate(
            str(temporary),
            pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
            leftMargin=MARGIN - 6,  # the frame has a padding of 6
            rightMargin=MARGIN - 6,
            topMargin=MARGIN - 6,
            bottomMargin=MARGIN + 8,
            title=drawable(document.title),
            subject=parts.RESEARCH_ONLY,
            creator="napari-segcam",
        )
        layout.afterFlowable = lambda flowable: _add_to_outline(layout.canv, flowable)
        layout.build(_Story(styles()).all(document), onFirstPage=_footer, onLaterPages=_footer)


def _footer(canvas: Canvas, _layout: object) -> None:
    canvas.saveState()
    canvas.setStrokeColor(LINE)
    canvas.line(MARGIN, MARGIN - 2, PAGE_WIDTH - MARGIN, MARGIN - 2)
    canvas.setFillColor(SOFT)
    canvas.setFont(FONT, 7)
    canvas.drawString(MARGIN, MARGIN - 14, parts.RESEARCH_ONLY)
    canvas.drawRightString(PAGE_WIDTH - MARGIN, MARGIN - 14, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()


def _add_to_outline(canvas: Canvas, flowable: Flowable) -> None:
    if hasattr(flowable, "outline"):
        canvas.addOutlineEntry(*flowable.outline, closed=True)


class _Story:
    """The elements of a document as reportlab's flowables, in order."""

    def __init__(self, styles: dict[str, ParagraphStyle]) -> None:
        self._styles = styles

    def all(self, document: parts.Document) -> list[Flowable]:
        from reportlab.platypus import PageBreak

        story = [self._text(document.title, "title"), self._text(document.subtitle, "subtitle")]
        story += self._blocks(document.front)
        story.append(self._text("Contents", "subheading"))
        story += [self._text(parts.Link(section.title, section.anchor), "contents") for section in document.sections]
        for number, section in enumerate(document.sections):
            if number == 0 or section.anchor in _NEW_PAGE:
                story.append(PageBreak())
            story.append(self._heading(section.title, "section", section.anchor, 0))
            story += self._blocks(section.blocks)
        return story

    def _blocks(self, blocks: Sequence[parts.Block]) -> Iterator[Flowable]:
        for block in blocks:
            yield from self._block(block)

    def _block(self, block: parts.Block) -> Iterator[Flowable]:
        match block:
            case parts.Paragraph():
                yield self._text(block.text, "warning" if block.warning else "note" if block.note else "body")
            case parts.Subheading():
                yield self._text(block.text, "subheading")
            case parts.Bullets():
                yield from self._bullets(block)
            case parts.Facts():
                yield from facts_table(block, self._styles)
            case parts.Code():
                yield self._text(block.text, "code")
            case parts.Table():
                yield from data_table(block, self._styles)
            case parts.Plot():
                yield self._plot(block)
            case parts.Cards():
                yield self._cards(block)
            case parts.ImagePage():
                yield from self._image_page(block)

    def _text(self, text: parts.Cell, style: str) -> Flowable:
        from reportlab.platypus import Paragraph

        return Paragraph(markup(text), self._styles[style])

    def _heading(self, text: str, style: str, anchor: str, level: int) -> Flowable:
        """Return a heading that links can lead to, and that is in the outline."""
        from reportlab.platypus import Paragraph

        heading = Paragraph(f"<a name={quoteattr(anchor)}/>{markup(text)}", self._styles[style])
        heading.outline = (drawable(text), anchor, level)
        return heading

    def _bullets(self, block: parts.Bullets) -> Iterator[Flowable]:
        from reportlab.platypus import Paragraph

        for title, text in block.items:
            heading = f"<b>{markup(title)}.</b> " if title else ""
            yield Paragraph(heading + markup(text), self._styles["item"], bulletText="•")

    def _plot(self, block: parts.Plot) -> Flowable:
        from reportlab.platypus import Image, KeepTogether

        scale = min(WIDTH / block.width, _PLOT_HEIGHT / block.height)
        picture = Image(io.BytesIO(block.png), block.width * scale, block.height * scale)
        return KeepTogether([picture, self._text(block.caption, "caption")])

    def _cards(self, block: parts.Cards) -> Flowable:
        from reportlab.platypus import Paragraph, Spacer, Table

        names = [parts.Link(card.name, card.anchor) if card.anchor else card.name for card in block.cards]
        cells: list[list[Flowable] | str] = [
            [
                *_picture(card.sheet, _CARD_WIDTH, _CARD_HEIGHT),
                Spacer(0, 4),
                Paragraph(cell_markup(name, _LONGEST_NAME), self._styles["cell"]),
                self._text(card.note, "note"),
            ]
            for card, name in zip(block.cards, names, strict=True)
        ]
        pairs = zip_longest(cells[::2], cells[1::2], fillvalue="")
        style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
        return Table([list(pair) for pair in pairs], colWidths=[WIDTH / 2] * 2, style=style)

    def _image_page(self, block: parts.ImagePage) -> Iterator[Flowable]:
        from reportlab.platypus import CondPageBreak, Spacer

        picture = _picture(block.sheet, WIDTH, _SHEET_HEIGHT)
        rows = min(len(block.table.rows), 25)
        height = sum(image.drawHeight for image in picture) + 14 * rows + 12 * len(block.notes) + 60
        yield CondPageBreak(height)
        yield self._heading(block.name, "subheading", block.anchor, 1)
        for note in block.notes:
            yield self._text(note, "note")
        yield from picture
        yield Spacer(0, 4)
        yield from data_table(block.table, self._styles)
        yield Spacer(0, 8)


def _picture(content: bytes | None, width: float, height: float) -> list[Image]:
    """Return a JPEG within a width and height, in points; an empty list if there is none."""
    from reportlab.platypus import Image

    if content is None:
        return []
    pixels = size_of(content)
    scale = min(width / pixels[0], height / pixels[1])
    return [Image(io.BytesIO(content), pixels[0] * scale, pixels[1] * scale)]
