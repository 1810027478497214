"""Entries: what was removed, replaced or blanked, without what was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """What was done to one element, or to the same element of several items.

    Attributes:
        tag: such as ``(0010,0010)``, after those of the sequences that hold it, with ``>`` between them.
        keyword: of the element; empty for private and unknown ones.
        vr: its value representation; empty if it is no element.
        action: what was done, such as ``removed``.
        reason: why.
    """

    tag: str
    keyword: str
    vr: str
    action: str
    reason: str


class Entries:
    """Counts what was done to the elements of a file."""

    def __init__(self) -> None:
        self._counts: Counter[Entry] = Counter()

    def add(self, tag: str, keyword: str, vr: str, action: str, reason: str) -> None:
        """Add one element."""
        self._counts[Entry(tag, keyword, vr, action, reason)] += 1

    def __iter__(self) -> Iterator[tuple[Entry, int]]:
        """Yield the entries with how often each happened, in the order of the file."""
        return iter(self._counts.items())

    def __len__(self) -> int:
        return len(self._counts)

    def total(self, *actions: str) -> int:
        """Return how often one of these actions happened."""
        return sum(count for entry, count in self._counts.items() if entry.action in actions)
