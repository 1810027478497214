"""Names of the members of an ensemble, to show to users."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return a short name for each member: without the suffix where that is enough, and with a number if all else
    is the same.

    Args:
        names: file names, or paths of which as many folders are kept as make a difference.
    """
    parts = [PurePath(name.replace("\\", "/")).parts or (name,) for name in names]
    for depth in range(1, max(map(len, parts)) + 1):
        tails = ["/".join(part[-depth:]) for part in parts]
        if len(set(tails)) == len(tails):
            return tuple(_shortened(parts, tails, depth))
    return tuple(f"{part[-1]} ({number})" for number, part in enumerate(parts, start=1))


def _shortened(parts: Sequence[tuple[str, ...]], tails: Sequence[str], depth: int) -> list[str]:
    """Return the folders alone where they differ, such as ``fold_0`` of ``fold_0/checkpoint.pth``."""
    heads = [part[-depth] for part in parts]
    if depth > 1 and len(set(heads)) == len(heads):
        return heads
    stems = [tail.rsplit(".", 1)[0] or tail for tail in tails]
    return stems if len(set(stems)) == len(stems) else list(tails)


def ensemble_title(names: Sequence[str]) -> str:
    """Return the name of an ensemble, made from those of its members."""
    if len(names) <= 3:
        return " + ".join(names)
    return f"{len(names)} networks: {names[0]} … {names[-1]}"
