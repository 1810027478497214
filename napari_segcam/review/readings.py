"""Readings: one rater reads one case, once or, where the project mixes it in again, several times."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_APART = 0.3  # of the list: how far a repeat is from the reading before, where there is room


@dataclass(frozen=True, order=True)
class Reading:
    """The key of everything that a rater does with a case.

    Attributes:
        case: its identifier in the project.
        repeat: 1 for the first reading, 2 for the next.
    """

    case: str
    repeat: int = 1


def shown_name(name: str, number: int, repeats: int) -> str:
    """Return how a reading is called for the rater: by the case, or by its place where cases are read again.

    Otherwise the name would say which reading is a repeat.

    Args:
        name: of the case.
        number: the reading's place in the rater's order, from 1.
        repeats: how many cases the project mixes in a second time.
    """
    return f"Case {number}" if repeats else name


def reading_order(cases: Sequence[str], rater: str, shuffle_seed: int | None = None, repeats: int = 0) -> list[Reading]:
    """Return the readings of a rater in their order; the same for the same arguments, on every machine.

    Args:
        cases: their identifiers.
        rater: each rater gets an order of their own.
        shuffle_seed: of the order; None keeps that of the cases.
        repeats: how many cases are mixed in a second time, at random places well after the first. They are chosen and
            placed by the seed, or by seed 0 where there is none.
    """
    generator = random.Random(f"{shuffle_seed or 0}:{rater}")  # seeded by its text, which is stable between systems
    order = list(cases)
    if shuffle_seed is not None:
        generator.shuffle(order)
    readings = [Reading(case) for case in order]
    apart = int(_APART * len(order))
    early = order[: max(len(order) - apart, repeats)]  # after which there is room
    for case in generator.sample(early, min(repeats, len(early))):
        earliest = min(len(readings), readings.index(Reading(case)) + 1 + apart)
        readings.insert(generator.randint(earliest, len(readings)), Reading(case, 2))
    return readings
