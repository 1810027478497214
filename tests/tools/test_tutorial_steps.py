"""The sentences of tutorials: those that can be followed are understood, and all others are refused."""

from __future__ import annotations

import re
from pathlib import Path

import markdown
import pytest

from tools.screenshots.blocks import BlockFailedError, Blocks, missing_lines
from tools.screenshots.controls import is_called, stands_in
from tools.screenshots.grammar import (
    AnswerDialog,
    Check,
    Choose,
    Click,
    Drag,
    Drop,
    Menu,
    NotUnderstoodError,
    Press,
    See,
    Start,
    Type,
    Wait,
    actions_of,
)
from tools.screenshots.tutorial import Block, Picture, Recording, Step, parts_of

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = [*sorted((DOCS / "tutorials").glob("*.md")), DOCS / "public-ultrasound.md"]


@pytest.mark.parametrize(
    ("sentence", "action"),
    [
        ("Start napari.", Start()),
        ("Open *Plugins ▸ SegCAM ▸ Measure (SegCAM)*.", Menu(("Plugins", "SegCAM", "Measure (SegCAM)"))),
        ("Click *File …*.", Click("File …")),
        ("In *Segmentation*, click *Segment*.", Click("Segment", "Segmentation")),
        ("Check *Write a report*.", Check("Write a report", True)),
        ("In *Export*, uncheck *Write a report*.", Check("Write a report", False, "Export")),
        ("Choose *LayerCAM* in *Method*.", Choose("LayerCAM", "Method")),
        ("Set *Opacity* to `0.4`.", Type("0.4", "Opacity")),
        ("Type `a. b` into *Note*.", Type("a. b", "Note")),
        ("Press `Shift+D`.", Press("Shift+D")),
        ("Press `Right` twice.", Press("Right", 2)),
        ("Press `Right` 12 times.", Press("Right", 12)),
        ("Give `out` in the dialog *Open a checkpoint*.", AnswerDialog("out", "Open a checkpoint")),
        ("Drop `images` on the window.", Drop(("images",))),
        ("Drop `my images` and `a. b.pth` on the window.", Drop(("my images", "a. b.pth"))),
        ("Click in the image at row 3, column 40.", Drag(((3, 40),))),
        ("Drag in the image from row 1, column 2 to row 3, column 4.", Drag(((1, 2), (3, 4)))),
        (
            "Drag in the image from row 1, column 2 to row 3, column 4, then to row 5, column 6.",
            Drag(((1, 2), (3, 4), (5, 6))),
        ),
        ("Wait until *done in* appears.", Wait("done in")),
        ("Wait until *Stop* is gone.", Wait("Stop", False)),
        ("You see *no finding*.", See("no finding")),
    ],
)
def test_a_sentence_is_understood(sentence: str, action: object) -> None:
    assert actions_of(sentence) == [action]


def test_a_step_can_have_several_sentences() -> None:
    assert actions_of("Press `.`.  Click *A. B*.\nYou see *C*.") == [Press("."), Click("A. B"), See("C")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Click the button.",
        "Click *Explain*",
        "Click *Explain* and wait.",
        "Explain the frame.",
        "In *Export*, press `K`.",
        "Press K.",
        "Choose *LayerCAM*.",
        "Click *Explain*. Then look.",
    ],
)
def test_a_sentence_that_cannot_be_followed_is_refused(sentence: str) -> None:
    with pytest.raises(NotUnderstoodError, match="cannot be followed"):
        actions_of(sentence)


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_parts_of_a_page_come_in_order_with_their_lines(tmp_path: Path) -> None:
    text = """# A page

Some words, with a button *Explain*.

1. Click *Explain*.
   You see *done*.
   ![The window](../images/a.png)

    This is why.
2. Press `K`.

<!-- picture of: Grad-CAM -->
![The dock](../images/b.png)

```sh
echo one
  echo two
```

```text
one

two
```
"""
    assert parts_of(page(tmp_path, text)) == [
        Step(5, "Click *Explain*. You see *done*.", (Click("Explain"), See("done"))),
        Picture(7, "../images/a.png"),
        Step(10, "Press `K`.", (Press("K"),)),
        Picture(13, "../images/b.png", "Grad-CAM"),
        Block(15, "sh", "echo one\n  echo two", ("one", "two")),
    ]


