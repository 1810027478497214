"""The format of a run: one schema for the batch that writes it and the report that reads it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from napari_segcam.reporting.run_format import COLUMNS, KEY_COLUMNS, REASON_COLUMNS, present_run

EARLIER: dict[str, Any] = {
    "format": 1,
    "wishes": {"region": "mask"},
    "data": {"truth_colours": {"cyst": [1, 2, 3]}, "count": 2},
    "model": {"sha256": "ab", "model_card": {"normalisation": "unit", "class_colours": ["#102030"], "threshold": 0.5}},
}


def test_every_named_column_is_in_the_table() -> None:
    assert set(KEY_COLUMNS) <= set(COLUMNS)
    assert {*REASON_COLUMNS, *REASON_COLUMNS.values()} <= set(COLUMNS)
    assert all(COLUMNS[reason] is str for reason in REASON_COLUMNS.values())


def test_earlier_names_become_the_names_of_today_at_every_level() -> None:
    assert present_run(EARLIER) == {
        "format": 1,
        "options": {"region": "mask"},
        "data": {"truth_colors": {"cyst": [1, 2, 3]}, "count": 2},
        "model": {
            "sha256": "ab",
            "model_card": {"normalization": "unit", "class_colors": ["#102030"], "threshold": 0.5},
        },
    }


def test_the_content_that_was_read_is_left_as_it_was() -> None:
    content = deepcopy(EARLIER)
    present_run(content)
    assert content == EARLIER


def test_the_names_of_today_stay() -> None:
    present = present_run(EARLIER)
    assert present_run(present) == present


@pytest.mark.parametrize("content", [{}, {"model": None, "data": []}, {"model": {"model_card": "none"}}])
def test_parts_that_are_missing_or_odd_are_left_alone(content: dict[str, Any]) -> None:
    assert present_run(content) == content


def test_a_field_under_both_names_is_refused() -> None:
    with pytest.raises(ValueError, match="truth_colours is the earlier name of truth_colors"):
        present_run({"data": {"truth_colours": None, "truth_colors": None}})
