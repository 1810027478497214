"""Names on the pages of a validation: as they are, or numbers in an anonymous report."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.number_format import counted
from napari_segcam.validating.cases import Cases

_MOST_NAMED = 5


class Names:
    """What cases and images are called.

    Args:
        cases: of the run.
        anonymous: whether numbers replace names.
    """

    def __init__(self, cases: Cases, anonymous: bool) -> None:
        self.anonymous = anonymous
        self._numbers = {case: number for number, case in enumerate(cases.names, 1)} if anonymous else {}

    def case(self, name: str) -> str:
        """Return what a case of the run is called."""
        return f"case {self._numbers[name]}" if self.anonymous else name

    def cases(self, names: Sequence[str]) -> str:
        """Return cases of the run in a sentence."""
        return listed([self.case(name) for name in names])

    def others(self, names: Sequence[str], noun: str) -> str:
        """Return a count of images, or of cases that are not in the run, with the names of some of them."""
        count = counted(len(names), noun)
        return count if self.anonymous else f"{count} ({listed(names)})"


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
