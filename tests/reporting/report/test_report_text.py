"""Texts of the report: values of a run in words, and names that are safe on a page."""

from __future__ import annotations

import pytest

from napari_segcam.number_format import counted
from napari_segcam.reporting.report.text import drawable, font_file, plain, printable, shorten_middle, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        ([], "–"),
        ({}, "–"),
        (0, "0"),
        (True, "yes"),
        (False, "no"),
        (0.5, "0.5"),
        (["a", 2, None], "a, 2, –"),
        ({"image_size": 512, "crop": None}, "image size 512"),
    ],
)
def test_a_value_of_a_run_is_plain_text(value: object, text: str) -> None:
    assert plain(value) == text


def test_counts_agree_with_their_noun() -> None:
    assert [counted(count, "image") for count in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


def test_names_of_fields_are_words() -> None:
    assert words("truth_pixels_mm2") == "truth pixels mm2"


@pytest.mark.parametrize("longest", [10, 11])
def test_a_long_text_keeps_both_ends(longest: int) -> None:
    text = shorten_middle("abcdefghijklmnopqrstuvwxyz", longest)
    assert len(text) <= longest
    assert text.startswith("abcde")
    assert text.endswith("xyz")
    assert "…" in text
    assert shorten_middle("a" * longest, longest) == "a" * longest


def test_what_cannot_be_seen_is_written_as_an_escape() -> None:
    assert printable("plain größer") == "plain größer"
    assert printable("a\tb\u200fc") == "a\\tb\\u200fc"


def test_what_the_font_lacks_is_written_as_an_escape() -> None:
    assert drawable("mm² – Δ") == "mm² – Δ"
    assert drawable("🩺") == "\\U0001fa7a"
    assert font_file("DejaVuSans").is_file()
