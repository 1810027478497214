"""The HTML and the PDF: whole, safe with any name, and the same in what they say."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_run import HOSTILE, WriteRun, run_writer

from napari_segcam.errors import SegcamError
from napari_segcam.reporting.report.content import ReportOptions, document_of
from napari_segcam.reporting.report.document import RESEARCH_ONLY, Document, ImagePage, Table
from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.reporting.report.front import repeat_command
from napari_segcam.reporting.report.sheets import Sheets
from napari_segcam.reporting.report.text import printable
from napari_segcam.reporting.report.writing import write_report

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's text, its tags with their attributes, and whether every tag is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, own in self.tags if (value := own.get(attribute)) is not None]


def document(folder: Path, options: ReportOptions | None = None) -> Document:
    return document_of(read_run(folder, partial=True), options or ReportOptions(), datetime(2026, 1, 1, tzinfo=UTC))


def texts(part: object) -> str:
    """Everything that a document says, pictures left out."""
    if isinstance(part, str):
        return f"{part}\n"
    if isinstance(part, bytes):
        return ""
    if isinstance(part, list | tuple):
        return "".join(map(texts, part))
    return "".join(map(texts, vars(part).values())) if hasattr(part, "__dict__") else ""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """HTML and PDF of a run whose names try to be something else."""
    write_run = run_writer(tmp_path_factory.mktemp("hostile"))
    failures = (("<i>bad</i>.png", "no <image> & no $text$"), ("long.png", "long " * 4000))
    folder = write_run(HOSTILE, classes=("$x$ & <b> 子宮",), failures=failures)
    return write_report(folder)


def test_any_name_stands_in_the_html_as_it_is_and_does_nothing(written: list[Path]) -> None:
    page = Page(written[0].read_text(encoding="utf-8"))
    for name in (*HOSTILE, "$x$ & <b> 子宮", "<i>bad</i>.png", "no <image> & no $text$"):
        assert printable(name) in page.text
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {tag for tag, _ in page.tags} & {"b", "i", "image", "iframe", "object", "link", "base", "form"}
    assert not [value for tag, own in page.tags for value in own if value.startswith("on")]


def test_the_html_needs_nothing_beside_itself(written: list[Path]) -> None:
    text = written[0].read_text(encoding="utf-8")
    page = Page(text)
    assert all(source.startswith("data:image/") for source in page.values("src"))
    assert all(target.startswith("#") for target in page.values("href"))
    assert "url(" not in text
    assert "@import" not in text


def test_the_html_lets_its_own_script_run_and_no_other(written: list[Path]) -> None:
    text = written[0].read_text(encoding="utf-8")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = Page(text).tags[3][1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def test_anchors_are_unique_and_every_link_leads_somewhere(written: list[Path]) -> None:
    page = Page(written[0].read_text(encoding="utf-8"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {target.removeprefix("#") for target in page.values("href")} <= set(ids)


def test_the_warning_is_on_the_first_page_and_in_the_footer(written: list[Path]) -> None:
    text = written[0].read_text(encoding="utf-8")
    assert RESEARCH_ONLY in text[text.index("<header") : text.index("</header")]
    assert RESEARCH_ONLY in text[text.index("<footer") :]
    assert RESEARCH_ONLY in text[text.index("@bottom-left") : text.index("</style>")]


def test_the_pdf_is_whole_with_any_name(written: list[Path]) -> None:
    content = written[1].read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) >= len(HOSTILE)  # each image begins a page
    assert content.count(b"/Subtype /Link") > len(HOSTILE)


@pytest.mark.usefixtures("undrawn")
def test_nothing_names_an_image_in_an_anonymous_report(write_run: WriteRun) -> None:
    folder = write_run(("Miller_1.png", "Miller_2.png"), failures=(("Miller_3.png", "/home/Miller_3.png is empty"),))
    said = texts(document(folder, ReportOptions(anonymous=True)))
    assert "Miller" not in said
    assert "/data/my scans" not in said
    assert "Image 002" in said
    assert "Miller_3.png" in texts(document(folder))


@pytest.mark.usefixtures("undrawn")
def test_without_a_page_per_image_nothing_links_to_one(write_run: WriteRun) -> None:
    (html,) = write_report(write_run(), pdf=False, options=ReportOptions(per_image=False))
    page = Page(html.read_text(encoding="utf-8"))
    assert "image-1" not in page.values("id")
    assert {target.removeprefix("#") for target in page.values("href")} <= set(page.values("id"))
    assert "a.png" in page.text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("most", "expected"), [(0, 8), (8, 8), (11, 11), (20, 20), (400, 20)])
def test_of_many_images_some_have_a_page(write_run: WriteRun, most: int, expected: int) -> None:
    """Those that the report links to, here the four best and the four worst, have one in any case."""
    folder = write_run(tuple(f"{number}.png" for number in range(20)))
    (html,) = write_report(folder, pdf=False, options=ReportOptions(most_pages=most))
    page = Page(html.read_text(encoding="utf-8"))
    shown = [int(anchor.removeprefix("image-")) for anchor in page.values("id") if re.fullmatch(r"image-\d+", anchor)]
    assert len(shown) == expected
    assert {target.removeprefix("#") for target in page.values("href")} <= set(page.values("id"))
    assert ("of 20 images have a page" in page.text) == (expected < 20)
    assert all(f"{number}.png" in page.text for number in range(20))
    others = [number for number in shown if 4 < number < 17]
    assert others == {8: [], 11: [5, 9, 13], 20: list(range(5, 17))}[expected]


@pytest.mark.usefixtures("undrawn")
def test_every_image_has_its_sheet_and_its_figures(write_run: WriteRun) -> None:
    folder = write_run(("a.png", "b.png"), methods=("gradcam", "layercam"))
    pages = document(folder).sections[-1].blocks
    assert [block.name for block in pages if isinstance(block, ImagePage)] == ["a.png", "b.png"]
    for number, page in enumerate(pages):
        assert isinstance(page, ImagePage)
        assert page.sheet == (folder / "images" / f"key_{number}" / "sheet.jpg").read_bytes()
        assert len(page.table.rows) == 6  # two methods, three stages
        assert page.table.rows[1][page.table.columns.index("in/out")] == f"{2.5 + number:.2f}"


@pytest.mark.usefixtures("undrawn")
def test_without_a_truth_images_are_compared_by_their_ratio(write_run: WriteRun) -> None:
    sections = {section.anchor: section.blocks for section in document(write_run(truth=False)).sections}
    assert "lowest attention ratio at encoder_5 (gradcam)" in texts(sections["extremes"])
    assert "Dice" not in texts(sections["findings"])
    assert not any("truth" in block.caption for block in sections["attention"] if isinstance(block, Table))


@pytest.mark.usefixtures("undrawn")
def test_the_best_and_the_worst_are_those_of_the_highest_and_lowest_dice(write_run: WriteRun) -> None:
    names = tuple(f"{number}.png" for number in range(20))  # whose Dice grows with the number
    sections = {section.anchor: section.blocks for section in document(write_run(names)).sections}
    cards = [card.name for block in sections["extremes"] for card in getattr(block, "cards", ())]
    assert cards == ["0.png", "1.png", "2.png", "3.png", "19.png", "18.png", "17.png", "16.png"]


@pytest.mark.usefixtures("undrawn")
def test_an_unfinished_run_says_so_on_its_first_page(write_run: WriteRun) -> None:
    assert "unfinished: 7 images are missing" in texts(document(write_run(count=10)).front)


@pytest.mark.usefixtures("undrawn")
def test_the_command_to_repeat_is_quoted_for_a_shell(write_run: WriteRun) -> None:
    said = texts(document(write_run(methods=("gradcam", "layercam"))))
    assert "napari-segcam batch '/data/my scans' --model best.pth --methods gradcam,layercam" in said


@pytest.mark.usefixtures("undrawn")
def test_sheets_that_are_too_large_together_are_made_smaller(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = sorted((write_run() / "images").glob("*/sheet.jpg"))
    assert Sheets(sheets).fit_share(sheets[0]) == sheets[0].read_bytes()
    monkeypatch.setattr("napari_segcam.reporting.report.sheets.BUDGET", 3000)
    monkeypatch.setattr("napari_segcam.reporting.report.sheets._FLOOR", 1000)
    smaller = Sheets(sheets).fit_share(sheets[0])
    assert smaller is not None
    assert len(smaller) <= 1000 < sheets[0].stat().st_size


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_sheet_is_left_out(write_run: WriteRun) -> None:
    folder = write_run()
    (folder / "images" / "key_0" / "sheet.jpg").write_bytes(b"no picture")
    (html,) = write_report(folder, pdf=False)
    assert "There is no picture of this image." in html.read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_a_report_is_written_whole_or_not_at_all(write_run: WriteRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run()
    out = folder / "report.html"
    out.write_text("the one before")
    monkeypatch.setattr("napari_segcam.reporting.report.html.size_of", lambda _content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(folder, pdf=False)
    assert out.read_text() == "the one before"
    assert {path.name for path in folder.iterdir()} == {"run.json", "errors.csv", "images", "report.html"}


@pytest.mark.usefixtures("undrawn")
def test_a_missing_package_is_asked_for_before_anything_is_written(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run()
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda name: None if name == "reportlab" else object())
    with pytest.raises(SegcamError, match="pip install reportlab"):
        write_report(folder)
    assert not (folder / "report.html").exists()
    write_report(folder, pdf=False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "best.pth", "architecture": "Unet", "encoder": "resnet18"}, "--model best.pth --architecture Unet"),
        ({"model": None, "architecture": None, "network_factory": "mine:make"}, "mine:make"),
    ],
)
def test_the_command_says_what_was_given_of_the_model(given: dict[str, str | None], said: str) -> None:
    command = repeat_command(FinishedRun({"given": given, "model": {"checkpoint": "other"}}, (), (), 0))
    assert said in command
    assert ("--model" in command) == bool(given["model"])
    assert "other" not in command
    assert "None" not in command


@pytest.mark.parametrize(
    ("overlap", "flags"), [(True, {"--classes-overlap"}), (False, {"--classes-exclusive"}), (None, set())]
)
def test_the_command_says_whether_classes_overlap(overlap: bool | None, flags: set[str]) -> None:
    command = repeat_command(FinishedRun({"given": {"model": "best.pth", "classes_overlap": overlap}}, (), (), 0))
    assert {part for part in command.split() if part.startswith("--classes-")} == flags


def test_the_command_names_no_color_table_by_its_content() -> None:
    data = {"source": "scans", "truth": "masks", "truth_colors": {"cyst": [1, 2, 3]}}
    command = repeat_command(FinishedRun({"data": data}, (), (), 0))
    assert "--truth masks --truth-colors COLORS.csv" in command
