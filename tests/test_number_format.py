"""Numbers as text, in each of the named formats."""

from __future__ import annotations

import pytest

from napari_segcam.number_format import UNDEFINED, compact, grouped, percent, score, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.00"),
        (1.0, "1.00"),
        (0.000123456, "0.000123"),
        (99.96, "100"),
        (123.4, "123"),
        (123456.0, "123456"),
        (-2.346, "-2.35"),
        (-2500.4, "-2500"),
        (1.5e9, "1.50e+09"),
    ],
)
def test_significant_has_three_digits_and_all_before_the_point(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_compact_drops_trailing_zeros_and_powers_of_ten_below_a_million() -> None:
    values = (0, 0.00123456, -3.14159, 1270.4, -1270.4, 999999, 12345678)
    assert [compact(value) for value in values] == ["0", "0.00123", "-3.14", "1270", "-1270", "999999", "1.23e+07"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.12345, 3, "0.123"), (2.0, 3, "2"), (99.94, 3, "99.9"), (1234.5, 3, "1,234"), (1.26, 2, "1.3"), (100, 2, "100")],
)
def test_grouped_sets_thousands_apart(value: float, digits: int, text: str) -> None:
    assert grouped(value, digits) == text


def test_scores_have_three_decimals_and_shares_one() -> None:
    assert (score(0.98765), score(1), score(None)) == ("0.988", "1.000", UNDEFINED)
    assert (percent(0.12345), percent(0), percent(1)) == ("12.3%", "0.0%", "100.0%")
