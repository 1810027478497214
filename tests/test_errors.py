"""Messages: one printable line of bounded length, whatever a file has put into them."""

from __future__ import annotations

import io
import pickle

import pytest
from rich.table import Table

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.errors import LONGEST, SegcamError, error_text, one_line, printable


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b]0;title\x07",
        "name\u202egnp.exe",
        "two\nlines\r\nand\u2028more",
        "a bell \x07, a delete \x7f, a control \x9b31m",
        "half a pair \udce9",
        "tab\there",
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert str(SegcamError(text)).isprintable()


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    message = str(SegcamError("The file " + "is bad and " * 10_000 + "is refused."))
    assert len(message) <= LONGEST
    assert message.startswith("The file is bad")
    assert message.endswith("is refused.")
    assert "…" in message


def test_a_long_name_does_not_hide_what_is_wrong_with_it() -> None:
    message = str(SegcamError("/" + "folder/" * 600 + "image.png cannot be read."))
    assert message.endswith("image.png cannot be read.")
    assert len(message) < 300


def test_a_short_limit_is_kept() -> None:
    assert len(one_line("word " * 1000, 100)) <= 100


def test_the_terminal_obeys_no_text_from_a_file() -> None:
    shown = io.StringIO()
    console = PlainConsole(file=shown, width=80, no_color=True)
    table = Table("class \x1b[31m", title="title \x1b]0;x\x07")
    table.add_row("row \x1b[2J\u202e", "half \udc80")
    console.print("[bold]text \x1b[8m\ud800", table, "plain\nlines", soft_wrap=True)
    console.print("no [markup] \x1b[1A", markup=False)
    text = shown.getvalue()
    assert all(letter.isprintable() for line in text.split("\n") for letter in line)
    assert "[markup]" in text
    assert "row" in text


def test_names_of_any_script_stay_as_they_are() -> None:
    for text in ("Schilddrüse – 甲状腺 ½ µm", "می‌خواهم", "👩‍⚕️", "1 < 2 & [bold]"):
        assert str(SegcamError(text)) == text


def test_a_message_survives_another_process_and_being_wrapped() -> None:
    error = SegcamError("bad \x1b[31m " + "x" * 5000 + " and so on" * 500)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert one_line(str(error)) == str(error)


def test_ends_of_lines_stay_where_they_may() -> None:
    assert printable("one\ntwo\x1b[0m", keep="\n") == "one\ntwo�[0m"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad header.\n  at byte 3."), "bad header. at byte 3"),
        (FileNotFoundError(2, "No such file or directory", "/scans/a.dcm"), "No such file or directory"),
        (KeyError(), "KeyError"),
        (SegcamError("The file is empty."), "The file is empty"),
    ],
)
def test_the_message_of_an_exception_fits_into_a_sentence(error: Exception, text: str) -> None:
    assert error_text(error) == text
