from __future__ import annotations

from napari_segcam.reporting.lettering import text_and_font, text_width, truncate_text, wrap_text


def test_signs_that_the_font_lacks_become_plain_ones_or_question_marks() -> None:
    assert text_and_font("2–3 × 4", 13)[0] == "2-3 x 4"
    assert text_and_font("\U0010fffd nerve", 13)[0] == "? nerve"


def test_lines_are_as_wide_as_may_be_and_hold_every_word() -> None:
    text = "each map is colored from its own lowest to its own highest value"
    lines = wrap_text(text, 13, 150)
    assert " ".join(lines) == text
    assert all(text_width(line, 13) <= 150 for line in lines)
    assert len(lines) > 1
    assert wrap_text("", 13, 100) == [""]


def test_what_is_too_long_ends_in_dots() -> None:
    assert truncate_text("short", 13, 200) == "short"
    cut = truncate_text("a name that is much too long for its place", 13, 120)
    assert cut.endswith("…")
    assert 90 < text_width(cut, 13) <= 120
