"""A wiring that is being searched for: what was run so far, and what it has in common with earlier steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_segcam.network.families.structure.wiring import Step, StepKind


@dataclass(frozen=True)
class State:
    """A wiring so far.

    Attributes:
        used: bits of the parts that were run.
        channels: of the map.
        skips: channels of the maps that wait for the decoder, the deepest last; 0 for a level without a map.
        is_up: whether the decoder has begun.
        is_joining: whether the map was just enlarged, and the skip comes next.
        since_pool: parts that were run since the last pooling.
        last: index of the last part in its order.
        steps: so far.
        outputs: channels and number of the step of each map that a further head could take.
    """

    used: int
    channels: int
    skips: tuple[int, ...]
    is_up: bool
    is_joining: bool
    since_pool: int
    last: int
    steps: tuple[Step, ...]
    outputs: tuple[tuple[int, int], ...]

    @property
    def key(self) -> tuple[object, ...]:
        return self.used, self.channels, self.skips, self.is_up, self.is_joining


def change_of_kind(state: State, kind: StepKind, kinds: Sequence[StepKind]) -> float:
    """Return what it costs that a step differs from the last one of these kinds."""
    last = next((step.kind for step in reversed(state.steps) if step.kind in kinds), kind)
    return 0.0 if last == kind else 0.6


def role_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return a name without its first number, which is that of the block: layers of the same place in their blocks."""
    number = next((position for position, token in enumerate(tokens) if token.isdigit()), None)
    return tuple("#" if position == number else token for position, token in enumerate(tokens))
