"""Progress of the evidence: of each measure, and of all together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Report = Callable[[str, int, int], None]
"""Called with a measure, the number of its steps done and their total."""


T = TypeVar("T")


class OverallProgress:
    """Passes the progress of each measure on, and adds up the steps of all.

    Args:
        total: steps of all measures together.
        report: called with each measure's progress.
        overall: called with the steps done and the total.
    """

    def __init__(
        self, total: int, report: Report | None = None, overall: Callable[[int, int], None] | None = None
    ) -> None:
        self._total, self._report, self._overall = max(total, 1), report, overall
        self._done: dict[str, int] = {}

    def __call__(self, measure: str, done: int, total: int) -> None:
        """Note how many steps of a measure are done."""
        if self._report is not None:
            self._report(measure, done, total)
        self._done[measure] = done
        if self._overall is not None:
            self._overall(min(sum(self._done.values()), self._total), self._total)

    def finish(self) -> None:
        """Note that all is done: what was undefined took no steps."""
        if self._overall is not None:
            self._overall(self._total, self._total)


def run_steps(steps: Generator[tuple[int, int], None, T], progress: Callable[[int, int], None] | None) -> T:
    """Run a measure to its end, reporting after each step the number of steps done and their total."""
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if progress is not None:
            progress(done, total)
