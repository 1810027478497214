"""The results of all images, kept within a memory budget."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ResultStore:
    """Results by key (what they were computed with) and frame.

    Used from the UI thread; other threads may only call ``get``.

    Attributes:
        budget: bytes that the results may take; the frame in view is kept even if it takes more.
        used_bytes: that they take now.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used_bytes = 0
        self._results: dict[Hashable, dict[int, tuple[Any, int]]] = {}

    def get(self, key: Hashable, frame: int) -> Any:
        """Return the result, or None."""
        result, _ = self._results.get(key, {}).get(frame, (None, 0))
        return result

    def put(self, key: Hashable, frame: int, result: Any, size: int) -> None:
        """Store a result of this size in bytes, in place of an earlier one."""
        self.drop(key, frame)
        self._results.setdefault(key, {})[frame] = (result, size)
        self.used_bytes += size

    def frames(self, key: Hashable) -> list[int]:
        """Return the frames that have a result."""
        return list(self._results.get(key, ()))

    def drop(self, key: Hashable, frame: int) -> None:
        """Drop a result, if there is one."""
        _, size = self._results.get(key, {}).pop(frame, (None, 0))
        self.used_bytes -= size

    def drop_all(self, key: Hashable) -> None:
        """Drop all results of a key."""
        self.used_bytes -= sum(size for _, size in self._results.pop(key, {}).values())

    def __iter__(self) -> Iterator[Hashable]:
        """Iterate over the keys that have results, the oldest first."""
        return iter(list(self._results))

    def shrink(
        self, current_keys: Collection[Hashable], distances: NDArray[np.float64], reserved_bytes: int = 0
    ) -> list[int]:
        """Keep to the budget by dropping the results that are least useful.

        Args:
            current_keys: the keys in use. Results of other keys are dropped first, the oldest key before the others.
            distances: ``(T,)`` how little each frame is needed. The farthest is dropped first, the nearest is kept.
            reserved_bytes: of the budget, taken by something else.

        Returns:
            The frames that have lost a result of the keys in use.
        """
        limit = self.budget - reserved_bytes
        for key in [key for key in self._results if key not in current_keys]:
            if self.used_bytes <= limit:
                return []
            self.drop_all(key)
        dropped = []
        for frame in map(int, np.argsort(-distances, kind="stable")[:-1]):
            if self.used_bytes <= limit:
                break
            if any(frame in self._results.get(key, ()) for key in current_keys):
                for key in current_keys:
                    self.drop(key, frame)
                dropped.append(frame)
        return dropped
