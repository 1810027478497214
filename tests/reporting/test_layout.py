from __future__ import annotations

import numpy as np

from napari_segcam.reporting.layout import Bar, Tile, draw_sheet, in_rows, with_message, with_strip


def flat(value: int, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.full((*shape, 3), value, np.uint8)


def place_of(drawn: np.ndarray, value: int) -> tuple[int, int, int]:
    """Top, left and count of the pixels of a color that only one tile has."""
    rows, columns = np.nonzero((drawn == value).all(-1))
    return int(rows.min()), int(columns.min()), len(rows)


def test_a_sheet_holds_every_tile_unscaled() -> None:
    drawn = draw_sheet(in_rows([Tile(str(n), flat(40 * n + 41)) for n in range(5)], columns=2))
    for n in range(5):
        assert place_of(drawn, 40 * n + 41)[2] >= 40 * 60


def test_rows_and_columns_are_aligned_and_a_free_place_stays_free() -> None:
    rows = [[Tile("a", flat(61)), None], [Tile("b", flat(81)), Tile("c", flat(121))]]
    drawn = draw_sheet(rows, row_captions=["first\nline", "second"], title="title")
    (top_a, left_a, _), (top_b, left_b, _), (top_c, left_c, _) = (place_of(drawn, value) for value in (61, 81, 121))
    assert left_a == left_b < left_b + 60 < left_c
    assert top_a + 40 < top_b == top_c


def test_long_captions_make_room_for_themselves() -> None:
    narrow = draw_sheet([[Tile("a", flat(61)), Tile("b", flat(81))]])
    long = "a caption that is much longer than its picture is wide"
    wide = draw_sheet([[Tile(long, flat(61), "note"), Tile(long, flat(81), "note")]])
    assert place_of(wide, 81)[1] > place_of(narrow, 81)[1] + 100
    assert wide.shape[1] - place_of(wide, 81)[1] > 300, "the second one's caption has room too"


def test_a_bar_shows_its_colors_from_end_to_end() -> None:
    drawn = draw_sheet([[Tile("", flat(0))]], bars=[Bar("gray", "0", "1")])
    assert (drawn == 255).all(-1).any(), "white is the end of gray"


def test_strips_leave_the_picture_and_keep_the_size_whatever_they_say() -> None:
    picture = flat(61, (200, 400))
    short, long = (with_strip(picture, Bar("turbo", "0", "1"), [text, "x"]) for text in ("a", "long " * 60))
    assert short.shape == long.shape
    np.testing.assert_array_equal(long[:200], picture)


def test_words_stand_on_a_dimmed_picture() -> None:
    drawn = with_message(flat(100, (200, 300)), "Empty: nothing was found here.")
    assert (drawn[0] == 35).all()
    assert drawn[90:110].max() > 200
