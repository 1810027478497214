"""Results: what has been computed for the frames, kept within a budget of memory."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ResultStore:
    """Results by what they were computed with, the key, and by frame.

    Used from the UI thread; other threads may only ``get``.

    Attributes:
        budget: bytes that the results may take; what is in view is kept even if it takes more.
        used: bytes that they take.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._results: dict[Hashable, dict[int, tuple[Any, int]]] = {}

    def get(self, key: Hashable, frame: int) -> Any:
        """The result, or None."""
        found = self._results.get(key, {}).get(frame)
        return None if found is None else found[0]

    def put(self, key: Hashable, frame: int, result: Any, size: int) -> None:
        """Keep a result of so many bytes; an earlier one is replaced."""
        self.drop(key, frame)
        self._results.setdefault(key, {})[frame] = (result, size)
        self.used += size

    def frames(self, key: Hashable) -> list[int]:
        """The frames that have a result."""
        return list(self._results.get(key, ()))

    def drop(self, key: Hashable, frame: int) -> None:
        """Forget a result, if there is one."""
        _, size = self._results.get(key, {}).pop(frame, (None, 0))
        self.used -= size

    def forget(self, key: Hashable) -> None:
        """Forget all results of a key."""
        self.used -= sum(size for _, size in self._results.pop(key, {}).values())

    def __iter__(self) -> Iterator[Hashable]:
        """The keys that have results, the oldest first."""
        return iter(list(self._results))

    def shrink(self, current: Collection[Hashable], distances: NDArray[np.float64], besides: int = 0) -> list[int]:
        """Keep to the budget by forgetting the least useful.

        Args:
            current: the keys in use. What was computed with others goes first, the oldest of it before the rest.
            distances: ``(T,)`` how little each frame is needed. The farthest goes first, the nearest stays.
            besides: bytes of the budget that are taken by something else.

        Returns:
            The frames that have lost a result of the keys in use.
        """
        limit = self.budget - besides
        for key in [key for key in self._results if key not in current]:
            if self.used <= limit:
                return []
            self.forget(key)
        lost = []
        for frame in map(int, np.argsort(-distances, kind="stable")[:-1]):
            if self.used <= limit:
                break
            if any(frame in self._results.get(key, ()) for key in current):
                for key in current:
                    self.drop(key, frame)
                lost.append(frame)
        return lost
