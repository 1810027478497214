"""CONTRIBUTING.md shows the rooms as they are."""

from __future__ import annotations

from rooms_drawing import ORDER, drawing, drawing_on_page
from test_package import FLOORS, GROUND, MAY_IMPORT


def test_the_drawing_of_the_rooms_is_up_to_date() -> None:
    assert {*ORDER, *GROUND} == set(MAY_IMPORT)
    assert drawing_on_page() == drawing(FLOORS, GROUND), "run python tests/docs/rooms_drawing.py"