def test_a_recording_is_begun_and_ended_by_comments_and_not_taken_where_it_is_shown(tmp_path: Path) -> None:
    shown, begins, ends = "![Shown](a.webp)", "    <!-- recording: a.webp -->", "    <!-- end of the recording -->"
    text = "\n\n".join(["# A", shown, begins, "1. Press `K`.", ends])
    parts = parts_of(page(tmp_path, text))
    assert parts == [Recording(5, "a.webp"), Step(7, "Press `K`.", (Press("K"),)), Recording(9)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Words.\nClick *Explain*.\n", r"page.md, line 1: make this a numbered step: “Click \*Explain\*.”"),
        ("1. Press `K`.\n\n   Press `J`.\n", "line 3: make this a numbered step"),
        ("1. Do something.\n", "page.md, line 1: This sentence of a step cannot be followed"),
        ("```text\nx\n```\n", "line 1: this output follows no block"),
        ("```yaml\nx\n```\n", "is sh, python or text, not “yaml”"),
    ],
)
def test_what_a_follower_would_miss_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NotUnderstoodError, match=message):
        parts_of(page(tmp_path, text))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_each_tutorial_is_understood(tutorial: Path) -> None:
    parts = parts_of(tutorial)
    assert any(isinstance(part, Step | Block) for part in parts)
    assert any(isinstance(part, Picture) for part in parts)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_steps_are_numbered_on_across_headings(tutorial: Path) -> None:
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", tutorial.read_text(encoding="utf-8"), re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    shown = markdown.markdown("1. One\n\n## Heading\n\n2. Two", extensions=_extensions_without_options())
    assert '<ol start="2">' in shown, "the site begins each list with 1"


def _extensions_without_options() -> list[str]:
    settings = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8").split("markdown_extensions:")[1]
    return re.findall(r"^  - (\w+)(?: .*)?$", settings.split("validation:")[0], re.MULTILINE)


@pytest.mark.parametrize(
    ("expected", "missing"),
    [
        (("one", "two"), []),
        (("o…", "t…o"), []),
        (("three   words here",), []),
        (("two", "one"), ["one"]),
        (("tw",), ["tw"]),
        (("one.",), ["one."]),
    ],
)
def test_lines_of_output_are_compared_in_order(expected: tuple[str, ...], missing: list[str]) -> None:
    assert missing_lines(expected, "one\ntwo\n  three words   here\n") == missing


def test_python_blocks_share_names_and_shell_blocks_the_folder(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path)
    try:
        blocks.run(Block(1, "python", "number = 41"))
        assert "42" in blocks.run(Block(2, "python", "print(number + 1)\nopen('made', 'w').write('x')", ("42",)))
        assert "made" in blocks.run(Block(3, "sh", "ls", ("made",)))
        with pytest.raises(BlockFailedError, match="line 4: the block failed"):
            blocks.run(Block(4, "python", "1 / 0"))
        with pytest.raises(BlockFailedError, match="line 5: the commands ended with 1"):
            blocks.run(Block(5, "sh", "false\necho on"))
        with pytest.raises(BlockFailedError, match="line 6: the page shows “other”"):
            blocks.run(Block(6, "sh", "ls", ("other",)))
    finally:
        blocks.close()


@pytest.mark.parametrize(
    ("text", "shown", "named", "inside"),
    [
        ("Explain", "Explain", True, True),
        ("Explain", "Explain all", False, True),
        ("NAME mask", "sweep mask", True, True),
        ("NAME mask", "sweep mask B", False, True),
        ("NAME mask", "mask", False, False),
        ("sweep mask", "NAME mask", False, False),
    ],
)
def test_words_in_capitals_stand_for_something_else(text: str, shown: str, named: bool, inside: bool) -> None:
    assert is_called(text, shown) == named
    assert stands_in(text, shown) == inside
