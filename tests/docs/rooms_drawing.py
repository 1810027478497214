"""The drawing of the rooms in CONTRIBUTING.md, made from the floors that ``test_package.py`` asserts.

After a change of the rooms, ``python tests/docs/rooms_drawing.py`` draws them again.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BEGIN, END = "```text\n", "```\n"
WIDTH, INDENT = 110, 14

ORDER = (
    "__main__",
    "cli",
    "viewer",
    "commands",
    "problem",
    "validating",
    "robustness",
    "comparing",
    "review",
    "batch",
    "dicom_objects",
    "reporting",
    "evidence",
    "explanation",
    "perturbing",
    "deidentifying",
    "imaging",
    "network",
    "mask_metrics",
    "measuring",
    "demo",
)
"""The rooms of the package from the top floor down."""


def drawing(floors: Mapping[str, Sequence[Sequence[str]]], ground: Sequence[str]) -> str:
    """Return the rooms as text: the top floor is the first line, in the package and within each room."""
    lines = []
    for room in ORDER:
        name = room
        for floor in reversed(floors.get(room, [[]])):
            for line in textwrap.wrap(" · ".join(floor), WIDTH - INDENT) or [""]:
                lines.append(f"{name:<{INDENT}}{line}".rstrip())
                name = ""
    return "\n".join([*lines, f"{'(ground)':<{INDENT}}{' · '.join(ground)}", ""])


def drawing_on_page() -> str:
    """Return the drawing that CONTRIBUTING.md shows now."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    sys.path.insert(0, str(PAGE.parent / "tests"))
    from test_package import FLOORS, GROUND

    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    PAGE.write_text(before + begin + drawing(FLOORS, GROUND) + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
